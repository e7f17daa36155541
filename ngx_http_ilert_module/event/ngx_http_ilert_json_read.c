
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_json_token.h"


/* The states say what may come next in a value that is skipped. */

typedef enum {
    ngx_http_ilert_json_value = 0,
    ngx_http_ilert_json_value_or_end,       /* after "[" */
    ngx_http_ilert_json_key,
    ngx_http_ilert_json_key_or_end,         /* after "{" */
    ngx_http_ilert_json_colon,
    ngx_http_ilert_json_comma_or_end,
    ngx_http_ilert_json_nothing
} ngx_http_ilert_json_state_e;


typedef struct {
    ngx_http_ilert_json_reader_t  *reader;
    ngx_http_ilert_json_state_e    state;
    ngx_uint_t                     depth;   /* within the value */
    u_char                         close[NGX_HTTP_ILERT_JSON_MAX_DEPTH];
} ngx_http_ilert_json_skip_t;


static ngx_inline ngx_int_t ngx_http_ilert_json_count(
    ngx_http_ilert_json_reader_t *r);
static ngx_inline u_char *ngx_http_ilert_json_row_value(
    ngx_http_ilert_json_reader_t *r, u_char *p);
static u_char *ngx_http_ilert_json_nested(ngx_http_ilert_json_reader_t *r,
    u_char *p);
static ngx_inline u_char *ngx_http_ilert_json_scalar_again(u_char *p,
    u_char *last);
static ngx_inline u_char *ngx_http_ilert_json_string_again(u_char *p,
    u_char *last);
static ngx_int_t ngx_http_ilert_json_skip_open(ngx_http_ilert_json_skip_t *s);
static ngx_int_t ngx_http_ilert_json_skip_mark(ngx_http_ilert_json_skip_t *s);
static ngx_int_t ngx_http_ilert_json_skip_scalar(
    ngx_http_ilert_json_skip_t *s);
static ngx_int_t ngx_http_ilert_json_skip_token(
    ngx_http_ilert_json_skip_t *s);
static void ngx_http_ilert_json_skip_ended(ngx_http_ilert_json_skip_t *s);
static ngx_int_t ngx_http_ilert_json_string_error(
    ngx_http_ilert_json_reader_t *r);
static ngx_int_t ngx_http_ilert_json_unexpected(
    ngx_http_ilert_json_reader_t *r);


void
ngx_http_ilert_json_init(ngx_http_ilert_json_reader_t *r, ngx_str_t *text,
    ngx_uint_t max_values)
{
    u_char  *p;

    ngx_memzero(r, sizeof(ngx_http_ilert_json_reader_t));

    r->pos = text->data;
    r->last = text->data + text->len;
    r->max_values = max_values;

    /* A whole object or array ends in a bracket: see _row(). */

    p = r->last;

    while (p > r->pos && ngx_http_ilert_json_is_space(p[-1])) {
        p--;
    }

    if (p > r->pos && (p[-1] == ']' || p[-1] == '}')) {
        r->closed = p;
    }
}


u_char
ngx_http_ilert_json_peek(ngx_http_ilert_json_reader_t *r)
{
    r->pos = ngx_http_ilert_json_skip_space(r->pos, r->last);

    return (r->pos < r->last) ? *r->pos : '\0';
}


ngx_int_t
ngx_http_ilert_json_enter(ngx_http_ilert_json_reader_t *r, u_char open)
{
    u_char  close;

    if (ngx_http_ilert_json_peek(r) != open
        || r->depth == NGX_HTTP_ILERT_JSON_MAX_DEPTH
        || ngx_http_ilert_json_count(r) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    r->pos++;

    close = (open == '{') ? '}' : ']';

    if (ngx_http_ilert_json_peek(r) == close) {
        r->pos++;
        return NGX_DONE;
    }

    r->depth++;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_json_next(ngx_http_ilert_json_reader_t *r, u_char close)
{
    u_char  ch;

    ch = ngx_http_ilert_json_peek(r);

    if (ch == ',') {
        r->pos++;
        return NGX_OK;
    }

    if (ch == close) {
        r->pos++;
        r->depth--;
        return NGX_DONE;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_ilert_json_name(ngx_http_ilert_json_reader_t *r, ngx_str_t *token)
{
    u_char  *p;

    if (ngx_http_ilert_json_peek(r) != '"') {
        return NGX_DECLINED;
    }

    p = ngx_http_ilert_json_scan_string(r->pos, r->last, &r->unclean);

    if (p == NULL) {
        return NGX_DECLINED;
    }

    token->data = r->pos;
    token->len = p - r->pos;

    r->pos = p;

    if (ngx_http_ilert_json_peek(r) != ':') {
        return NGX_DECLINED;
    }

    r->pos++;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_json_scalar(ngx_http_ilert_json_reader_t *r, ngx_str_t *token)
{
    u_char  *p;

    if (ngx_http_ilert_json_peek(r) == '\0'
        || ngx_http_ilert_json_count(r) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    p = ngx_http_ilert_json_scan(r->pos, r->last, &r->unclean);

    if (p == NULL) {
        return NGX_DECLINED;
    }

    token->data = r->pos;
    token->len = p - r->pos;

    r->pos = p;

    return NGX_OK;
}


static ngx_inline ngx_int_t
ngx_http_ilert_json_count(ngx_http_ilert_json_reader_t *r)
{
    return (r->nvalues++ < r->max_values) ? NGX_OK : NGX_DECLINED;
}


/*
 * A row is followed by at least one bracket.  If the text ends in one, no
 * token of a row goes on behind it, and so most steps need not look for the
 * end of the text.
 */

ngx_int_t
ngx_http_ilert_json_row(ngx_http_ilert_json_reader_t *r, ngx_str_t *first,
    ngx_uint_t *n)
{
    u_char      *p, *last, *token, *length, *last_length;
    size_t       len, longest;
    ngx_uint_t   i, dense;

    *n = 0;
    r->dense = 0;

    last = r->closed;

    if (last == NULL
        || ngx_http_ilert_json_peek(r) != '['
        || ngx_http_ilert_json_count(r) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    dense = 1;
    longest = 0;
    length = r->length;
    last_length = r->last_length;

    p = r->pos + 1;

    if (*p <= ' ') {
        p = ngx_http_ilert_json_skip_space(p, last);
        dense = 0;
    }

    if (*p == ']') {
        r->pos = p + 1;
        return NGX_OK;
    }

    for (i = 0; /* void */ ; i++) {

        token = p;
        p = ngx_http_ilert_json_row_value(r, p);

        if (p == NULL) {
            return NGX_DECLINED;
        }

        len = p - token;

        if (i == 0) {
            first->data = token;
            first->len = len;
        }

        if (length < last_length) {
            *length++ = (u_char) len;
        }

        longest |= len;

        if (*p <= ' ') {
            p = ngx_http_ilert_json_skip_space(p, last);
            dense = 0;
        }

        if (*p == ']') {
            *n = i + 1;
            r->pos = p + 1;

            if (dense && longest <= 0xff
                && length - r->length == (ssize_t) *n)
            {
                r->dense = 1;
                r->length = length;
            }

            return NGX_OK;
        }

        if (*p != ',') {
            return NGX_DECLINED;
        }

        p++;

        if (*p <= ' ') {
            p = ngx_http_ilert_json_skip_space(p, last);
            dense = 0;
        }
    }
}


/* Returns the place behind the value at p, in a row, or NULL. */

static ngx_inline u_char *
ngx_http_ilert_json_row_value(ngx_http_ilert_json_reader_t *r, u_char *p)
{
    u_char  *end;

    if (*p == '-' || (*p >= '0' && *p <= '9')) {
        return ngx_http_ilert_json_number(p, NULL);
    }

    if (*p == '"') {
        end = ngx_http_ilert_json_plain(p + 1, r->closed);

        if (end < r->closed && *end == '"') {
            return end + 1;
        }

        return ngx_http_ilert_json_scan_string(p, r->closed, &r->unclean);
    }

    if (*p == '[' || *p == '{') {
        end = ngx_http_ilert_json_nested(r, p);

        return (end == r->closed) ? NULL : end;
    }

    return ngx_http_ilert_json_scan_word(p, r->closed);
}


/* Returns the place behind the object or array at p, in a row, or NULL. */

static u_char *
ngx_http_ilert_json_nested(ngx_http_ilert_json_reader_t *r, u_char *p)
{
    ngx_int_t  rc;

    if (r->depth == NGX_HTTP_ILERT_JSON_MAX_DEPTH) {
        return NULL;
    }

    r->nested = 1;
    r->pos = p;

    /* The row around it has not been entered. */

    r->depth++;

    rc = ngx_http_ilert_json_skip(r);

    r->depth--;

    return (rc == NGX_OK) ? r->pos : NULL;
}


ngx_uint_t
ngx_http_ilert_json_row_again(ngx_http_ilert_json_reader_t *r,
    ngx_str_t *values, ngx_uint_t size)
{
    u_char      *p, *last, *token;
    ngx_uint_t   i;

    last = r->last;
    p = ngx_http_ilert_json_skip_space(r->pos, last);
    p = ngx_http_ilert_json_skip_space(p + 1, last);

    for (i = 0; *p != ']'; i++) {

        token = p;

        if (*p == '"') {
            p = ngx_http_ilert_json_string_again(p, last);

        } else {
            p = ngx_http_ilert_json_scalar_again(p, last);
        }

        if (i < size) {
            values[i].data = token;
            values[i].len = p - token;
        }

        if (*p <= ' ') {
            p = ngx_http_ilert_json_skip_space(p, last);
        }

        if (*p == ',' && *++p <= ' ') {
            p = ngx_http_ilert_json_skip_space(p, last);
        }
    }

    r->pos = p + 1;

    return i;
}


/*
 * Returns the end of the number or word at p: the place of the next comma,
 * bracket or white space.
 */

static ngx_inline u_char *
ngx_http_ilert_json_scalar_again(u_char *p, u_char *last)
{
#if (NGX_HAVE_LITTLE_ENDIAN)

    uint64_t  eight, special;

    /* This works as in ngx_http_ilert_json_plain(). */

    while (last - p >= 8) {
        ngx_memcpy(&eight, p, 8);

        special = ((eight - 0x2121212121212121)
                   | ((eight ^ 0x2c2c2c2c2c2c2c2c) - 0x0101010101010101)
                   | ((eight ^ 0x5d5d5d5d5d5d5d5d) - 0x0101010101010101))
                  & 0x8080808080808080;

        if (special) {
            return p + __builtin_ctzll(special) / 8;
        }

        p += 8;
    }

#endif

    while (*p > ' ' && *p != ',' && *p != ']') {
        p++;
    }

    return p;
}


/* Returns the place behind the string at p. */

static ngx_inline u_char *
ngx_http_ilert_json_string_again(u_char *p, u_char *last)
{
    p = ngx_http_ilert_json_plain(p + 1, last);

    while (*p != '"') {
        p = ngx_http_ilert_json_plain(p + (*p == '\\' ? 2 : 1), last);
    }

    return p + 1;
}


ngx_int_t
ngx_http_ilert_json_skip(ngx_http_ilert_json_reader_t *r)
{
    ngx_int_t                   rc;
    ngx_http_ilert_json_skip_t  s;

    /* The stack of brackets need not be set. */

    s.reader = r;
    s.state = ngx_http_ilert_json_value;
    s.depth = 0;

    do {
        switch (ngx_http_ilert_json_peek(r)) {

        case '[':
        case '{':
            rc = ngx_http_ilert_json_skip_open(&s);
            break;

        case ']':
        case '}':
        case ',':
        case ':':
            rc = ngx_http_ilert_json_skip_mark(&s);
            break;

        default:
            rc = ngx_http_ilert_json_skip_scalar(&s);
        }

    } while (rc == NGX_OK && s.state != ngx_http_ilert_json_nothing);

    return rc;
}


static ngx_int_t
ngx_http_ilert_json_skip_open(ngx_http_ilert_json_skip_t *s)
{
    ngx_http_ilert_json_reader_t  *r;

    r = s->reader;

    if (s->state != ngx_http_ilert_json_value
        && s->state != ngx_http_ilert_json_value_or_end)
    {
        return ngx_http_ilert_json_unexpected(r);
    }

    if (r->depth + s->depth == NGX_HTTP_ILERT_JSON_MAX_DEPTH) {
        r->error = "nested too deeply";
        return NGX_DECLINED;
    }

    if (*r->pos++ == '[') {
        s->close[s->depth++] = ']';
        s->state = ngx_http_ilert_json_value_or_end;

    } else {
        s->close[s->depth++] = '}';
        s->state = ngx_http_ilert_json_key_or_end;
    }

    return ngx_http_ilert_json_count(r);
}


static ngx_int_t
ngx_http_ilert_json_skip_mark(ngx_http_ilert_json_skip_t *s)
{
    u_char                         ch, close;
    ngx_http_ilert_json_reader_t  *r;

    r = s->reader;

    ch = *r->pos;
    close = s->depth ? s->close[s->depth - 1] : '\0';

    if (ch == ':' && s->state == ngx_http_ilert_json_colon) {
        s->state = ngx_http_ilert_json_value;

    } else if (ch == ',' && s->state == ngx_http_ilert_json_comma_or_end) {
        s->state = (close == '}') ? ngx_http_ilert_json_key
                                  : ngx_http_ilert_json_value;

    } else if (ch == close
               && (s->state == ngx_http_ilert_json_comma_or_end
                   || s->state == ngx_http_ilert_json_key_or_end
                   || s->state == ngx_http_ilert_json_value_or_end))
    {
        s->depth--;
        ngx_http_ilert_json_skip_ended(s);

    } else {
        return ngx_http_ilert_json_unexpected(r);
    }

    r->pos++;

    return NGX_OK;
}


/* Skips a scalar or a name, or finds that there is neither. */

static ngx_int_t
ngx_http_ilert_json_skip_scalar(ngx_http_ilert_json_skip_t *s)
{
    ngx_http_ilert_json_reader_t  *r;

    r = s->reader;

    if (r->pos == r->last) {
        r->error = "unexpected end";
        return NGX_DECLINED;
    }

    if (s->state == ngx_http_ilert_json_key
        || s->state == ngx_http_ilert_json_key_or_end)
    {
        if (*r->pos != '"') {
            return ngx_http_ilert_json_unexpected(r);
        }

        s->state = ngx_http_ilert_json_colon;

        return ngx_http_ilert_json_skip_token(s);
    }

    if (s->state != ngx_http_ilert_json_value
        && s->state != ngx_http_ilert_json_value_or_end)
    {
        return ngx_http_ilert_json_unexpected(r);
    }

    ngx_http_ilert_json_skip_ended(s);

    if (ngx_http_ilert_json_skip_token(s) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_ilert_json_count(r);
}


static ngx_int_t
ngx_http_ilert_json_skip_token(ngx_http_ilert_json_skip_t *s)
{
    u_char                        *p, ch;
    ngx_http_ilert_json_reader_t  *r;

    r = s->reader;

    p = ngx_http_ilert_json_scan(r->pos, r->last, &r->unclean);

    if (p) {
        r->pos = p;
        return NGX_OK;
    }

    ch = *r->pos;

    if (ch == '"') {
        return ngx_http_ilert_json_string_error(r);
    }

    if (ch == '-' || (ch >= '0' && ch <= '9')) {
        r->error = "invalid number";
        return NGX_DECLINED;
    }

    return ngx_http_ilert_json_unexpected(r);
}


static void
ngx_http_ilert_json_skip_ended(ngx_http_ilert_json_skip_t *s)
{
    s->state = s->depth ? ngx_http_ilert_json_comma_or_end
                        : ngx_http_ilert_json_nothing;
}


/* Finds out why the string at pos is not valid, and where. */

static ngx_int_t
ngx_http_ilert_json_string_error(ngx_http_ilert_json_reader_t *r)
{
    u_char    *p, *next;
    uint32_t   code;

    p = r->pos + 1;

    for ( ;; ) {
        p = ngx_http_ilert_json_plain(p, r->last);

        if (p == r->last) {
            r->error = "string without an end";
            return NGX_DECLINED;
        }

        if (*p == '\\') {
            next = ngx_http_ilert_json_escape(p, r->last, &code);

            if (next == NULL) {
                r->error = "invalid escape";
                break;
            }

            p = next;
            continue;
        }

        if (*p < ' ') {
            r->error = "control character in a string";
            break;
        }

        p++;
    }

    r->pos = p;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ilert_json_unexpected(ngx_http_ilert_json_reader_t *r)
{
    r->error = "unexpected character";
    return NGX_DECLINED;
}


ngx_int_t
ngx_http_ilert_json_end(ngx_http_ilert_json_reader_t *r)
{
    r->pos = ngx_http_ilert_json_skip_space(r->pos, r->last);

    return (r->pos == r->last) ? NGX_OK : ngx_http_ilert_json_unexpected(r);
}
