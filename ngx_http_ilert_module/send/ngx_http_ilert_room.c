
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_ilert_room.h"


/* an eighth of what the worker has, but at most */

#define NGX_HTTP_ILERT_ROOM_PART   8
#define NGX_HTTP_ILERT_ROOM_MAX    16

/* ms between two looks for connections while some are missing */

#define NGX_HTTP_ILERT_ROOM_TICK   500


/* of a worker */

typedef struct {
    ngx_connection_t            *kept;      /* linked by "data" */
    ngx_uint_t                   nkept;
    ngx_uint_t                   size;      /* what there should be */
    ngx_event_t                  tick;
} ngx_http_ilert_room_t;


static void ngx_http_ilert_room_tick_handler(ngx_event_t *ev);


static ngx_http_ilert_room_t  ngx_http_ilert_room;


void
ngx_http_ilert_room_init_process(ngx_cycle_t *cycle)
{
    ngx_http_ilert_room_t  *room;

    static ngx_connection_t  dumb;

    room = &ngx_http_ilert_room;

    ngx_memzero(room, sizeof(ngx_http_ilert_room_t));

    dumb.fd = (ngx_socket_t) -1;

    room->tick.handler = ngx_http_ilert_room_tick_handler;
    room->tick.data = &dumb;
    room->tick.log = cycle->log;
    room->tick.cancelable = 1;

    room->size = ngx_min(cycle->free_connection_n / NGX_HTTP_ILERT_ROOM_PART,
                         NGX_HTTP_ILERT_ROOM_MAX);

    ngx_http_ilert_room_keep();
}


/* the way of ngx_get_connection() and ngx_free_connection(), without a log */

void
ngx_http_ilert_room_lend(void)
{
    ngx_connection_t       *c;
    ngx_http_ilert_room_t  *room;

    room = &ngx_http_ilert_room;

    while (room->nkept) {
        c = room->kept;
        room->kept = c->data;
        room->nkept--;

        c->data = ngx_cycle->free_connections;
        ngx_cycle->free_connections = c;
        ngx_cycle->free_connection_n++;
    }
}


void
ngx_http_ilert_room_keep(void)
{
    ngx_connection_t       *c;
    ngx_http_ilert_room_t  *room;

    room = &ngx_http_ilert_room;

    if (ngx_exiting) {

        /* there are no more clients to come */

        ngx_http_ilert_room_lend();
        return;
    }

    while (room->nkept < room->size && ngx_cycle->free_connections) {
        c = ngx_cycle->free_connections;
        ngx_cycle->free_connections = c->data;
        ngx_cycle->free_connection_n--;

        c->data = room->kept;
        room->kept = c;
        room->nkept++;
    }

    if (room->nkept < room->size && !room->tick.timer_set) {
        ngx_add_timer(&room->tick, NGX_HTTP_ILERT_ROOM_TICK);
    }
}


static void
ngx_http_ilert_room_tick_handler(ngx_event_t *ev)
{
    ngx_http_ilert_room_keep();
}


ngx_uint_t
ngx_http_ilert_room_is_short(void)
{
    return ngx_http_ilert_room.nkept < ngx_http_ilert_room.size;
}


/*
 * As many as are kept may be connected to ilert already, and be idle: they
 * are not seen here.
 */

ngx_uint_t
ngx_http_ilert_room_is_left(ngx_uint_t busy)
{
    return busy < ngx_max(ngx_http_ilert_room.size, 1)
           || ngx_http_ilert_room.nkept
           || ngx_cycle->free_connection_n
           || ngx_cycle->reusable_connections_n;
}
