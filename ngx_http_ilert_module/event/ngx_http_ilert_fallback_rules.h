
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_FALLBACK_RULES_H_INCLUDED_
#define _NGX_HTTP_ILERT_FALLBACK_RULES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * When another way out is used, as pure functions.  Times are wall clock in
 * milliseconds.
 */


/* ms: the first pause after a try that has failed */

#define NGX_HTTP_ILERT_FALLBACK_PAUSE  60000

/*
 * ms: what was told is over if nothing waits for so long, or for as long as
 * makes it late, if that is less
 */

#define NGX_HTTP_ILERT_FALLBACK_CALM   60000


/* what has been told */

typedef struct {
    int64_t                     told;       /* when of what is late, for the */
                                            /* last time; 0: not told */
    int64_t                     tried;      /* time of the last try, or 0 */
    ngx_uint_t                  fails;      /* tries that failed in a row */
} ngx_http_ilert_fallback_state_t;


/* what waits now, of that which is urgent */

typedef struct {
    ngx_uint_t                  late;       /* alerts that wait for longer */
                                            /* than "after" */
    int64_t                     since;      /* since when the oldest and the */
    int64_t                     newest;     /* newest of these wait, or 0 */
    ngx_uint_t                  restless;   /* alerts that wait for longer */
                                            /* than .._CALM */
} ngx_http_ilert_fallback_seen_t;


typedef enum {
    NGX_HTTP_ILERT_FALLBACK_REST = 0,
    NGX_HTTP_ILERT_FALLBACK_TELL,           /* what is late */
    NGX_HTTP_ILERT_FALLBACK_OVER            /* that it is over */
} ngx_http_ilert_fallback_action_e;


/* Adds an alert that waits since then. */
void ngx_http_ilert_fallback_see(ngx_http_ilert_fallback_seen_t *seen,
    int64_t since, int64_t after, int64_t now);

/*
 * Returns what is to be done now.  "after" and "every" are those of the
 * directive.  If it is over before it was told, this is noted in "state".
 */
ngx_http_ilert_fallback_action_e ngx_http_ilert_fallback_decide(
    ngx_http_ilert_fallback_state_t *state,
    ngx_http_ilert_fallback_seen_t *seen, int64_t after, int64_t every,
    int64_t now);

/* Notes whether what was done has succeeded. */
void ngx_http_ilert_fallback_done(ngx_http_ilert_fallback_state_t *state,
    ngx_http_ilert_fallback_action_e action, ngx_uint_t taken, int64_t now);


#endif /* _NGX_HTTP_ILERT_FALLBACK_RULES_H_INCLUDED_ */
