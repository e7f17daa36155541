
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store.h"


#define ngx_http_ilert_store_heard_size(heard)                                \
    ((heard)->place.len + (heard)->id.len + (heard)->task.len)


static u_char *ngx_http_ilert_store_copy_heard(u_char *p,
    ngx_http_ilert_store_heard_t *to, ngx_http_ilert_store_heard_t *from);
static u_char *ngx_http_ilert_store_copy_text(u_char *p, ngx_str_t *to,
    ngx_str_t *from);


ngx_http_ilert_store_event_t *
ngx_http_ilert_store_event(size_t source, size_t key, size_t body,
    size_t summary, ngx_http_ilert_store_heard_t *heard)
{
    u_char                        *p;
    size_t                         size;
    ngx_http_ilert_store_event_t  *ev;

    size = sizeof(ngx_http_ilert_store_event_t) + source + key + body
           + summary;

    if (heard) {
        size += ngx_http_ilert_store_heard_size(heard);
    }

    ev = ngx_alloc(size, ngx_cycle->log);
    if (ev == NULL) {
        return NULL;
    }

    ngx_memzero(ev, sizeof(ngx_http_ilert_store_event_t));

    p = (u_char *) ev + sizeof(ngx_http_ilert_store_event_t);

    ev->source.data = p;
    ev->source.len = source;

    p += source;

    ev->key.data = p;
    ev->key.len = key;

    p += key;

    ev->body.data = p;
    ev->body.len = body;

    p += body;

    ev->summary.data = p;
    ev->summary.len = summary;

    p += summary;

    if (heard) {
        (void) ngx_http_ilert_store_copy_heard(p, &ev->heard, heard);
    }

    return ev;
}


ngx_http_ilert_store_note_t *
ngx_http_ilert_store_note(ngx_http_ilert_store_heard_t *heard,
    ngx_str_t *source, ngx_str_t *key)
{
    u_char                       *p;
    ngx_http_ilert_store_note_t  *note;

    note = ngx_alloc(sizeof(ngx_http_ilert_store_note_t)
                     + ngx_http_ilert_store_heard_size(heard)
                     + source->len + key->len,
                     ngx_cycle->log);
    if (note == NULL) {
        return NULL;
    }

    p = (u_char *) note + sizeof(ngx_http_ilert_store_note_t);

    ngx_memzero(note, sizeof(ngx_http_ilert_store_note_t));

    note->source.len = source->len;
    note->key.len = key->len;

    p = ngx_http_ilert_store_copy_heard(p, &note->heard, heard);
    p = ngx_http_ilert_store_copy_text(p, &note->source, source);
    (void) ngx_http_ilert_store_copy_text(p, &note->key, key);

    return note;
}


/* Copies it; its strings are written to p.  Returns the end of these. */

static u_char *
ngx_http_ilert_store_copy_heard(u_char *p, ngx_http_ilert_store_heard_t *to,
    ngx_http_ilert_store_heard_t *from)
{
    *to = *from;

    p = ngx_http_ilert_store_copy_text(p, &to->place, &from->place);
    p = ngx_http_ilert_store_copy_text(p, &to->id, &from->id);

    return ngx_http_ilert_store_copy_text(p, &to->task, &from->task);
}


/* An empty text may have a NULL pointer.  Returns the end of the copy. */

static u_char *
ngx_http_ilert_store_copy_text(u_char *p, ngx_str_t *to, ngx_str_t *from)
{
    to->data = p;

    return to->len ? ngx_cpymem(p, from->data, from->len) : p;
}
