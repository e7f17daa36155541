
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_WATCH_H_INCLUDED_
#define _NGX_HTTP_ILERT_WATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The watch asks the store what waits: once a minute, so that the history has
 * it for each minute, and every 10 seconds while something waits or comes in.
 * The worker watches that is the courier, so only one does.
 */


/* This worker has become the courier: it watches from now on. */
void ngx_http_ilert_watch_begin(void);

/* This worker is not the courier any more. */
void ngx_http_ilert_watch_end(void);


#endif /* _NGX_HTTP_ILERT_WATCH_H_INCLUDED_ */
