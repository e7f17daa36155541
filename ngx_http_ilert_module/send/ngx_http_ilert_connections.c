
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_connections.h"


/* of the connections of a worker an eighth is kept, but 16 at most */

#define NGX_HTTP_ILERT_CONNECTIONS_PART   8
#define NGX_HTTP_ILERT_CONNECTIONS_MAX    16

/* ms until connections are looked for again, if some are missing */

#define NGX_HTTP_ILERT_CONNECTIONS_TICK   500


/* of a worker */

typedef struct {
    ngx_connection_t            *kept;      /* linked by "data" */
    ngx_uint_t                   nkept;
    ngx_uint_t                   size;      /* the full number */
    ngx_event_t                  tick;
} ngx_http_ilert_connections_t;


static void ngx_http_ilert_connections_tick_handler(ngx_event_t *ev);


static ngx_http_ilert_connections_t  ngx_http_ilert_connections;


void
ngx_http_ilert_connections_init_process(ngx_cycle_t *cycle)
{
    ngx_http_ilert_connections_t  *cs;

    cs = &ngx_http_ilert_connections;

    ngx_memzero(cs, sizeof(ngx_http_ilert_connections_t));

    ngx_http_ilert_clock_init_event(&cs->tick,
                                    ngx_http_ilert_connections_tick_handler,
                                    1);

    cs->size = ngx_min(cycle->free_connection_n
                       / NGX_HTTP_ILERT_CONNECTIONS_PART,
                       NGX_HTTP_ILERT_CONNECTIONS_MAX);

    ngx_http_ilert_connections_keep();
}


/*
 * Lists are changed as in ngx_get_connection() and ngx_free_connection(),
 * which would do more than this, and log that there are none.
 */

void
ngx_http_ilert_connections_lend(void)
{
    ngx_connection_t              *c;
    ngx_http_ilert_connections_t  *cs;

    cs = &ngx_http_ilert_connections;

    while (cs->nkept) {
        c = cs->kept;
        cs->kept = c->data;
        cs->nkept--;

        c->data = ngx_cycle->free_connections;
        ngx_cycle->free_connections = c;
        ngx_cycle->free_connection_n++;
    }
}


void
ngx_http_ilert_connections_keep(void)
{
    ngx_connection_t              *c;
    ngx_http_ilert_connections_t  *cs;

    cs = &ngx_http_ilert_connections;

    if (ngx_exiting) {
        ngx_http_ilert_connections_lend();
        return;
    }

    while (cs->nkept < cs->size && ngx_cycle->free_connections) {
        c = ngx_cycle->free_connections;
        ngx_cycle->free_connections = c->data;
        ngx_cycle->free_connection_n--;

        c->data = cs->kept;
        cs->kept = c;
        cs->nkept++;
    }

    if (cs->nkept < cs->size && !cs->tick.timer_set) {
        ngx_add_timer(&cs->tick, NGX_HTTP_ILERT_CONNECTIONS_TICK);
    }
}


static void
ngx_http_ilert_connections_tick_handler(ngx_event_t *ev)
{
    ngx_http_ilert_connections_keep();
}


ngx_uint_t
ngx_http_ilert_connections_is_short(void)
{
    return ngx_http_ilert_connections.nkept < ngx_http_ilert_connections.size;
}


/*
 * Up to the full number may be connected to ilert already and be idle, and so
 * be neither kept nor free: they count as if they were kept.
 */

ngx_uint_t
ngx_http_ilert_connections_is_left(ngx_uint_t busy)
{
    return busy < ngx_max(ngx_http_ilert_connections.size, 1)
           || ngx_http_ilert_connections.nkept
           || ngx_cycle->free_connection_n
           || ngx_cycle->reusable_connections_n;
}
