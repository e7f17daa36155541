
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_SQLITE_H_INCLUDED_
#define _NGX_HTTP_ILERT_SQLITE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_backend.h"


/* This backend keeps all in the file "queue.db" in the store's folder. */

extern ngx_http_ilert_backend_t  ngx_http_ilert_sqlite;


#endif /* _NGX_HTTP_ILERT_SQLITE_H_INCLUDED_ */
