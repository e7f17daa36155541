
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_text.h"


/* what may come next */

typedef enum {
    ngx_http_ilert_json_value = 0,
    ngx_http_ilert_json_value_or_end,       /* after "[" */
    ngx_http_ilert_json_key,
    ngx_http_ilert_json_key_or_end,         /* after "{" */
    ngx_http_ilert_json_colon,
    ngx_http_ilert_json_comma_or_end,
    ngx_http_ilert_json_nothing
} ngx_http_ilert_json_state_e;


/* the state of the pass that makes the copy for cJSON */

typedef struct {
    u_char                       *pos;      /* in the text */
    u_char                       *last;
    u_char                       *out;      /* in the copy */

    ngx_http_ilert_json_state_e   state;
    ngx_uint_t                    depth;
    u_char                        close[NGX_HTTP_ILERT_JSON_MAX_DEPTH];

    ngx_uint_t                    table_depth;
    ngx_array_t                  *tables;
    ngx_array_t                   values;   /* of the row at hand */
    ngx_pool_t                   *pool;

    const char                   *error;    /* at pos */
} ngx_http_ilert_json_pass_t;


static ngx_int_t ngx_http_ilert_json_copy(ngx_http_ilert_json_pass_t *ps);
static ngx_int_t ngx_http_ilert_json_unexpected(
    ngx_http_ilert_json_pass_t *ps);
static void ngx_http_ilert_json_value_ended(ngx_http_ilert_json_pass_t *ps);
static ngx_int_t ngx_http_ilert_json_copy_mark(ngx_http_ilert_json_pass_t *ps);
static ngx_int_t ngx_http_ilert_json_copy_open(ngx_http_ilert_json_pass_t *ps);
static ngx_int_t ngx_http_ilert_json_copy_scalar(
    ngx_http_ilert_json_pass_t *ps);
static ngx_int_t ngx_http_ilert_json_copy_string(
    ngx_http_ilert_json_pass_t *ps);
static ngx_int_t ngx_http_ilert_json_copy_escape(
    ngx_http_ilert_json_pass_t *ps);
static ngx_int_t ngx_http_ilert_json_set_aside(ngx_http_ilert_json_pass_t *ps);
static ngx_int_t ngx_http_ilert_json_row(ngx_http_ilert_json_pass_t *ps,
    ngx_array_t *rows);
static ngx_int_t ngx_http_ilert_json_scan_row(ngx_http_ilert_json_pass_t *ps,
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
static ngx_int_t ngx_http_ilert_json_mend(ngx_str_t *text, ngx_str_t *mended,
    ngx_pool_t *pool);
static cJSON *ngx_http_ilert_json_tree(u_char *text, size_t len,
    ngx_pool_t *pool);
static void *ngx_http_ilert_json_alloc(size_t size);
static void ngx_http_ilert_json_free(void *p);
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


/*
 * cJSON's allocator takes no argument: this is the pool of the parse that
 * is going on, and what is left of a piece of it.  A worker parses one text
 * at a time, on its main thread.
 */

#define NGX_HTTP_ILERT_JSON_PIECE  1024

static ngx_pool_t  *ngx_http_ilert_json_pool;
static u_char      *ngx_http_ilert_json_piece;
static size_t       ngx_http_ilert_json_left;


ngx_int_t
ngx_http_ilert_json_parse(ngx_http_ilert_json_t *json, ngx_str_t *text,
    ngx_uint_t table_depth, ngx_pool_t *pool)
{
    u_char                      *copy;
    ngx_int_t                    rc;
    ngx_http_ilert_json_pass_t   ps;

    ngx_memzero(json, sizeof(ngx_http_ilert_json_t));

    /* all but the stack of brackets */

    ps.pos = text->data;
    ps.last = text->data + text->len;
    ps.state = ngx_http_ilert_json_value;
    ps.depth = 0;
    ps.table_depth = table_depth;
    ps.tables = &json->tables;
    ps.values.elts = NULL;
    ps.pool = pool;
    ps.error = NULL;

    /*
     * A one-digit number grows from 1 byte to 4; the index of a table has
     * less digits than that.  Memory that is not written to is not
     * taken from the system.
     */

    copy = ngx_palloc(pool, 4 * text->len + 1);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    ps.out = copy;

    rc = ngx_http_ilert_json_copy(&ps);

    if (rc == NGX_OK) {
        *ps.out = '\0';

        json->root = ngx_http_ilert_json_tree(copy, ps.out - copy, pool);

        if (json->root == NULL) {
            rc = NGX_ERROR;
        }

    } else if (rc == NGX_DECLINED) {
        json->error = ps.error;
        json->offset = ps.pos - text->data;
    }

    (void) ngx_pfree(pool, copy);

    return rc;
}


/* NGX_DECLINED with the pass's error set, or NGX_ERROR without memory */

static ngx_int_t
ngx_http_ilert_json_copy(ngx_http_ilert_json_pass_t *ps)
{
    ngx_int_t  rc;

    for ( ;; ) {
        ps->pos = ngx_http_ilert_json_skip_space(ps->pos, ps->last);

        if (ps->pos == ps->last) {
            break;
        }

        switch (*ps->pos) {

        case '[':
        case '{':
            rc = ngx_http_ilert_json_copy_open(ps);
            break;

        case ']':
        case '}':
        case ',':
        case ':':
            rc = ngx_http_ilert_json_copy_mark(ps);
            break;

        default:
            rc = ngx_http_ilert_json_copy_scalar(ps);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ps->state != ngx_http_ilert_json_nothing) {
        ps->error = "unexpected end";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_json_unexpected(ngx_http_ilert_json_pass_t *ps)
{
    ps->error = "unexpected character";
    return NGX_DECLINED;
}


static void
ngx_http_ilert_json_value_ended(ngx_http_ilert_json_pass_t *ps)
{
    ps->state = ps->depth ? ngx_http_ilert_json_comma_or_end
                          : ngx_http_ilert_json_nothing;
}


static ngx_int_t
ngx_http_ilert_json_copy_mark(ngx_http_ilert_json_pass_t *ps)
{
    u_char  ch, close;

    ch = *ps->pos;
    close = ps->depth ? ps->close[ps->depth - 1] : '\0';

    if (ch == ':' && ps->state == ngx_http_ilert_json_colon) {
        ps->state = ngx_http_ilert_json_value;

    } else if (ch == ',' && ps->state == ngx_http_ilert_json_comma_or_end) {
        ps->state = (close == '}') ? ngx_http_ilert_json_key
                                   : ngx_http_ilert_json_value;

    } else if (ch == close
               && (ps->state == ngx_http_ilert_json_comma_or_end
                   || ps->state == ngx_http_ilert_json_key_or_end
                   || ps->state == ngx_http_ilert_json_value_or_end))
    {
        ps->depth--;
        ngx_http_ilert_json_value_ended(ps);

    } else {
        return ngx_http_ilert_json_unexpected(ps);
    }

    *ps->out++ = ch;
    ps->pos++;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_json_copy_open(ngx_http_ilert_json_pass_t *ps)
{
    u_char     ch;
    ngx_int_t  rc;

    if (ps->state != ngx_http_ilert_json_value
        && ps->state != ngx_http_ilert_json_value_or_end)
    {
        return ngx_http_ilert_json_unexpected(ps);
    }

    ch = *ps->pos;

    if (ch == '[' && ps->depth + 1 == ps->table_depth) {
        rc = ngx_http_ilert_json_set_aside(ps);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (ps->depth == NGX_HTTP_ILERT_JSON_MAX_DEPTH) {
        ps->error = "nested too deeply";
        return NGX_DECLINED;
    }

    if (ch == '[') {
        ps->close[ps->depth++] = ']';
        ps->state = ngx_http_ilert_json_value_or_end;

    } else {
        ps->close[ps->depth++] = '}';
        ps->state = ngx_http_ilert_json_key_or_end;
    }

    *ps->out++ = ch;
    ps->pos++;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_json_copy_scalar(ngx_http_ilert_json_pass_t *ps)
{
    u_char  *next, ch;

    ch = *ps->pos;

    if (ps->state == ngx_http_ilert_json_key
        || ps->state == ngx_http_ilert_json_key_or_end)
    {
        if (ch != '"') {
            return ngx_http_ilert_json_unexpected(ps);
        }

        ps->state = ngx_http_ilert_json_colon;

        return ngx_http_ilert_json_copy_string(ps);
    }

    if (ps->state != ngx_http_ilert_json_value
        && ps->state != ngx_http_ilert_json_value_or_end)
    {
        return ngx_http_ilert_json_unexpected(ps);
    }

    ngx_http_ilert_json_value_ended(ps);

    if (ch == '"') {
        return ngx_http_ilert_json_copy_string(ps);
    }

    if (ch == '-' || (ch >= '0' && ch <= '9')) {
        next = ngx_http_ilert_json_scan_number(ps->pos, ps->last);

        if (next == NULL) {
            ps->error = "invalid number";
            return NGX_DECLINED;
        }

        *ps->out++ = '"';
        *ps->out++ = NGX_HTTP_ILERT_JSON_NUMBER;
        ps->out = ngx_cpymem(ps->out, ps->pos, next - ps->pos);
        *ps->out++ = '"';

    } else {
        next = ngx_http_ilert_json_scan_word(ps->pos, ps->last);

        if (next == NULL) {
            return ngx_http_ilert_json_unexpected(ps);
        }

        ps->out = ngx_cpymem(ps->out, ps->pos, next - ps->pos);
    }

    ps->pos = next;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_json_copy_string(ngx_http_ilert_json_pass_t *ps)
{
    u_char  *p, *last, *out, *start, *next;

    start = ps->pos;
    p = start;
    last = ps->last;
    out = ps->out;

    *out++ = *p++;

    while (p < last) {

        next = ngx_http_ilert_json_plain(p, last);

        if (next != p) {
            out = ngx_cpymem(out, p, next - p);
            p = next;
            continue;
        }

        if (*p == '"') {
            *out++ = *p++;

            ps->pos = p;
            ps->out = out;

            return NGX_OK;
        }

        /* Go's "&", of which a dump of an alert is full */

        if (last - p >= 6 && ngx_memcmp(p, "\\u0026", 6) == 0) {
            *out++ = '&';
            p += 6;
            continue;
        }

        ps->pos = p;
        ps->out = out;

        if (*p == '\\') {

            if (ngx_http_ilert_json_copy_escape(ps) != NGX_OK) {
                return NGX_DECLINED;
            }

            p = ps->pos;
            out = ps->out;
            continue;
        }

        if (*p < ' ') {
            ps->error = "control character in a string";
            return NGX_DECLINED;
        }

        next = ngx_http_ilert_text_next(p, last);

        if (next == NULL) {
            out = ngx_http_ilert_text_put(out,
                                          NGX_HTTP_ILERT_TEXT_REPLACEMENT);
            p++;
            continue;
        }

        out = ngx_cpymem(out, p, next - p);
        p = next;
    }

    ps->error = "string without an end";
    ps->pos = start;

    return NGX_DECLINED;
}


/* \uXXXX is decoded, unless it stands for what has to be escaped */

static ngx_int_t
ngx_http_ilert_json_copy_escape(ngx_http_ilert_json_pass_t *ps)
{
    u_char    *next;
    uint32_t   code;

    next = ngx_http_ilert_json_escape(ps->pos, ps->last, &code);

    if (next == NULL) {
        ps->error = "invalid escape";
        return NGX_DECLINED;
    }

    if (code < ' ' || code == '"' || code == '\\') {
        ps->out = ngx_cpymem(ps->out, ps->pos, next - ps->pos);

    } else {
        ps->out = ngx_http_ilert_text_put(ps->out, code);
    }

    ps->pos = next;

    return NGX_OK;
}


/* NGX_DECLINED: no table, to be copied as any other array */

static ngx_int_t
ngx_http_ilert_json_set_aside(ngx_http_ilert_json_pass_t *ps)
{
    u_char       *pos;
    ngx_int_t     rc;
    ngx_array_t   rows, *table;

    pos = ps->pos;

    if (ngx_array_init(&rows, ps->pool, 1, sizeof(ngx_http_ilert_json_row_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    do {
        ps->pos = ngx_http_ilert_json_skip_space(ps->pos + 1, ps->last);

        rc = ngx_http_ilert_json_row(ps, &rows);

        if (rc != NGX_OK) {
            ps->pos = pos;
            return rc;
        }

        ps->pos = ngx_http_ilert_json_skip_space(ps->pos, ps->last);

    } while (ps->pos < ps->last && *ps->pos == ',');

    if (ps->pos == ps->last || *ps->pos != ']') {
        ps->pos = pos;
        return NGX_DECLINED;
    }

    if (ps->tables->elts == NULL
        && ngx_array_init(ps->tables, ps->pool, 1, sizeof(ngx_array_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    table = ngx_array_push(ps->tables);
    if (table == NULL) {
        return NGX_ERROR;
    }

    *table = rows;

    ps->out = ngx_sprintf(ps->out, "%ui", ps->tables->nelts - 1);
    ps->pos++;

    ngx_http_ilert_json_value_ended(ps);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_json_row(ngx_http_ilert_json_pass_t *ps, ngx_array_t *rows)
{
    u_char                     *pos, *last;
    ngx_int_t                   rc;
    ngx_str_t                   text, mended;
    ngx_uint_t                  unclean, mend;
    ngx_http_ilert_json_row_t  *row;

    if (ps->pos == ps->last || *ps->pos != '[') {
        return NGX_DECLINED;
    }

    if (ps->values.elts == NULL
        && ngx_array_init(&ps->values, ps->pool, 64, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    pos = ps->pos;

    rc = ngx_http_ilert_json_scan_row(ps, &unclean);

    mend = (rc == NGX_OK && unclean);

    if (mend) {

        text.data = pos;
        text.len = ps->pos - pos;

        if (ngx_http_ilert_json_mend(&text, &mended, ps->pool) != NGX_OK) {
            return NGX_ERROR;
        }

        pos = ps->pos;
        last = ps->last;

        ps->pos = mended.data;
        ps->last = mended.data + mended.len;

        rc = ngx_http_ilert_json_scan_row(ps, &unclean);

        ps->pos = pos;
        ps->last = last;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    row = ngx_array_push(rows);
    if (row == NULL) {
        return NGX_ERROR;
    }

    row->nvalues = ps->values.nelts;
    row->values = ngx_palloc(ps->pool, row->nvalues * sizeof(ngx_str_t));
    if (row->values == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(row->values, ps->values.elts,
               row->nvalues * sizeof(ngx_str_t));

    row->slack = mend || ps->last - ps->pos >= NGX_HTTP_ILERT_JSON_SHORT;

    return NGX_OK;
}


/*
 * Fills "values" with the tokens of the row at pos, and moves pos behind it;
 * "unclean" is set if there is something to be mended.
 */

static ngx_int_t
ngx_http_ilert_json_scan_row(ngx_http_ilert_json_pass_t *ps,
    ngx_uint_t *unclean)
{
    u_char     *p, *last, *token;
    ngx_str_t  *value, *end;

    last = ps->last;
    *unclean = 0;

    p = ngx_http_ilert_json_skip_space(ps->pos + 1, last);

    if (p < last && *p == ']') {
        ps->values.nelts = 0;
        ps->pos = p + 1;
        return NGX_OK;
    }

    value = ps->values.elts;
    end = value + ps->values.nalloc;

    while (p < last) {

        token = p;

        if (*p == '-' || (*p >= '0' && *p <= '9')) {
            p = ngx_http_ilert_json_scan_number(p, last);

        } else if (*p == '"') {
            p = ngx_http_ilert_json_scan_string(p, last, unclean);

        } else {
            p = ngx_http_ilert_json_scan_word(p, last);
        }

        if (p == NULL) {
            return NGX_DECLINED;
        }

        if (value == end) {
            ps->values.nelts = ps->values.nalloc;

            value = ngx_array_push(&ps->values);
            if (value == NULL) {
                return NGX_ERROR;
            }

            end = (ngx_str_t *) ps->values.elts + ps->values.nalloc;
        }

        value->data = token;
        value->len = p - token;
        value++;

        if (p < last && *p != ',') {
            p = ngx_http_ilert_json_skip_space(p, last);
        }

        if (p < last && *p == ']') {
            ps->values.nelts = value - (ngx_str_t *) ps->values.elts;
            ps->pos = p + 1;
            return NGX_OK;
        }

        if (p == last || *p != ',') {
            return NGX_DECLINED;
        }

        p = ngx_http_ilert_json_skip_space(p + 1, last);
    }

    return NGX_DECLINED;
}


/* these return what follows the token at p, or NULL if it is not valid */

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


/*
 * Replaces what has no place in a valid text by U+FFFD.  An escape is
 * replaced by one of the same length, so only invalid bytes grow.  There
 * is slack behind the text.
 */

static ngx_int_t
ngx_http_ilert_json_mend(ngx_str_t *text, ngx_str_t *mended, ngx_pool_t *pool)
{
    u_char    *p, *last, *next, *out;
    uint32_t   code;

    p = text->data;
    last = p + text->len;

    out = ngx_pnalloc(pool, 3 * text->len + NGX_HTTP_ILERT_JSON_SHORT);
    if (out == NULL) {
        return NGX_ERROR;
    }

    mended->data = out;

    while (p < last) {

        next = p + 1;

        if (*p == '\\') {
            next = ngx_http_ilert_json_escape(p, last, &code);

            if (code == NGX_HTTP_ILERT_TEXT_REPLACEMENT) {
                out = ngx_cpymem(out, "\\ufffd", 6);
                p = next;
                continue;
            }

        } else if (*p >= 0x80) {
            next = ngx_http_ilert_text_next(p, last);

            if (next == NULL) {
                out = ngx_http_ilert_text_put(out,
                                             NGX_HTTP_ILERT_TEXT_REPLACEMENT);
                p++;
                continue;
            }
        }

        out = ngx_cpymem(out, p, next - p);
        p = next;
    }

    mended->len = out - mended->data;

    return NGX_OK;
}


/*
 * A null follows the text, without which cJSON would read on.  It has nothing
 * to object to the copy: NULL means no memory.
 */

static cJSON *
ngx_http_ilert_json_tree(u_char *text, size_t len, ngx_pool_t *pool)
{
    cJSON        *root;
    cJSON_Hooks   hooks;

    hooks.malloc_fn = ngx_http_ilert_json_alloc;
    hooks.free_fn = ngx_http_ilert_json_free;

    ngx_http_ilert_json_pool = pool;
    ngx_http_ilert_json_left = 0;

    cJSON_InitHooks(&hooks);

    root = cJSON_ParseWithLengthOpts((char *) text, len + 1, NULL, 1);

    /* other users of the library have the system's allocator */

    cJSON_InitHooks(NULL);

    return root;
}


static void *
ngx_http_ilert_json_alloc(size_t size)
{
    void  *p;

    size = ngx_align(size, NGX_ALIGNMENT);

    if (size > NGX_HTTP_ILERT_JSON_PIECE / 4) {
        return ngx_palloc(ngx_http_ilert_json_pool, size);
    }

    if (size > ngx_http_ilert_json_left) {
        ngx_http_ilert_json_piece = ngx_palloc(ngx_http_ilert_json_pool,
                                               NGX_HTTP_ILERT_JSON_PIECE);
        if (ngx_http_ilert_json_piece == NULL) {
            ngx_http_ilert_json_left = 0;
            return NULL;
        }

        ngx_http_ilert_json_left = NGX_HTTP_ILERT_JSON_PIECE;
    }

    p = ngx_http_ilert_json_piece;

    ngx_http_ilert_json_piece += size;
    ngx_http_ilert_json_left -= size;

    return p;
}


static void
ngx_http_ilert_json_free(void *p)
{
    /* with the pool */
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
    u_char    *p, *last, *out;
    uint32_t   code;

    *value = *token;

    if (token->data[0] != '"') {
        return NGX_OK;
    }

    value->data++;
    value->len -= 2;

    p = value->data;
    last = p + value->len;

    if (ngx_strlchr(p, last, '\\') == NULL) {
        return NGX_OK;
    }

    /* no escape is shorter than what it stands for */

    out = ngx_pnalloc(pool, value->len);
    if (out == NULL) {
        return NGX_ERROR;
    }

    value->data = out;

    while (p < last) {

        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }

        p = ngx_http_ilert_json_escape(p, last, &code);
        out = ngx_http_ilert_text_put(out, code);
    }

    value->len = out - value->data;

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
