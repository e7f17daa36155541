
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor_dump.h"
#include "ngx_http_ilert_kapacitor_time.h"
#include "ngx_http_ilert_topics.h"


/* all names of the members, and what else has a length of its own */

#define NGX_HTTP_ILERT_TOPICS_BODY  512


static size_t ngx_http_ilert_topics_body_size(
    ngx_http_ilert_topics_element_t *el);
static void ngx_http_ilert_topics_data(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_topics_element_t *el,
    ngx_http_ilert_kapacitor_dump_t *dump);
static void ngx_http_ilert_topics_fields(ngx_http_ilert_json_writer_t *w,
    ngx_str_t *fields, ngx_uint_t names);
static ngx_uint_t ngx_http_ilert_topics_is_object(ngx_str_t *text);


ngx_int_t
ngx_http_ilert_topics_webhook(ngx_http_ilert_topics_element_t *el,
    ngx_http_ilert_level_e previous, ngx_uint_t none, ngx_str_t *body,
    ngx_pool_t *pool)
{
    u_char                            buf[NGX_INT64_LEN];
    size_t                            size;
    int64_t                           ns;
    ngx_int_t                         rc;
    ngx_http_ilert_json_writer_t      w;
    ngx_http_ilert_kapacitor_dump_t   dump;

    rc = ngx_http_ilert_kapacitor_read_dump(&el->details, &dump, pool);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    size = ngx_http_ilert_topics_body_size(el);

    if (rc == NGX_OK) {
        size += dump.name.len + dump.tags.len + 2 * dump.fields.len;
    }

    body->data = ngx_pnalloc(pool, size);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    w.pos = body->data;
    w.last = body->data + size;
    w.full = 0;

    ngx_http_ilert_json_literal(&w, "{\"id\":");
    ngx_http_ilert_json_string(&w, &el->id);
    ngx_http_ilert_json_literal(&w, ",\"message\":");
    ngx_http_ilert_json_string(&w, &el->message);
    ngx_http_ilert_json_literal(&w, ",\"details\":");
    ngx_http_ilert_json_string(&w, &el->details);
    ngx_http_ilert_json_literal(&w, ",\"time\":");
    ngx_http_ilert_json_string(&w, &el->time);

    if (ngx_http_ilert_kapacitor_parse_duration(&el->duration, &ns)
        == NGX_OK)
    {
        ngx_http_ilert_json_literal(&w, ",\"duration\":");
        ngx_http_ilert_json_raw(&w, buf, ngx_sprintf(buf, "%L", ns) - buf);
    }

    ngx_http_ilert_json_literal(&w, ",\"level\":");
    ngx_http_ilert_json_string(&w, &ngx_http_ilert_level_names[el->level]);

    if (rc == NGX_OK) {
        ngx_http_ilert_topics_data(&w, el, &dump);
    }

    if (!none) {
        ngx_http_ilert_json_literal(&w, ",\"previousLevel\":");
        ngx_http_ilert_json_string(&w, &ngx_http_ilert_level_names[previous]);
    }

    ngx_http_ilert_json_literal(&w, "}");

    body->len = w.pos - body->data;

    return NGX_OK;
}


/* Returns how long the body is at most, without what the dump adds to it. */

static size_t
ngx_http_ilert_topics_body_size(ngx_http_ilert_topics_element_t *el)
{
    size_t       size;
    ngx_str_t   *text[4];
    ngx_uint_t   i;

    text[0] = &el->id;
    text[1] = &el->message;
    text[2] = &el->details;
    text[3] = &el->time;

    size = NGX_HTTP_ILERT_TOPICS_BODY;

    for (i = 0; i < 4; i++) {
        size += text[i]->len
                + ngx_escape_json(NULL, text[i]->data, text[i]->len);
    }

    /* The time is written twice: it is that of the row, too. */

    return size + el->time.len
           + ngx_escape_json(NULL, el->time.data, el->time.len);
}


/* A dump has the fields of one point, which is the row that set it off. */

static void
ngx_http_ilert_topics_data(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_topics_element_t *el, ngx_http_ilert_kapacitor_dump_t *dump)
{
    ngx_http_ilert_json_literal(w, ",\"data\":{\"series\":[{\"name\":");
    ngx_http_ilert_json_raw(w, dump->name.data, dump->name.len);

    if (ngx_http_ilert_topics_is_object(&dump->tags)) {
        ngx_http_ilert_json_literal(w, ",\"tags\":");
        ngx_http_ilert_json_raw(w, dump->tags.data, dump->tags.len);
    }

    if (ngx_http_ilert_topics_is_object(&dump->fields)) {
        ngx_http_ilert_json_literal(w, ",\"columns\":[\"time\"");
        ngx_http_ilert_topics_fields(w, &dump->fields, 1);
        ngx_http_ilert_json_literal(w, "],\"values\":[[");
        ngx_http_ilert_json_string(w, &el->time);
        ngx_http_ilert_topics_fields(w, &dump->fields, 0);
        ngx_http_ilert_json_literal(w, "]]");
    }

    ngx_http_ilert_json_literal(w, "}]}");
}


/* Writes the names or the values of an object that has been checked. */

static void
ngx_http_ilert_topics_fields(ngx_http_ilert_json_writer_t *w,
    ngx_str_t *fields, ngx_uint_t names)
{
    ngx_int_t                      rc;
    ngx_str_t                      name, value;
    ngx_http_ilert_json_reader_t   reader;

    ngx_http_ilert_json_init(&reader, fields, NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    rc = ngx_http_ilert_json_enter(&reader, '{');

    while (rc == NGX_OK) {

        if (ngx_http_ilert_json_name(&reader, &name) != NGX_OK) {
            return;
        }

        (void) ngx_http_ilert_json_peek(&reader);

        value.data = reader.pos;

        if (ngx_http_ilert_json_skip(&reader) != NGX_OK) {
            return;
        }

        value.len = reader.pos - value.data;

        ngx_http_ilert_json_literal(w, ",");

        if (names) {
            ngx_http_ilert_json_raw(w, name.data, name.len);

        } else {
            ngx_http_ilert_json_raw(w, value.data, value.len);
        }

        rc = ngx_http_ilert_json_next(&reader, '}');
    }
}


static ngx_uint_t
ngx_http_ilert_topics_is_object(ngx_str_t *text)
{
    ngx_http_ilert_json_reader_t  reader;

    ngx_http_ilert_json_init(&reader, text, NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    return ngx_http_ilert_json_peek(&reader) == '{'
           && ngx_http_ilert_json_skip(&reader) == NGX_OK
           && ngx_http_ilert_json_end(&reader) == NGX_OK;
}
