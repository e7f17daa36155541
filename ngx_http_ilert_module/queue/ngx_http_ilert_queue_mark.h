
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_MARK_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_MARK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * A file in the queue's folder that says: events may have been relayed of
 * which the database does not know, and cannot find out.  The database knows
 * of an nginx that may relay by its row, see store_term.c.  But an nginx that
 * could never write to the database, for example since that is of a newer
 * release, has no row.
 *
 * "path" is the folder's; it ends with a zero byte.  The functions may block.
 * If the folder cannot be written to, there is no mark.
 */

ngx_uint_t ngx_http_ilert_queue_mark_is_set(ngx_str_t *path);
void ngx_http_ilert_queue_mark_set(ngx_str_t *path);
void ngx_http_ilert_queue_mark_clear(ngx_str_t *path);


#endif /* _NGX_HTTP_ILERT_QUEUE_MARK_H_INCLUDED_ */
