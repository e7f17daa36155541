
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_history.h"


/*
 * A ring of minutes.  Nearly always the present minute has its place already,
 * and a count is added without a lock.  The first one in a minute takes the
 * place of the minute a day before, with the mutex held.
 *
 * If the clock was set back, the minutes that are to come once more are
 * forgotten, so that nothing is counted on top of what was counted in them.
 * The clocks of workers differ, as each looks at it once in a round of its
 * event loop; so a clock that is one minute behind was not set back.
 *
 * If a process is killed while it has the mutex, the master unlocks it, and
 * the place of a minute may still be that of none: the next one takes it.
 */


typedef struct {
    ngx_atomic_t                 number;    /* of the minute; 0: of none */
    ngx_atomic_t                 waiting;   /* plus 1; 0: not known */
    ngx_atomic_t                 counts[NGX_HTTP_ILERT_HISTORY_COUNTS];
} ngx_http_ilert_history_place_t;


struct ngx_http_ilert_history_s {
    ngx_slab_pool_t             *shpool;
    ngx_atomic_t                 last;      /* number of the last minute */
    ngx_http_ilert_history_place_t  places[NGX_HTTP_ILERT_HISTORY_MINUTES];
};


static ngx_http_ilert_history_place_t *ngx_http_ilert_history_place(
    ngx_http_ilert_history_t *history, int64_t now);
static void ngx_http_ilert_history_begin(ngx_http_ilert_history_t *history,
    ngx_atomic_uint_t number);
static void ngx_http_ilert_history_clear(
    ngx_http_ilert_history_place_t *place);


size_t
ngx_http_ilert_history_size(void)
{
    return sizeof(ngx_http_ilert_history_t);
}


ngx_http_ilert_history_t *
ngx_http_ilert_history_create(ngx_slab_pool_t *shpool)
{
    ngx_http_ilert_history_t  *history;

    history = ngx_slab_calloc(shpool, sizeof(ngx_http_ilert_history_t));

    if (history) {
        history->shpool = shpool;
    }

    return history;
}


void
ngx_http_ilert_history_add(ngx_http_ilert_history_t *history,
    ngx_http_ilert_history_count_e count, int64_t now)
{
    ngx_http_ilert_history_place_t  *place;

    place = ngx_http_ilert_history_place(history, now);

    (void) ngx_atomic_fetch_add(&place->counts[count], 1);
}


void
ngx_http_ilert_history_wait(ngx_http_ilert_history_t *history, int64_t n,
    int64_t now)
{
    ngx_atomic_uint_t                known;
    ngx_http_ilert_history_place_t  *place;

    place = ngx_http_ilert_history_place(history, now);

    do {
        known = place->waiting;

        if ((int64_t) known > n) {
            return;
        }

    } while (!ngx_atomic_cmp_set(&place->waiting, known,
                                 (ngx_atomic_uint_t) n + 1));
}


void
ngx_http_ilert_history_get(ngx_http_ilert_history_t *history, int64_t minute,
    ngx_http_ilert_history_minute_t *counted)
{
    ngx_uint_t                       i;
    ngx_http_ilert_history_place_t  *place;

    ngx_memzero(counted, sizeof(ngx_http_ilert_history_minute_t));

    counted->waiting = -1;

    place = &history->places[minute % NGX_HTTP_ILERT_HISTORY_MINUTES];

    if (place->number != (ngx_atomic_uint_t) minute) {
        return;
    }

    ngx_memory_barrier();

    for (i = 0; i < NGX_HTTP_ILERT_HISTORY_COUNTS; i++) {
        counted->counts[i] = place->counts[i];
    }

    counted->waiting = (int64_t) place->waiting - 1;
}


/* Returns the place of the present minute. */

static ngx_http_ilert_history_place_t *
ngx_http_ilert_history_place(ngx_http_ilert_history_t *history, int64_t now)
{
    ngx_atomic_uint_t                number;
    ngx_http_ilert_history_place_t  *place;

    number = (ngx_atomic_uint_t) (now / NGX_HTTP_ILERT_HISTORY_MINUTE);
    place = &history->places[number % NGX_HTTP_ILERT_HISTORY_MINUTES];

    if (place->number != number || history->last > number + 1) {
        ngx_shmtx_lock(&history->shpool->mutex);
        ngx_http_ilert_history_begin(history, number);
        ngx_shmtx_unlock(&history->shpool->mutex);
    }

    return place;
}


/* Gives a minute its place.  Is called with the mutex held. */

static void
ngx_http_ilert_history_begin(ngx_http_ilert_history_t *history,
    ngx_atomic_uint_t number)
{
    ngx_uint_t                       i;
    ngx_http_ilert_history_place_t  *place;

    if (history->last > number + 1) {

        for (i = 0; i < NGX_HTTP_ILERT_HISTORY_MINUTES; i++) {
            if (history->places[i].number > number) {
                ngx_http_ilert_history_clear(&history->places[i]);
            }
        }

        history->last = number;
    }

    history->last = ngx_max(history->last, number);

    place = &history->places[number % NGX_HTTP_ILERT_HISTORY_MINUTES];

    if (place->number != number) {
        ngx_http_ilert_history_clear(place);

        place->number = number;
    }
}


static void
ngx_http_ilert_history_clear(ngx_http_ilert_history_place_t *place)
{
    ngx_uint_t  i;

    place->number = 0;

    ngx_memory_barrier();

    place->waiting = 0;

    for (i = 0; i < NGX_HTTP_ILERT_HISTORY_COUNTS; i++) {
        place->counts[i] = 0;
    }

    ngx_memory_barrier();
}
