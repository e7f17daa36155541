
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_text.h"


/* what may come next in a value that is skipped */

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
static ngx_inline ngx_int_t ngx_http_ilert_json_count(
    ngx_http_ilert_json_reader_t *r);
static ngx_inline u_char *ngx_http_ilert_json_scalar_again(u_char *p,
    u_char *last);
static ngx_inline u_char *ngx_http_ilert_json_string_again(u_char *p,
    u_char *last);
static u_char *ngx_http_ilert_json_scan(u_char *p, u_char *last,
    ngx_uint_t *unclean);
static u_char *ngx_http_ilert_json_scan_string(u_char *p, u_char *last,
    ngx_uint_t *unclean);
static ngx_inline u_char *ngx_http_ilert_json_plain(u_char *p, u_char *last);
static ngx_inline u_char *ngx_http_ilert_json_scan_number(u_char *p,
    u_char *last);
static u_char *ngx_http_ilert_json_scan_word(u_char *p, u_char *last);
static ngx_inline u_char *ngx_http_ilert_json_skip_space(u_char *p,
    u_char *last);
static u_char *ngx_http_ilert_json_escape(u_char *p, u_char *last,
    uint32_t *code);
static ngx_int_t ngx_http_ilert_json_hex(u_char *p);
static ngx_uint_t ngx_http_ilert_json_is_plain(ngx_str_t *text, size_t *size);
static u_char *ngx_http_ilert_json_skip_value(u_char *p, u_char *last);


/*
 * The bytes of a string that need a look: quote, backslash, control
 * characters and all beyond ASCII.
 */

static u_char  ngx_http_ilert_json_special[256] = {
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    0, 0, 1, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,     /* "  */
    0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 1, 0, 0, 0,     /* \  */
    0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1
};


void
ngx_http_ilert_json_init(ngx_http_ilert_json_reader_t *r, ngx_str_t *text,
    ngx_uint_t max_values)
{
    ngx_memzero(r, sizeof(ngx_http_ilert_json_reader_t));

    r->pos = text->data;
    r->last = text->data + text->len;
    r->max_values = max_values;
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
    u_char      *p;
    ngx_uint_t   unclean;

    if (ngx_http_ilert_json_peek(r) != '"') {
        return NGX_DECLINED;
    }

    p = ngx_http_ilert_json_scan_string(r->pos, r->last, &unclean);

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
    u_char      *p;
    ngx_uint_t   unclean;

    if (ngx_http_ilert_json_peek(r) == '\0'
        || ngx_http_ilert_json_count(r) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    p = ngx_http_ilert_json_scan(r->pos, r->last, &unclean);

    if (p == NULL) {
        return NGX_DECLINED;
    }

    token->data = r->pos;
    token->len = p - r->pos;

    r->pos = p;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_json_skip(ngx_http_ilert_json_reader_t *r)
{
    ngx_int_t                   rc;
    ngx_http_ilert_json_skip_t  s;

    /* all but the stack of brackets */

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


/* a scalar, a name, or what is neither */

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
    ngx_uint_t                     unclean;
    ngx_http_ilert_json_reader_t  *r;

    r = s->reader;

    p = ngx_http_ilert_json_scan(r->pos, r->last, &unclean);

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


/* the string at pos is not valid: finds out why, and where */

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


static ngx_inline ngx_int_t
ngx_http_ilert_json_count(ngx_http_ilert_json_reader_t *r)
{
    return (r->nvalues++ < r->max_values) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_ilert_json_row(ngx_http_ilert_json_reader_t *r, ngx_str_t *values,
    ngx_uint_t size, ngx_uint_t *n)
{
    u_char      *p, *last, *token;
    ngx_uint_t   i, unclean;

    *n = 0;

    if (ngx_http_ilert_json_peek(r) != '['
        || ngx_http_ilert_json_count(r) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    last = r->last;
    p = ngx_http_ilert_json_skip_space(r->pos + 1, last);

    if (p < last && *p == ']') {
        r->pos = p + 1;
        return NGX_OK;
    }

    unclean = 0;

    for (i = 0; p < last; i++) {

        *n = i;
        token = p;

        if (*p == '-' || (*p >= '0' && *p <= '9')) {
            p = ngx_http_ilert_json_scan_number(p, last);

        } else if (*p == '"') {
            p = ngx_http_ilert_json_scan_string(p, last, &unclean);

        } else {
            p = ngx_http_ilert_json_scan_word(p, last);
        }

        if (p == NULL) {
            r->pos = token;
            return NGX_DECLINED;
        }

        if (i < size) {
            values[i].data = token;
            values[i].len = p - token;
        }

        if (p < last && *p != ',') {
            p = ngx_http_ilert_json_skip_space(p, last);
        }

        if (p < last && *p == ']') {
            *n = i + 1;
            r->unclean |= unclean;
            r->pos = p + 1;
            return NGX_OK;
        }

        if (p == last || *p != ',') {
            return NGX_DECLINED;
        }

        p = ngx_http_ilert_json_skip_space(p + 1, last);
    }

    return NGX_DECLINED;
}


void
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
}


/* number or word: it ends before a comma, a bracket or white space */

static ngx_inline u_char *
ngx_http_ilert_json_scalar_again(u_char *p, u_char *last)
{
#if (NGX_HAVE_LITTLE_ENDIAN)

    uint64_t  eight, special;

    /* as in ngx_http_ilert_json_plain() */

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


static ngx_inline u_char *
ngx_http_ilert_json_string_again(u_char *p, u_char *last)
{
    p = ngx_http_ilert_json_plain(p + 1, last);

    while (*p != '"') {
        p = ngx_http_ilert_json_plain(p + (*p == '\\' ? 2 : 1), last);
    }

    return p + 1;
}


/*
 * These return what follows the token at p, which is before last, or NULL if
 * it is not valid; "unclean" is set if there is something to be mended, and
 * left alone if not.
 */

static u_char *
ngx_http_ilert_json_scan(u_char *p, u_char *last, ngx_uint_t *unclean)
{
    if (*p == '"') {
        return ngx_http_ilert_json_scan_string(p, last, unclean);
    }

    if (*p == '-' || (*p >= '0' && *p <= '9')) {
        return ngx_http_ilert_json_scan_number(p, last);
    }

    return ngx_http_ilert_json_scan_word(p, last);
}


static u_char *
ngx_http_ilert_json_scan_string(u_char *p, u_char *last, ngx_uint_t *unclean)
{
    u_char    *next;
    uint32_t   code;

    p++;

    for ( ;; ) {
        p = ngx_http_ilert_json_plain(p, last);

        if (p == last) {
            return NULL;
        }

        if (*p == '"') {
            return p + 1;
        }

        if (*p < ' ') {
            return NULL;
        }

        if (*p == '\\') {
            next = ngx_http_ilert_json_escape(p, last, &code);

            if (next == NULL) {
                return NULL;
            }

            /* or U+FFFD itself, which does no harm */

            if (code == NGX_HTTP_ILERT_TEXT_REPLACEMENT) {
                *unclean = 1;
            }

        } else {
            next = ngx_http_ilert_text_next(p, last);

            if (next == NULL) {
                *unclean = 1;
                next = p + 1;
            }
        }

        p = next;
    }
}


/* returns the first byte of a string that needs a look, or last */

static ngx_inline u_char *
ngx_http_ilert_json_plain(u_char *p, u_char *last)
{
#if (NGX_HAVE_LITTLE_ENDIAN)

    uint64_t  eight, special;

    /*
     * Eight bytes at a time: the high bit remains in those that are beyond
     * ASCII, less than " ", or 0 after the xor.  A borrow may leave it in
     * others too, but only after the first.
     */

    while (last - p >= 8) {
        ngx_memcpy(&eight, p, 8);

        special = (eight | (eight - 0x2020202020202020)
                   | ((eight ^ 0x2222222222222222) - 0x0101010101010101)
                   | ((eight ^ 0x5c5c5c5c5c5c5c5c) - 0x0101010101010101))
                  & 0x8080808080808080;

        if (special) {
            return p + __builtin_ctzll(special) / 8;
        }

        p += 8;
    }

#endif

    while (p < last && !ngx_http_ilert_json_special[*p]) {
        p++;
    }

    return p;
}


static ngx_inline u_char *
ngx_http_ilert_json_scan_number(u_char *p, u_char *last)
{
    u_char  *start;

#define ngx_http_ilert_json_scan_digits()                                     \
    for (start = p; p < last && *p >= '0' && *p <= '9'; p++) { /* void */ }   \
    if (p == start) {                                                         \
        return NULL;                                                          \
    }

    if (*p == '-') {
        p++;
    }

    if (last - p > 1 && p[0] == '0' && p[1] >= '0' && p[1] <= '9') {
        return NULL;
    }

    ngx_http_ilert_json_scan_digits();

    if (p < last && *p == '.') {
        p++;
        ngx_http_ilert_json_scan_digits();
    }

    if (p < last && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < last && (*p == '+' || *p == '-')) {
            p++;
        }

        ngx_http_ilert_json_scan_digits();
    }

#undef ngx_http_ilert_json_scan_digits

    return p;
}


static u_char *
ngx_http_ilert_json_scan_word(u_char *p, u_char *last)
{
    ngx_str_t         *word;
    static ngx_str_t   words[] = {
        ngx_string("null"), ngx_string("true"), ngx_string("false"),
        ngx_null_string
    };

    for (word = words; word->len; word++) {
        if ((size_t) (last - p) >= word->len
            && ngx_memcmp(p, word->data, word->len) == 0)
        {
            return p + word->len;
        }
    }

    return NULL;
}


static ngx_inline u_char *
ngx_http_ilert_json_skip_space(u_char *p, u_char *last)
{
    while (p < last && *p <= ' '
           && (*p == ' ' || *p == '\t' || *p == CR || *p == LF))
    {
        p++;
    }

    return p;
}


/*
 * Returns what follows the escape at p, both halves of a surrogate pair
 * taken together, or NULL if it is none.  "code" is the character it stands
 * for, U+FFFD for NUL and for half a pair.
 */

static u_char *
ngx_http_ilert_json_escape(u_char *p, u_char *last, uint32_t *code)
{
    ngx_int_t  high, low;

    static u_char  names[] = "\"\"\\\\//b\bf\fn\nr\rt\t";

    if (last - p < 2) {
        return NULL;
    }

    if (p[1] != 'u') {

        for (low = 0; names[low]; low += 2) {
            if (names[low] == p[1]) {
                *code = names[low + 1];
                return p + 2;
            }
        }

        return NULL;
    }

    if (last - p < 6) {
        return NULL;
    }

    high = ngx_http_ilert_json_hex(p + 2);

    if (high == NGX_ERROR) {
        return NULL;
    }

    p += 6;

    if (high >= 0xd800 && high <= 0xdbff
        && last - p >= 6 && p[0] == '\\' && p[1] == 'u')
    {
        low = ngx_http_ilert_json_hex(p + 2);

        if (low >= 0xdc00 && low <= 0xdfff) {
            *code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            return p + 6;
        }
    }

    *code = (high == 0 || (high >= 0xd800 && high <= 0xdfff))
            ? NGX_HTTP_ILERT_TEXT_REPLACEMENT : (uint32_t) high;

    return p;
}


/* four digits; ngx_hextoi() is for any number of them */

static ngx_int_t
ngx_http_ilert_json_hex(u_char *p)
{
    u_char      ch;
    ngx_int_t   value;
    ngx_uint_t  i;

    value = 0;

    for (i = 0; i < 4; i++) {
        ch = p[i] - '0';

        if (ch > 9) {
            ch = (p[i] | 0x20) - 'a';

            if (ch > 5) {
                return NGX_ERROR;
            }

            ch += 10;
        }

        value = value << 4 | ch;
    }

    return value;
}


ngx_int_t
ngx_http_ilert_json_pick(ngx_str_t *text,
    ngx_http_ilert_json_member_t *members, ngx_uint_t n)
{
    u_char      *p, *last, *name, *value;
    size_t       len;
    ngx_uint_t   i, unclean;

    last = text->data + text->len;
    p = ngx_http_ilert_json_skip_space(text->data, last);

    if (p == last || *p != '{') {
        return NGX_DECLINED;
    }

    do {
        name = ngx_http_ilert_json_skip_space(p + 1, last);

        if (name == last || *name != '"') {
            return NGX_DECLINED;
        }

        p = ngx_http_ilert_json_scan_string(name, last, &unclean);

        if (p == NULL) {
            return NGX_DECLINED;
        }

        name++;
        len = p - 1 - name;

        p = ngx_http_ilert_json_skip_space(p, last);

        if (p == last || *p != ':') {
            return NGX_DECLINED;
        }

        value = ngx_http_ilert_json_skip_space(p + 1, last);
        p = ngx_http_ilert_json_skip_value(value, last);

        if (p == NULL) {
            return NGX_DECLINED;
        }

        for (i = 0; i < n; i++) {
            if (members[i].name.len == len
                && ngx_memcmp(members[i].name.data, name, len) == 0)
            {
                members[i].value.data = value;
                members[i].value.len = p - value;
                break;
            }
        }

        p = ngx_http_ilert_json_skip_space(p, last);

    } while (p < last && *p == ',');

    if (p == last || *p != '}') {
        return NGX_DECLINED;
    }

    p = ngx_http_ilert_json_skip_space(p + 1, last);

    return (p == last) ? NGX_OK : NGX_DECLINED;
}


/* returns what follows the value at p, or NULL */

static u_char *
ngx_http_ilert_json_skip_value(u_char *p, u_char *last)
{
    u_char      *start;
    ngx_uint_t   depth, unclean;

    depth = 0;

    while (p < last) {

        switch (*p) {

        case '"':
            p = ngx_http_ilert_json_scan_string(p, last, &unclean);

            if (p == NULL) {
                return NULL;
            }

            break;

        case '[':
        case '{':
            depth++;
            p++;
            continue;

        case ']':
        case '}':
            if (depth == 0) {
                return NULL;
            }

            depth--;
            p++;
            break;

        case ',':
        case ':':
            p++;
            continue;

        default:

            /* a number or a word */

            start = p;

            while (p < last && *p > ' ' && ngx_strchr(",:]}\"", *p) == NULL) {
                p++;
            }

            if (p == start) {
                return NULL;
            }
        }

        if (depth == 0) {
            return p;
        }

        p = ngx_http_ilert_json_skip_space(p, last);
    }

    return NULL;
}


ngx_int_t
ngx_http_ilert_json_decode(ngx_str_t *token, ngx_str_t *value,
    ngx_pool_t *pool)
{
    u_char    *p, *last, *next, *out;
    size_t     size;
    uint32_t   code;

    *value = *token;

    if (token->data[0] != '"') {
        return NGX_OK;
    }

    value->data++;
    value->len -= 2;

    if (ngx_http_ilert_json_is_plain(value, &size)) {
        return NGX_OK;
    }

    out = ngx_pnalloc(pool, size);
    if (out == NULL) {
        return NGX_ERROR;
    }

    p = value->data;
    last = p + value->len;

    value->data = out;

    while (p < last) {

        next = ngx_http_ilert_json_plain(p, last);

        if (next != p) {
            out = ngx_cpymem(out, p, next - p);
            p = next;
            continue;
        }

        if (*p == '\\') {

            /* Go's "&", of which a dump of an alert is full */

            if (last - p >= 6 && ngx_memcmp(p, "\\u0026", 6) == 0) {
                *out++ = '&';
                p += 6;
                continue;
            }

            p = ngx_http_ilert_json_escape(p, last, &code);
            out = ngx_http_ilert_text_put(out, code);
            continue;
        }

        out = ngx_http_ilert_text_copy(out, &p, last);
    }

    value->len = out - value->data;

    return NGX_OK;
}


/*
 * Returns true if the text of a string is what it stands for, and sets the
 * size that is enough for that: no escape is shorter, but an invalid byte
 * becomes three.  The text may also be that of a value with strings in it.
 */

static ngx_uint_t
ngx_http_ilert_json_is_plain(ngx_str_t *text, size_t *size)
{
    u_char      *p, *last, *next;
    ngx_uint_t   plain;

    p = text->data;
    last = p + text->len;

    plain = 1;
    *size = text->len;

    for ( ;; ) {
        p = ngx_http_ilert_json_plain(p, last);

        if (p == last) {
            return plain;
        }

        if (*p == '\\') {
            plain = 0;
            p += 2;
            continue;
        }

        if (*p < 0x80) {

            /* a quote or white space, which are around strings only */

            p++;
            continue;
        }

        next = ngx_http_ilert_text_next(p, last);

        if (next == NULL) {
            plain = 0;
            *size += 2;
            next = p + 1;
        }

        p = next;
    }
}


/*
 * An escape is replaced by one of the same length, so only invalid bytes
 * grow.
 */

ngx_int_t
ngx_http_ilert_json_mend(ngx_str_t *text, ngx_str_t *mended, ngx_pool_t *pool)
{
    u_char    *p, *last, *next, *out;
    size_t     size;
    uint32_t   code;

    p = text->data;
    last = p + text->len;

    (void) ngx_http_ilert_json_is_plain(text, &size);

    out = ngx_pnalloc(pool, size + NGX_HTTP_ILERT_JSON_SHORT);
    if (out == NULL) {
        return NGX_ERROR;
    }

    mended->data = out;

    while (p < last) {

        if (*p >= 0x80) {
            out = ngx_http_ilert_text_copy(out, &p, last);
            continue;
        }

        next = p + 1;

        if (*p == '\\') {
            next = ngx_http_ilert_json_escape(p, last, &code);

            if (code == NGX_HTTP_ILERT_TEXT_REPLACEMENT) {
                out = ngx_cpymem(out, "\\ufffd", 6);
                p = next;
                continue;
            }
        }

        out = ngx_cpymem(out, p, next - p);
        p = next;
    }

    mended->len = out - mended->data;

    return NGX_OK;
}


void
ngx_http_ilert_json_string(ngx_http_ilert_json_writer_t *w, ngx_str_t *value)
{
    size_t  len;

    len = value->len + ngx_escape_json(NULL, value->data, value->len);

    if ((size_t) (w->last - w->pos) < len + 2) {
        w->full = 1;
        return;
    }

    *w->pos++ = '"';

    if (len == value->len) {
        w->pos = ngx_cpymem(w->pos, value->data, len);

    } else {
        w->pos = (u_char *) ngx_escape_json(w->pos, value->data, value->len);
    }

    *w->pos++ = '"';
}
