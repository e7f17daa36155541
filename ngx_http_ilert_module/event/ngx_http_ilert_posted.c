
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_posted.h"
#include "ngx_http_ilert_text.h"


/* bytes of an event that do not depend on its members */

#define NGX_HTTP_ILERT_POSTED_SIZE    128

/* values that an event may have, as a webhook */

#define NGX_HTTP_ILERT_POSTED_VALUES  NGX_HTTP_ILERT_KAPACITOR_MAX_VALUES


static ngx_int_t ngx_http_ilert_posted_text(ngx_http_ilert_posted_t *posted,
    ngx_str_t *body, ngx_str_t *error, ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_posted_read(ngx_http_ilert_posted_t *posted,
    ngx_str_t *text, ngx_http_ilert_json_reader_t *r, ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_posted_member(ngx_http_ilert_posted_t *posted,
    ngx_str_t *token, ngx_str_t *value, ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_posted_unread(ngx_str_t *text, ngx_str_t *body,
    ngx_str_t *error, ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_posted_decode(ngx_http_ilert_posted_t *posted,
    ngx_uint_t i, ngx_uint_t old, ngx_str_t *value, ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_posted_needs(ngx_http_ilert_posted_t *posted,
    ngx_str_t *error, ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_posted_is_none(ngx_http_ilert_posted_t *posted,
    ngx_str_t *error, ngx_pool_t *pool);
static void ngx_http_ilert_posted_write(ngx_http_ilert_posted_t *posted,
    ngx_http_ilert_event_t *ev, ngx_http_ilert_json_writer_t *w);
static void ngx_http_ilert_posted_write_summary(
    ngx_http_ilert_posted_t *posted, ngx_http_ilert_event_t *ev,
    ngx_http_ilert_json_writer_t *w);
static u_char *ngx_http_ilert_posted_hide_value(u_char *p, u_char *last);
static u_char *ngx_http_ilert_posted_hide_word(u_char *p, u_char *last);
static u_char *ngx_http_ilert_posted_hide_space(u_char *p, u_char *last);


/* what the summary of an event without one says of its alert */

static ngx_str_t  ngx_http_ilert_posted_summaries[] = {
    ngx_null_string,
    ngx_null_string,
    ngx_string(" is resolved"),
    ngx_string(" is accepted"),
    ngx_string(" has a comment")
};


ngx_int_t
ngx_http_ilert_posted_parse(ngx_http_ilert_posted_t *posted, ngx_str_t *body,
    ngx_str_t *error, ngx_pool_t *pool)
{
    ngx_int_t   rc;
    ngx_str_t  *severity;

    ngx_memzero(posted, sizeof(ngx_http_ilert_posted_t));

    rc = ngx_http_ilert_posted_text(posted, body, error, pool);

    if (rc == NGX_OK) {
        rc = ngx_http_ilert_posted_check(posted, error, pool);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    severity = &posted->values[NGX_HTTP_ILERT_POSTED_SEVERITY];

    if (severity->len) {
        posted->severity = *severity->data - '0';
    }

    if (ngx_http_ilert_posted_decode(posted, NGX_HTTP_ILERT_POSTED_KEY,
                                     NGX_HTTP_ILERT_POSTED_OLD_KEY,
                                     &posted->key, pool)
        != NGX_OK
        || ngx_http_ilert_posted_decode(posted,
                                        NGX_HTTP_ILERT_POSTED_ALERT_KEY,
                                        NGX_HTTP_ILERT_POSTED_OLD_ALERT_KEY,
                                        &posted->alert_key, pool)
           != NGX_OK
        || ngx_http_ilert_posted_decode(posted, NGX_HTTP_ILERT_POSTED_SUMMARY,
                                        NGX_HTTP_ILERT_POSTED_SUMMARY,
                                        &posted->summary, pool)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ilert_text_trim(&posted->alert_key);

    return ngx_http_ilert_posted_needs(posted, error, pool);
}


/*
 * Reads the body, and once more if there is something to be mended.  Returns
 * as _parse() does.
 */

static ngx_int_t
ngx_http_ilert_posted_text(ngx_http_ilert_posted_t *posted, ngx_str_t *body,
    ngx_str_t *error, ngx_pool_t *pool)
{
    ngx_int_t                     rc;
    ngx_str_t                     text, mended;
    ngx_http_ilert_json_reader_t  r;

    text = *body;

    rc = ngx_http_ilert_posted_read(posted, &text, &r, pool);

    if (rc == NGX_DECLINED && r.nvalues <= r.max_values) {

        rc = ngx_http_ilert_json_repair(body, &text, pool);

        if (rc == NGX_OK) {
            posted->odd = "a byte order mark, or control characters";
            rc = ngx_http_ilert_posted_read(posted, &text, &r, pool);
        }
    }

    if (rc == NGX_OK && r.unclean) {

        if (ngx_http_ilert_json_mend(&text, &mended, pool) != NGX_OK) {
            return NGX_ERROR;
        }

        /* it may have been an escape of U+FFFD */

        if (!ngx_http_ilert_text_same(&mended, &text)) {
            posted->odd = "bytes that are no UTF-8, or half a surrogate pair";
        }

        rc = ngx_http_ilert_posted_read(posted, &mended, &r, pool);
    }

    if (rc == NGX_DECLINED && r.nvalues > r.max_values) {
        return ngx_http_ilert_text_error(error, pool,
                                           "body: more than %d values",
                                           NGX_HTTP_ILERT_POSTED_VALUES);
    }

    return (rc == NGX_DECLINED)
           ? ngx_http_ilert_posted_unread(&text, body, error, pool) : rc;
}


/*
 * Reads a text.  Returns NGX_OK, NGX_ERROR if there is no memory, or
 * NGX_DECLINED if the text is no object, or has too many values.
 */

static ngx_int_t
ngx_http_ilert_posted_read(ngx_http_ilert_posted_t *posted, ngx_str_t *text,
    ngx_http_ilert_json_reader_t *r, ngx_pool_t *pool)
{
    ngx_int_t  rc;
    ngx_str_t  name, value;

    posted->text = *text;

    ngx_memzero(posted->values, sizeof(posted->values));

    if (ngx_array_init(&posted->others, pool, 4,
                       sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ilert_json_init(r, text, NGX_HTTP_ILERT_POSTED_VALUES);

    rc = ngx_http_ilert_json_enter(r, '{');

    while (rc == NGX_OK) {

        if (ngx_http_ilert_json_name(r, &name) != NGX_OK) {
            return NGX_DECLINED;
        }

        (void) ngx_http_ilert_json_peek(r);

        value.data = r->pos;

        if (ngx_http_ilert_json_skip(r) != NGX_OK) {
            return NGX_DECLINED;
        }

        value.len = r->pos - value.data;

        if (ngx_http_ilert_posted_member(posted, &name, &value, pool)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_http_ilert_json_next(r, '}');
    }

    return (rc == NGX_DONE) ? ngx_http_ilert_json_end(r) : NGX_DECLINED;
}


/* Of one name the last value counts.  null is as if it was not there. */

static ngx_int_t
ngx_http_ilert_posted_member(ngx_http_ilert_posted_t *posted, ngx_str_t *token,
    ngx_str_t *value, ngx_pool_t *pool)
{
    ngx_str_t    name, *other;
    ngx_uint_t   i;

    if (ngx_http_ilert_json_decode(token, &name, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_ILERT_POSTED_N; i++) {

        if (!ngx_http_ilert_text_same(&ngx_http_ilert_posted_names[i],
                                      &name))
        {
            continue;
        }

        posted->values[i] = *value;

        if (*value->data == 'n') {
            ngx_str_null(&posted->values[i]);
        }

        return NGX_OK;
    }

    other = ngx_array_push(&posted->others);
    if (other == NULL) {
        return NGX_ERROR;
    }

    other->data = token->data;
    other->len = value->data + value->len - token->data;

    return NGX_OK;
}


/* Says what is wrong with a text that could not be read. */

static ngx_int_t
ngx_http_ilert_posted_unread(ngx_str_t *text, ngx_str_t *body,
    ngx_str_t *error, ngx_pool_t *pool)
{
    size_t                         at;
    ngx_http_ilert_json_reader_t   r;

    ngx_http_ilert_json_init(&r, text, NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    if (ngx_http_ilert_json_skip(&r) == NGX_OK
        && ngx_http_ilert_json_end(&r) == NGX_OK)
    {
        return ngx_http_ilert_text_error(error, pool,
                                           "body: expected an object");
    }

    at = r.pos - text->data;

    if (text->data != body->data) {
        at = ngx_http_ilert_json_repaired_at(body, at);
    }

    return ngx_http_ilert_text_error(error, pool,
                                       "not JSON: %s at byte %uz", r.error,
                                       at);
}


/*
 * Decodes member i, or the one that has its old name, if that is not there, or
 * blank.  What is blank stays so if there is no other.
 */

static ngx_int_t
ngx_http_ilert_posted_decode(ngx_http_ilert_posted_t *posted, ngx_uint_t i,
    ngx_uint_t old, ngx_str_t *value, ngx_pool_t *pool)
{
    ngx_str_t  *token;

    token = &posted->values[i];

    if (token->len
        && ngx_http_ilert_json_decode(token, value, pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    token = &posted->values[old];

    if (old == i || token->len == 0 || !ngx_http_ilert_text_blank(value)) {
        return NGX_OK;
    }

    return ngx_http_ilert_json_decode(token, value, pool);
}


/* Checks that what an event of the type needs is there. */

static ngx_int_t
ngx_http_ilert_posted_needs(ngx_http_ilert_posted_t *posted, ngx_str_t *error,
    ngx_pool_t *pool)
{
    if (posted->type == NGX_HTTP_ILERT_NO_TYPE) {
        return ngx_http_ilert_posted_is_none(posted, error, pool);
    }

    if (posted->type == NGX_HTTP_ILERT_ALERT
        && ngx_http_ilert_text_blank(&posted->summary))
    {
        return ngx_http_ilert_text_error(error, pool,
                                    "summary: missing or blank, an event of "
                                    "type ALERT needs one");
    }

    if (posted->type != NGX_HTTP_ILERT_ALERT && posted->alert_key.len == 0) {
        return ngx_http_ilert_text_error(error, pool,
                                    "alertKey: missing or blank, an event of "
                                    "type %V needs that of its alert",
                                    &ngx_http_ilert_types[posted->type]);
    }

    return NGX_OK;
}


/*
 * Says that the type is missing, and what the body is, if that is known:
 * people give our URL to all kinds of monitors.
 */

static ngx_int_t
ngx_http_ilert_posted_is_none(ngx_http_ilert_posted_t *posted,
    ngx_str_t *error, ngx_pool_t *pool)
{
    size_t                         len;
    const char                    *kind;
    ngx_http_ilert_json_member_t   webhook[] = {
        { ngx_string("level"), ngx_null_string },
        { ngx_string("previousLevel"), ngx_null_string }
    };

    static char  expected[] = "eventType: missing, expected \"ALERT\", "
                              "\"ACCEPT\", \"RESOLVE\" or \"COMMENT\"";

    (void) ngx_http_ilert_json_pick(&posted->text, webhook, 2);

    if (webhook[0].value.len && webhook[1].value.len) {
        return ngx_http_ilert_text_error(error, pool,
                                         "%s; this is a webhook of Kapacitor, "
                                         "post it to \"ilert_kapacitor\"",
                                         expected);
    }

    kind = ngx_http_ilert_kapacitor_kind(&posted->text);

    if (kind == NULL) {
        return ngx_http_ilert_text_error(error, pool, "%s", expected);
    }

    /* behind the comma is what Kapacitor would have to use */

    len = ngx_strchr(kind, ',') ? (size_t) (ngx_strchr(kind, ',') - kind)
                                : ngx_strlen(kind);

    return ngx_http_ilert_text_error(error, pool, "%s; this is %*s", expected,
                                     len, kind);
}


ngx_int_t
ngx_http_ilert_posted_says(ngx_http_ilert_posted_t *posted,
    ngx_http_ilert_event_t *ev, ngx_pool_t *pool)
{
    u_char  *p;

    ev->type = posted->type;
    ev->priority = posted->priority;
    ev->severity = posted->severity;
    ev->summary = posted->summary;
    ev->alert_key = posted->alert_key;

    if (posted->type == NGX_HTTP_ILERT_RESOLVE) {
        ev->level = NGX_HTTP_ILERT_OK;

    } else if (posted->severity > 3) {
        ev->level = NGX_HTTP_ILERT_INFO;

    } else if (posted->severity == 3
               || (posted->severity == 0
                   && posted->priority == NGX_HTTP_ILERT_LOW))
    {
        ev->level = NGX_HTTP_ILERT_WARNING;

    } else {
        ev->level = NGX_HTTP_ILERT_CRITICAL;
    }

    if (ev->alert_key.len == 0) {

        p = ngx_pnalloc(pool, sizeof(NGX_HTTP_ILERT_EVENT_SINGLE) - 1
                              + ev->id.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ev->alert_key.data = p;

        p = ngx_cpymem(p, NGX_HTTP_ILERT_EVENT_SINGLE,
                       sizeof(NGX_HTTP_ILERT_EVENT_SINGLE) - 1);
        p = ngx_cpymem(p, ev->id.data, ev->id.len);

        ev->alert_key.len = p - ev->alert_key.data;
    }

    ev->ilert_type = ev->type;
    ev->ilert_key = ev->alert_key;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_posted_body(ngx_http_ilert_posted_t *posted,
    ngx_http_ilert_event_t *ev, size_t max_size, ngx_str_t *error,
    ngx_pool_t *pool)
{
    size_t                         size, key;
    ngx_str_t                     *other;
    ngx_uint_t                     i;
    ngx_http_ilert_json_writer_t   w;

    key = ev->alert_key.len
          + ngx_escape_json(NULL, ev->alert_key.data, ev->alert_key.len);

    if (key > max_size / 2) {
        return ngx_http_ilert_text_error(error, pool,
                                    "alertKey: %uz bytes, %uz are allowed, "
                                    "half of \"ilert_event_max_size\"", key,
                                    max_size / 2);
    }

    /* the summary may be made of the key */

    size = NGX_HTTP_ILERT_POSTED_SIZE + 2 * key;

    for (i = 0; i < NGX_HTTP_ILERT_POSTED_N; i++) {
        size += ngx_http_ilert_posted_names[i].len + posted->values[i].len + 4;
    }

    other = posted->others.elts;

    for (i = 0; i < posted->others.nelts; i++) {
        size += other[i].len + 1;
    }

    w.pos = ngx_pnalloc(pool, size);
    if (w.pos == NULL) {
        return NGX_ERROR;
    }

    w.last = w.pos + size;
    w.full = 0;

    ev->body.data = w.pos;

    ngx_http_ilert_posted_write(posted, ev, &w);

    ev->body.len = w.pos - ev->body.data;

    if (ev->body.len > max_size) {
        return ngx_http_ilert_text_error(error, pool,
                                    "body: an event of %uz bytes, %uz are "
                                    "allowed by \"ilert_event_max_size\"",
                                    ev->body.len, max_size);
    }

    return NGX_OK;
}


static void
ngx_http_ilert_posted_write(ngx_http_ilert_posted_t *posted,
    ngx_http_ilert_event_t *ev, ngx_http_ilert_json_writer_t *w)
{
    ngx_str_t   *value, *other;
    ngx_uint_t   i;

    ngx_http_ilert_json_literal(w, "{\"eventType\":");
    ngx_http_ilert_json_string(w, &ngx_http_ilert_types[posted->type]);

    ngx_http_ilert_posted_write_summary(posted, ev, w);

    ngx_http_ilert_json_literal(w, ",\"alertKey\":");
    ngx_http_ilert_json_string(w, &ev->alert_key);

    for (i = NGX_HTTP_ILERT_POSTED_PRIORITY; i < NGX_HTTP_ILERT_POSTED_N; i++)
    {
        value = &posted->values[i];

        if (value->len) {
            ngx_http_ilert_json_literal(w, ",");
            ngx_http_ilert_json_string(w, &ngx_http_ilert_posted_names[i]);
            ngx_http_ilert_json_literal(w, ":");
            ngx_http_ilert_json_raw(w, value->data, value->len);
        }
    }

    other = posted->others.elts;

    for (i = 0; i < posted->others.nelts; i++) {
        ngx_http_ilert_json_literal(w, ",");
        ngx_http_ilert_json_raw(w, other[i].data, other[i].len);
    }

    ngx_http_ilert_json_literal(w, "}");
}


/*
 * By its schema ilert needs the summary of all events, although it has
 * examples without one.
 */

static void
ngx_http_ilert_posted_write_summary(ngx_http_ilert_posted_t *posted,
    ngx_http_ilert_event_t *ev, ngx_http_ilert_json_writer_t *w)
{
    ngx_str_t  *end, *value;

    ngx_http_ilert_json_literal(w, ",\"summary\":");

    if (!ngx_http_ilert_text_blank(&posted->summary)) {
        value = &posted->values[NGX_HTTP_ILERT_POSTED_SUMMARY];
        ngx_http_ilert_json_raw(w, value->data, value->len);
        return;
    }

    ngx_http_ilert_json_string(w, &ev->alert_key);

    /* the end of the text takes the place of the closing quote */

    end = &ngx_http_ilert_posted_summaries[posted->type];

    w->pos--;
    ngx_http_ilert_json_raw(w, end->data, end->len);
    ngx_http_ilert_json_literal(w, "\"");
}


/*
 * Finds the names wherever they are, in any case, since what could not be read
 * has no members: it may be a form, or JSON that was encoded twice.  What is
 * JSON stays so.
 */

void
ngx_http_ilert_posted_hide(ngx_str_t *text)
{
    u_char      *p, *last;
    ngx_str_t   *name;
    ngx_uint_t   i;

    last = text->data + text->len;

    for (i = 0; i <= NGX_HTTP_ILERT_POSTED_OLD_KEY; i++) {

        name = &ngx_http_ilert_posted_names[i];
        p = text->data;

        while ((size_t) (last - p) >= name->len) {

            p = ngx_strlcasestrn(p, last, name->data, name->len - 1);

            if (p == NULL) {
                break;
            }

            if (p > text->data && p[-1] == '"'
                && (size_t) (last - p) > name->len && p[name->len] == '"')
            {
                p = ngx_http_ilert_posted_hide_value(p + name->len + 1, last);

            } else {
                p = ngx_http_ilert_posted_hide_word(p + name->len, last);
            }
        }
    }
}


/*
 * Overwrites the string that follows a name, up to its quote, or the end of
 * the text.  Returns the place from which to go on.
 */

static u_char *
ngx_http_ilert_posted_hide_value(u_char *p, u_char *last)
{
    u_char  *start;

    p = ngx_http_ilert_posted_hide_space(p, last);

    if (p == last || *p != ':') {
        return p;
    }

    start = p;

    while (p < last && *p != '"' && *p != ',' && *p != '}') {
        p++;
    }

    if (p == last || *p != '"') {
        return ngx_http_ilert_posted_hide_word(start, last);
    }

    for (p++; p < last && *p != '"'; p++) {

        if (*p == '\\' && p + 1 < last) {
            *p++ = '*';
        }

        *p = '*';
    }

    return p;
}


/*
 * Overwrites the word that a name is set to, which is in quotes of any kind,
 * escaped or not, or behind "=".  Other words may be numbers, or null.
 */

static u_char *
ngx_http_ilert_posted_hide_word(u_char *p, u_char *last)
{
    u_char      *quote;
    ngx_uint_t   word;

    while (p < last && (*p == '\\' || *p == '"' || *p == '\'')) {
        p++;
    }

    p = ngx_http_ilert_posted_hide_space(p, last);

    if (p == last || (*p != ':' && *p != '=')) {
        return p;
    }

    word = (*p++ == '=');

    if (word && p < last && *p == '>') {
        p++;
    }

    p = ngx_http_ilert_posted_hide_space(p, last);

    for (quote = p; quote < last && *quote == '\\'; quote++) {
        /* void */
    }

    if (quote < last && (*quote == '"' || *quote == '\'')) {
        p = quote + 1;
        word = 1;
    }

    while (word && p < last
           && ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z')
               || (*p >= 'A' && *p <= 'Z') || *p == '-' || *p == '_'))
    {
        *p++ = '*';
    }

    return p;
}


static u_char *
ngx_http_ilert_posted_hide_space(u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
    }

    return p;
}
