
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STATUS_JSON_H_INCLUDED_
#define _NGX_HTTP_ILERT_STATUS_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_status_gather.h"


/*
 * These functions write the status as JSON.  What does not fit is left out,
 * and w->full is set.  "data" is an ngx_http_ilert_status_t.
 */


/* Writes the whole status, or that of one source. */
void ngx_http_ilert_status_json(ngx_http_ilert_json_writer_t *w, void *data);

/*
 * Writes what is known of the alert that st->query has asked for, which must
 * be something.
 */
void ngx_http_ilert_status_json_alert(ngx_http_ilert_json_writer_t *w,
    void *data);


#endif /* _NGX_HTTP_ILERT_STATUS_JSON_H_INCLUDED_ */
