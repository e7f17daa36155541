
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor_time.h"
#include "ngx_http_ilert_text.h"
#include "ngx_http_ilert_topics.h"


/*
 * Only the outermost object and its list are followed byte by byte.  A name,
 * an element of the list, and the value of any other member are gathered until
 * they are complete, and then read as a text of their own.
 */

#define NGX_HTTP_ILERT_TOPICS_BUFFER  8192      /* at first; it is doubled */
#define NGX_HTTP_ILERT_TOPICS_POOL    4096


/* The states say what may come next. */

typedef enum {
    ngx_http_ilert_topics_start = 0,
    ngx_http_ilert_topics_name_or_end,          /* after "{" */
    ngx_http_ilert_topics_name,
    ngx_http_ilert_topics_colon,
    ngx_http_ilert_topics_value,
    ngx_http_ilert_topics_comma_or_end,
    ngx_http_ilert_topics_element_or_end,       /* after "[" */
    ngx_http_ilert_topics_element,
    ngx_http_ilert_topics_comma_or_end_of_list,
    ngx_http_ilert_topics_nothing
} ngx_http_ilert_topics_state_e;


/* the members of the outermost object */

typedef enum {
    NGX_HTTP_ILERT_TOPICS_OTHER = 0,
    NGX_HTTP_ILERT_TOPICS_LIST,
    NGX_HTTP_ILERT_TOPICS_TOPIC
} ngx_http_ilert_topics_member_e;


struct ngx_http_ilert_topics_reader_s {
    ngx_http_ilert_topics_state_e   state;
    ngx_http_ilert_topics_member_e  member;     /* whose value comes */

    /* what is gathered, and where in it the end of the bytes so far is */
    u_char                         *buf;
    size_t                          len;
    size_t                          size;
    ngx_uint_t                      depth;      /* of brackets */

    ngx_pool_t                     *pool;       /* for an element's strings */

    unsigned                        events:1;
    unsigned                        gather:1;
    unsigned                        string:1;   /* within a string */
    unsigned                        escape:1;   /* behind a backslash */
    unsigned                        listed:1;   /* the list has been read */
    unsigned                        named:1;    /* and so has the topic */
    unsigned                        failed:1;
};


static ngx_int_t ngx_http_ilert_topics_mark(ngx_http_ilert_topics_t *topics,
    u_char ch);
static ngx_int_t ngx_http_ilert_topics_begin_value(
    ngx_http_ilert_topics_t *topics, u_char ch);
static ngx_int_t ngx_http_ilert_topics_close_object(
    ngx_http_ilert_topics_t *topics);
static ngx_uint_t ngx_http_ilert_topics_gather(
    ngx_http_ilert_topics_reader_t *rd, u_char **pos, u_char *last);
static ngx_int_t ngx_http_ilert_topics_keep(ngx_http_ilert_topics_t *topics,
    u_char *data, size_t len);
static ngx_int_t ngx_http_ilert_topics_gathered(
    ngx_http_ilert_topics_t *topics);
static ngx_int_t ngx_http_ilert_topics_member(ngx_http_ilert_topics_t *topics,
    ngx_str_t *token);
static ngx_int_t ngx_http_ilert_topics_other(ngx_http_ilert_topics_t *topics,
    ngx_str_t *token);
static ngx_int_t ngx_http_ilert_topics_read_topic(
    ngx_http_ilert_topics_t *topics, ngx_str_t *text);
static ngx_int_t ngx_http_ilert_topics_read_event(
    ngx_http_ilert_topics_t *topics, ngx_str_t *text);
static ngx_int_t ngx_http_ilert_topics_read_state(
    ngx_http_ilert_topics_t *topics, ngx_str_t *text,
    ngx_http_ilert_topics_element_t *el);
static ngx_int_t ngx_http_ilert_topics_level(ngx_str_t *name,
    ngx_http_ilert_level_e *level);
static ngx_int_t ngx_http_ilert_topics_error(ngx_http_ilert_topics_t *topics,
    const char *error);


ngx_int_t
ngx_http_ilert_topics_init(ngx_http_ilert_topics_t *topics, ngx_uint_t events,
    ngx_http_ilert_topics_handler_pt handler, void *data, ngx_pool_t *pool)
{
    ngx_http_ilert_topics_reader_t  *rd;

    ngx_memzero(topics, sizeof(ngx_http_ilert_topics_t));

    rd = ngx_pcalloc(pool, sizeof(ngx_http_ilert_topics_reader_t));
    if (rd == NULL) {
        return NGX_ERROR;
    }

    rd->pool = ngx_create_pool(NGX_HTTP_ILERT_TOPICS_POOL, pool->log);
    if (rd->pool == NULL) {
        return NGX_ERROR;
    }

    rd->events = (events != 0);

    topics->handler = handler;
    topics->data = data;
    topics->reader = rd;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_topics_read(ngx_http_ilert_topics_t *topics, u_char *data,
    size_t len)
{
    u_char                          *p, *last, *start;
    ngx_int_t                        rc;
    ngx_uint_t                       complete;
    ngx_http_ilert_topics_reader_t  *rd;

    rd = topics->reader;

    if (rd->failed) {
        return NGX_ERROR;
    }

    p = data;
    last = data + len;
    rc = NGX_OK;

    while (p < last && rc == NGX_OK) {

        if (rd->gather) {
            start = p;
            complete = ngx_http_ilert_topics_gather(rd, &p, last);

            rc = ngx_http_ilert_topics_keep(topics, start, p - start);

            if (rc == NGX_OK && complete) {
                rc = ngx_http_ilert_topics_gathered(topics);
            }

        } else if (*p == ' ' || *p == '\t' || *p == CR || *p == LF) {
            p++;

        } else {
            rc = ngx_http_ilert_topics_mark(topics, *p);

            if (rc == NGX_OK && !rd->gather) {
                p++;
            }
        }
    }

    if (rc != NGX_OK) {
        rd->failed = 1;
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_topics_end(ngx_http_ilert_topics_t *topics)
{
    ngx_http_ilert_topics_reader_t  *rd;

    rd = topics->reader;

    if (rd->failed) {
        return NGX_ERROR;
    }

    if (rd->state != ngx_http_ilert_topics_nothing) {
        rd->failed = 1;
        return ngx_http_ilert_topics_error(topics, "incomplete");
    }

    return NGX_OK;
}


void
ngx_http_ilert_topics_close(ngx_http_ilert_topics_t *topics)
{
    ngx_http_ilert_topics_reader_t  *rd;

    rd = topics->reader;

    if (rd == NULL) {
        return;
    }

    if (rd->buf) {
        ngx_free(rd->buf);
    }

    ngx_destroy_pool(rd->pool);

    topics->reader = NULL;
}


/*
 * Takes a byte that is no white space, or begins to gather what it begins.
 * Returns NGX_OK, or NGX_ERROR with the error set.
 */

static ngx_int_t
ngx_http_ilert_topics_mark(ngx_http_ilert_topics_t *topics, u_char ch)
{
    ngx_http_ilert_topics_reader_t  *rd;

    rd = topics->reader;

    switch (rd->state) {

    case ngx_http_ilert_topics_start:
        rd->state = ngx_http_ilert_topics_name_or_end;

        return (ch == '{') ? NGX_OK
                           : ngx_http_ilert_topics_error(topics,
                                                         "not an object");

    case ngx_http_ilert_topics_name_or_end:
        if (ch == '}') {
            return ngx_http_ilert_topics_close_object(topics);
        }

        /* fall through */

    case ngx_http_ilert_topics_name:
        rd->gather = (ch == '"');
        break;

    case ngx_http_ilert_topics_colon:
        rd->state = ngx_http_ilert_topics_value;

        return (ch == ':') ? NGX_OK
                           : ngx_http_ilert_topics_error(topics, "not JSON");

    case ngx_http_ilert_topics_value:
        return ngx_http_ilert_topics_begin_value(topics, ch);

    case ngx_http_ilert_topics_comma_or_end:
        if (ch == '}') {
            return ngx_http_ilert_topics_close_object(topics);
        }

        rd->state = ngx_http_ilert_topics_name;

        return (ch == ',') ? NGX_OK
                           : ngx_http_ilert_topics_error(topics, "not JSON");

    case ngx_http_ilert_topics_element_or_end:
        if (ch == ']') {
            rd->state = ngx_http_ilert_topics_comma_or_end;
            return NGX_OK;
        }

        /* fall through */

    case ngx_http_ilert_topics_element:
        rd->gather = 1;

        return (ch == '{') ? NGX_OK
                           : ngx_http_ilert_topics_error(topics,
                                                         "an element is not "
                                                         "an object");

    case ngx_http_ilert_topics_comma_or_end_of_list:
        rd->state = (ch == ']') ? ngx_http_ilert_topics_comma_or_end
                                : ngx_http_ilert_topics_element;

        return (ch == ',' || ch == ']')
               ? NGX_OK
               : ngx_http_ilert_topics_error(topics, "not JSON");

    default: /* ngx_http_ilert_topics_nothing */
        break;
    }

    return rd->gather ? NGX_OK
                      : ngx_http_ilert_topics_error(topics, "not JSON");
}


static ngx_int_t
ngx_http_ilert_topics_begin_value(ngx_http_ilert_topics_t *topics, u_char ch)
{
    ngx_http_ilert_topics_reader_t  *rd;

    rd = topics->reader;

    if (rd->member != NGX_HTTP_ILERT_TOPICS_LIST) {
        rd->gather = 1;
        return NGX_OK;
    }

    if (ch != '[' || rd->listed) {
        return ngx_http_ilert_topics_error(topics, rd->events
                                           ? "\"events\" is not one list"
                                           : "\"topics\" is not one list");
    }

    rd->listed = 1;
    rd->state = ngx_http_ilert_topics_element_or_end;

    return NGX_OK;
}


/* A single topic, or a single alert, is an object without a list. */

static ngx_int_t
ngx_http_ilert_topics_close_object(ngx_http_ilert_topics_t *topics)
{
    ngx_http_ilert_topics_reader_t  *rd;

    rd = topics->reader;

    if (!rd->listed) {
        return ngx_http_ilert_topics_error(topics, rd->events
                                           ? "no list \"events\""
                                           : "no list \"topics\"");
    }

    if (topics->topic.data && !rd->named) {
        return ngx_http_ilert_topics_error(topics, "no \"topic\"");
    }

    rd->state = ngx_http_ilert_topics_nothing;

    return NGX_OK;
}


/*
 * Moves "pos" to the end of what is gathered: a string, an object or an array,
 * or all bytes up to one that cannot be of a number or a word.  Returns 1 if
 * the end has been found, else 0.  Brackets need not match here.
 */

static ngx_uint_t
ngx_http_ilert_topics_gather(ngx_http_ilert_topics_reader_t *rd, u_char **pos,
    u_char *last)
{
    u_char  *p, ch;

    for (p = *pos; p < last; p++) {

        ch = *p;

        if (rd->string) {

            if (rd->escape) {
                rd->escape = 0;

            } else if (ch == '\\') {
                rd->escape = 1;

            } else if (ch == '"') {
                rd->string = 0;

                if (rd->depth == 0) {
                    *pos = p + 1;
                    return 1;
                }
            }

            continue;
        }

        if (ch == '"') {
            rd->string = 1;

        } else if (ch == '{' || ch == '[') {
            rd->depth++;

        } else if (rd->depth == 0) {

            if (ch <= ' ' || ch == ',' || ch == ':' || ch == '}' || ch == ']')
            {
                *pos = p;
                return 1;
            }

        } else if ((ch == '}' || ch == ']') && --rd->depth == 0) {
            *pos = p + 1;
            return 1;
        }
    }

    *pos = p;

    return 0;
}


static ngx_int_t
ngx_http_ilert_topics_keep(ngx_http_ilert_topics_t *topics, u_char *data,
    size_t len)
{
    u_char                          *buf;
    size_t                           size;
    ngx_http_ilert_topics_reader_t  *rd;

    rd = topics->reader;

    if (len > NGX_HTTP_ILERT_TOPICS_ELEMENT - rd->len) {
        return ngx_http_ilert_topics_error(topics, "an element is too large");
    }

    if (len > rd->size - rd->len) {

        size = rd->size ? rd->size : NGX_HTTP_ILERT_TOPICS_BUFFER;

        while (len > size - rd->len) {
            size *= 2;
        }

        buf = ngx_alloc(size, rd->pool->log);
        if (buf == NULL) {
            return NGX_ERROR;
        }

        if (rd->buf) {
            ngx_memcpy(buf, rd->buf, rd->len);
            ngx_free(rd->buf);
        }

        rd->buf = buf;
        rd->size = size;
    }

    ngx_memcpy(rd->buf + rd->len, data, len);
    rd->len += len;

    return NGX_OK;
}


/* Reads what has been gathered, and goes to the next state. */

static ngx_int_t
ngx_http_ilert_topics_gathered(ngx_http_ilert_topics_t *topics)
{
    ngx_int_t                        rc;
    ngx_str_t                        text;
    ngx_http_ilert_json_reader_t     reader;
    ngx_http_ilert_topics_reader_t  *rd;

    rd = topics->reader;

    text.data = rd->buf;
    text.len = rd->len;

    rd->gather = 0;
    rd->len = 0;

    ngx_http_ilert_json_init(&reader, &text, NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    if (ngx_http_ilert_json_skip(&reader) != NGX_OK
        || ngx_http_ilert_json_end(&reader) != NGX_OK)
    {
        return ngx_http_ilert_topics_error(topics, "not JSON");
    }

    switch (rd->state) {

    case ngx_http_ilert_topics_name_or_end:
    case ngx_http_ilert_topics_name:
        rd->state = ngx_http_ilert_topics_colon;
        rc = ngx_http_ilert_topics_member(topics, &text);
        break;

    case ngx_http_ilert_topics_value:
        rd->state = ngx_http_ilert_topics_comma_or_end;
        rc = ngx_http_ilert_topics_other(topics, &text);
        break;

    default: /* an element */
        rd->state = ngx_http_ilert_topics_comma_or_end_of_list;
        rc = rd->events ? ngx_http_ilert_topics_read_event(topics, &text)
                        : ngx_http_ilert_topics_read_topic(topics, &text);
    }

    ngx_reset_pool(rd->pool);

    return rc;
}


/* Reads the name of a member of the outermost object. */

static ngx_int_t
ngx_http_ilert_topics_member(ngx_http_ilert_topics_t *topics,
    ngx_str_t *token)
{
    ngx_str_t                        name;
    ngx_http_ilert_topics_reader_t  *rd;

    static ngx_str_t  error = ngx_string("error");
    static ngx_str_t  topic = ngx_string("topic");
    static ngx_str_t  list[] = { ngx_string("topics"), ngx_string("events") };

    rd = topics->reader;

    if (ngx_http_ilert_json_decode(token, &name, rd->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    rd->member = NGX_HTTP_ILERT_TOPICS_OTHER;

    if (ngx_http_ilert_text_same(&name, &error)) {
        return ngx_http_ilert_topics_error(topics, "an error, and no list");
    }

    if (ngx_http_ilert_text_same(&name, &list[rd->events])) {
        rd->member = NGX_HTTP_ILERT_TOPICS_LIST;

    } else if (ngx_http_ilert_text_same(&name, &topic)) {
        rd->member = NGX_HTTP_ILERT_TOPICS_TOPIC;
    }

    return NGX_OK;
}


/*
 * Reads the value of a member that is no list.  The topic is compared with the
 * one that was asked for, since Kapacitor takes some paths for others.
 */

static ngx_int_t
ngx_http_ilert_topics_other(ngx_http_ilert_topics_t *topics, ngx_str_t *token)
{
    ngx_str_t                        name;
    ngx_http_ilert_topics_reader_t  *rd;

    rd = topics->reader;

    if (rd->member != NGX_HTTP_ILERT_TOPICS_TOPIC
        || topics->topic.data == NULL)
    {
        return NGX_OK;
    }

    rd->named = 1;

    if (ngx_http_ilert_json_decode(token, &name, rd->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    if (token->data[0] != '"'
        || !ngx_http_ilert_text_same(&name, &topics->topic))
    {
        return ngx_http_ilert_topics_error(topics, "another topic");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_topics_read_topic(ngx_http_ilert_topics_t *topics,
    ngx_str_t *text)
{
    off_t                             n;
    ngx_http_ilert_topics_reader_t   *rd;
    ngx_http_ilert_topics_element_t   el;

    ngx_http_ilert_json_member_t  member[] = {
        { ngx_string("id"), ngx_null_string },
        { ngx_string("collected"), ngx_null_string }
    };

    rd = topics->reader;

    ngx_memzero(&el, sizeof(ngx_http_ilert_topics_element_t));

    if (ngx_http_ilert_json_pick(text, member, 2) != NGX_OK
        || member[0].value.len <= 2 || member[0].value.data[0] != '"')
    {
        return ngx_http_ilert_topics_error(topics, "a topic has no id");
    }

    n = ngx_atoof(member[1].value.data, member[1].value.len);

    if (n == NGX_ERROR) {
        return ngx_http_ilert_topics_error(topics, "a topic does not say how "
                                           "many events it has collected");
    }

    el.collected = n;

    if (ngx_http_ilert_json_decode(&member[0].value, &el.id, rd->pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return topics->handler(topics, &el);
}


static ngx_int_t
ngx_http_ilert_topics_read_event(ngx_http_ilert_topics_t *topics,
    ngx_str_t *text)
{
    ngx_int_t                         rc;
    ngx_http_ilert_topics_reader_t   *rd;
    ngx_http_ilert_topics_element_t   el;

    ngx_http_ilert_json_member_t  member[] = {
        { ngx_string("id"), ngx_null_string },
        { ngx_string("state"), ngx_null_string }
    };

    rd = topics->reader;

    ngx_memzero(&el, sizeof(ngx_http_ilert_topics_element_t));

    if (ngx_http_ilert_json_pick(text, member, 2) != NGX_OK
        || member[0].value.len == 0 || member[0].value.data[0] != '"')
    {
        return ngx_http_ilert_topics_error(topics, "an alert has no id");
    }

    rc = ngx_http_ilert_topics_read_state(topics, &member[1].value, &el);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_ilert_json_decode(&member[0].value, &el.id, rd->pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return topics->handler(topics, &el);
}


static ngx_int_t
ngx_http_ilert_topics_read_state(ngx_http_ilert_topics_t *topics,
    ngx_str_t *text, ngx_http_ilert_topics_element_t *el)
{
    ngx_str_t                         level, *values[5];
    ngx_uint_t                        i;
    ngx_http_ilert_topics_reader_t   *rd;
    ngx_http_ilert_kapacitor_time_t   time;

    ngx_http_ilert_json_member_t  member[] = {
        { ngx_string("message"), ngx_null_string },
        { ngx_string("details"), ngx_null_string },
        { ngx_string("time"), ngx_null_string },
        { ngx_string("duration"), ngx_null_string },
        { ngx_string("level"), ngx_null_string }
    };

    rd = topics->reader;

    values[0] = &el->message;
    values[1] = &el->details;
    values[2] = &el->time;
    values[3] = &el->duration;
    values[4] = &level;

    if (ngx_http_ilert_json_pick(text, member, 5) != NGX_OK) {
        return ngx_http_ilert_topics_error(topics, "an alert has no state");
    }

    for (i = 0; i < 5; i++) {

        if (member[i].value.len == 0 || member[i].value.data[0] != '"') {
            return ngx_http_ilert_topics_error(topics, "the state of an alert "
                                               "is not complete");
        }

        if (ngx_http_ilert_json_decode(&member[i].value, values[i], rd->pool)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_ilert_topics_level(&level, &el->level) != NGX_OK) {
        return ngx_http_ilert_topics_error(topics, "an alert has a level that "
                                           "is none");
    }

    if (ngx_http_ilert_kapacitor_parse_time(&el->time, &time) != NGX_OK) {
        return ngx_http_ilert_topics_error(topics, "an alert has a time that "
                                           "cannot be read");
    }

    if (ngx_http_ilert_kapacitor_parse_ns(&el->time, &el->ns) != NGX_OK) {
        el->ns = INT64_MIN;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_topics_level(ngx_str_t *name, ngx_http_ilert_level_e *level)
{
    ngx_uint_t  i;

    for (i = NGX_HTTP_ILERT_OK; i <= NGX_HTTP_ILERT_CRITICAL; i++) {
        if (ngx_http_ilert_text_same(name, &ngx_http_ilert_level_names[i])) {
            *level = i;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ilert_topics_error(ngx_http_ilert_topics_t *topics,
    const char *error)
{
    topics->error = error;
    return NGX_ERROR;
}
