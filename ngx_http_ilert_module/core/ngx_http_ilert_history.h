
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_HISTORY_H_INCLUDED_
#define _NGX_HTTP_ILERT_HISTORY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * What has been counted in each minute of the last day.  It is in shared
 * memory, where any worker adds to it, and it outlives reloads.  Times are
 * wall clock in milliseconds.  A minute is known by its number since 1970.
 */


#define NGX_HTTP_ILERT_HISTORY_MINUTE   60000
#define NGX_HTTP_ILERT_HISTORY_MINUTES  1440


/* counts of a minute */

typedef enum {
    NGX_HTTP_ILERT_HISTORY_ACCEPTED = 0,
    NGX_HTTP_ILERT_HISTORY_DELIVERED,
    NGX_HTTP_ILERT_HISTORY_REFUSED,
    NGX_HTTP_ILERT_HISTORY_COUNTS
} ngx_http_ilert_history_count_e;

typedef struct {
    int64_t                      counts[NGX_HTTP_ILERT_HISTORY_COUNTS];
    int64_t                      waiting;   /* the most that were seen to */
                                            /* wait; -1: nobody has looked */
} ngx_http_ilert_history_minute_t;


typedef struct ngx_http_ilert_history_s  ngx_http_ilert_history_t;


/* Returns how many bytes of shared memory it takes. */
size_t ngx_http_ilert_history_size(void);

/*
 * Makes an empty one in that memory, whose mutex it uses.  Returns NULL if
 * there is no room.
 */
ngx_http_ilert_history_t *ngx_http_ilert_history_create(
    ngx_slab_pool_t *shpool);

/* Adds 1 to a count of the present minute. */
void ngx_http_ilert_history_add(ngx_http_ilert_history_t *history,
    ngx_http_ilert_history_count_e count, int64_t now);

/* Notes that "n" events wait now. */
void ngx_http_ilert_history_wait(ngx_http_ilert_history_t *history, int64_t n,
    int64_t now);

/* Copies what is known of a minute. */
void ngx_http_ilert_history_get(ngx_http_ilert_history_t *history,
    int64_t minute, ngx_http_ilert_history_minute_t *counted);


#endif /* _NGX_HTTP_ILERT_HISTORY_H_INCLUDED_ */
