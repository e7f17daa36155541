
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
 * Writes what was counted by the minute; "data" is the main configuration
 * instead.
 */
void ngx_http_ilert_status_json_history(ngx_http_ilert_json_writer_t *w,
    void *data);

/*
 * Writes what is known of the alert that st->query has asked for, which must
 * be something.
 */
void ngx_http_ilert_status_json_alert(ngx_http_ilert_json_writer_t *w,
    void *data);


/*
 * Each of these writes a member of the status that is a list, with its name:
 * what the store has answered, or an empty list if it has not.
 */

/* alerts that ilert should show */
void ngx_http_ilert_status_json_open(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);

/* silences that are not over */
void ngx_http_ilert_status_json_silences(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);

/* dead letters */
void ngx_http_ilert_status_json_dead(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
void ngx_http_ilert_status_json_waiters(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);


#endif /* _NGX_HTTP_ILERT_STATUS_JSON_H_INCLUDED_ */
