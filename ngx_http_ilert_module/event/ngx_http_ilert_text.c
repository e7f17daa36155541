
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_text.h"


/* A tag or an entity, and the text that takes its place. */

typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   text;
} ngx_http_ilert_text_map_t;


static ngx_int_t ngx_http_ilert_text_convert(ngx_str_t *html, ngx_str_t *text,
    ngx_uint_t tags, ngx_pool_t *pool);
static u_char *ngx_http_ilert_text_tag(u_char *p, u_char *last,
    u_char **limit, ngx_str_t *text);
static u_char *ngx_http_ilert_text_entity(u_char *p, u_char *last,
    u_char **out);
static u_char *ngx_http_ilert_text_number(u_char *p, u_char *last,
    u_char **out);
static ngx_str_t *ngx_http_ilert_text_find(ngx_http_ilert_text_map_t *map,
    u_char *name, size_t len);


static ngx_http_ilert_text_map_t  ngx_http_ilert_text_tags[] = {
    { ngx_string("br"), ngx_string("\n") },
    { ngx_string("hr"), ngx_string("\n") },
    { ngx_null_string, ngx_null_string }
};


static ngx_http_ilert_text_map_t  ngx_http_ilert_text_end_tags[] = {
    { ngx_string("td"), ngx_string(" ") },
    { ngx_string("th"), ngx_string(" ") },
    { ngx_string("tr"), ngx_string("\n") },
    { ngx_string("p"), ngx_string("\n") },
    { ngx_string("div"), ngx_string("\n") },
    { ngx_string("li"), ngx_string("\n") },
    { ngx_string("ul"), ngx_string("\n") },
    { ngx_string("ol"), ngx_string("\n") },
    { ngx_string("dl"), ngx_string("\n") },
    { ngx_string("dt"), ngx_string("\n") },
    { ngx_string("dd"), ngx_string("\n") },
    { ngx_string("h1"), ngx_string("\n") },
    { ngx_string("h2"), ngx_string("\n") },
    { ngx_string("h3"), ngx_string("\n") },
    { ngx_string("h4"), ngx_string("\n") },
    { ngx_string("h5"), ngx_string("\n") },
    { ngx_string("h6"), ngx_string("\n") },
    { ngx_string("pre"), ngx_string("\n") },
    { ngx_string("table"), ngx_string("\n") },
    { ngx_string("thead"), ngx_string("\n") },
    { ngx_string("tbody"), ngx_string("\n") },
    { ngx_string("title"), ngx_string("\n") },
    { ngx_string("header"), ngx_string("\n") },
    { ngx_string("footer"), ngx_string("\n") },
    { ngx_string("section"), ngx_string("\n") },
    { ngx_string("article"), ngx_string("\n") },
    { ngx_string("blockquote"), ngx_string("\n") },
    { ngx_null_string, ngx_null_string }
};


static ngx_http_ilert_text_map_t  ngx_http_ilert_text_entities[] = {
    { ngx_string("amp"), ngx_string("&") },
    { ngx_string("lt"), ngx_string("<") },
    { ngx_string("gt"), ngx_string(">") },
    { ngx_string("quot"), ngx_string("\"") },
    { ngx_string("apos"), ngx_string("'") },
    { ngx_string("nbsp"), ngx_string("\xc2\xa0") },
    { ngx_null_string, ngx_null_string }
};


ngx_int_t
ngx_http_ilert_text_unescape(ngx_str_t *html, ngx_str_t *text,
    ngx_pool_t *pool)
{
    return ngx_http_ilert_text_convert(html, text, 0, pool);
}


ngx_int_t
ngx_http_ilert_text_from_html(ngx_str_t *html, ngx_str_t *text,
    ngx_pool_t *pool)
{
    if (ngx_http_ilert_text_convert(html, text, 1, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_ilert_text_trim(text);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_text_convert(ngx_str_t *html, ngx_str_t *text, ngx_uint_t tags,
    ngx_pool_t *pool)
{
    u_char     *p, *last, *next, *limit, *out;
    ngx_str_t   s;

    /* A tag or an entity is never shorter than the text in its place. */

    out = ngx_pnalloc(pool, html->len);
    if (out == NULL) {
        return NGX_ERROR;
    }

    text->data = out;

    p = html->data;
    last = p + html->len;
    limit = last;

    while (p < last) {

        next = NULL;

        if (*p == '&') {
            next = ngx_http_ilert_text_entity(p, last, &out);

        } else if (*p == '<' && tags) {
            next = ngx_http_ilert_text_tag(p, last, &limit, &s);

            if (next) {
                out = ngx_cpymem(out, s.data, s.len);
            }
        }

        if (next) {
            p = next;
            continue;
        }

        do {
            *out++ = *p++;
        } while (p < last && *p != '&' && *p != '<');
    }

    text->len = out - text->data;

    return NGX_OK;
}


/*
 * Returns the place behind the tag at p, and sets "text" to what takes its
 * place; returns NULL if there is no tag.  "limit" is a place from which on
 * there is no ">": a search that finds none moves it, so that a text full of
 * "<" is not searched to its end for each of them.
 */

static u_char *
ngx_http_ilert_text_tag(u_char *p, u_char *last, u_char **limit,
    ngx_str_t *text)
{
    u_char      *name, *end;
    ngx_str_t   *found;
    ngx_uint_t   closing;

    closing = 0;
    name = p + 1;

    if (name < last && *name == '/') {
        closing = 1;
        name++;
    }

    if (name == last
        || !(((*name | 0x20) >= 'a' && (*name | 0x20) <= 'z')
             || (*name == '!' && !closing)))
    {
        return NULL;
    }

    end = (name < *limit) ? ngx_strlchr(name, last, '>') : NULL;

    if (end == NULL) {
        *limit = ngx_min(*limit, name);
        return NULL;
    }

    for (p = name; *p > ' ' && *p != '/' && *p != '>'; p++) { /* void */ }

    found = ngx_http_ilert_text_find(closing ? ngx_http_ilert_text_end_tags
                                             : ngx_http_ilert_text_tags,
                                     name, p - name);
    if (found) {
        *text = *found;

    } else {
        ngx_str_set(text, "");
    }

    return end + 1;
}


/*
 * Decodes the entity at p to *out, and moves *out.  Returns the place behind
 * the entity, or NULL if there is none or if its name is not known.
 */

static u_char *
ngx_http_ilert_text_entity(u_char *p, u_char *last, u_char **out)
{
    u_char     *end;
    ngx_str_t  *text;

    /* Nearly all entities in Kapacitor's dump of an alert are quotes. */

    if (last - p >= 5 && ngx_memcmp(p, "&#34;", 5) == 0) {
        *(*out)++ = '"';
        return p + 5;
    }

    p++;

    if (p < last && *p == '#') {
        return ngx_http_ilert_text_number(p + 1, last, out);
    }

    for (end = p; end < last && *end >= 'a' && *end <= 'z'; end++) {
        /* void */
    }

    if (end == last || *end != ';') {
        return NULL;
    }

    text = ngx_http_ilert_text_find(ngx_http_ilert_text_entities,
                                    p, end - p);
    if (text == NULL) {
        return NULL;
    }

    *out = ngx_cpymem(*out, text->data, text->len);

    return end + 1;
}


/* Does the same for an entity with a number, of which p is behind the "#". */

static u_char *
ngx_http_ilert_text_number(u_char *p, u_char *last, u_char **out)
{
    u_char      *start;
    uint32_t     code, digit, base;

    base = 10;

    if (p < last && (*p | 0x20) == 'x') {
        base = 16;
        p++;
    }

    code = 0;

    for (start = p; p < last; p++) {

        if (*p >= '0' && *p <= '9') {
            digit = *p - '0';

        } else if (base == 16 && (*p | 0x20) >= 'a' && (*p | 0x20) <= 'f') {
            digit = (*p | 0x20) - 'a' + 10;

        } else {
            break;
        }

        /* There may be any number of digits; code must not overflow. */

        if (code <= 0x10ffff) {
            code = code * base + digit;
        }
    }

    if (p == start || p == last || *p != ';') {
        return NULL;
    }

    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        code = NGX_HTTP_ILERT_TEXT_REPLACEMENT;
    }

    *out = ngx_http_ilert_text_put(*out, code);

    return p + 1;
}


/* Names are compared without case.  Returns NULL if there is no such name. */

static ngx_str_t *
ngx_http_ilert_text_find(ngx_http_ilert_text_map_t *map, u_char *name,
    size_t len)
{
    for ( /* void */ ; map->name.len; map++) {
        if (map->name.len == len
            && ngx_strncasecmp(map->name.data, name, len) == 0)
        {
            return &map->text;
        }
    }

    return NULL;
}


u_char *
ngx_http_ilert_text_put(u_char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (u_char) code;
        return out;
    }

    if (code < 0x800) {
        *out++ = (u_char) (0xc0 | (code >> 6));

    } else {

        if (code < 0x10000) {
            *out++ = (u_char) (0xe0 | (code >> 12));

        } else {
            *out++ = (u_char) (0xf0 | (code >> 18));
            *out++ = (u_char) (0x80 | ((code >> 12) & 0x3f));
        }

        *out++ = (u_char) (0x80 | ((code >> 6) & 0x3f));
    }

    *out++ = (u_char) (0x80 | (code & 0x3f));

    return out;
}


u_char *
ngx_http_ilert_text_next(u_char *p, u_char *last)
{
    u_char      ch;
    uint32_t    code, least;
    ngx_uint_t  n;

    ch = *p++;

    if (ch >= 0xc2 && ch <= 0xdf) {
        n = 1;
        least = 0x80;

    } else if (ch >= 0xe0 && ch <= 0xef) {
        n = 2;
        least = 0x800;

    } else if (ch >= 0xf0 && ch <= 0xf4) {
        n = 3;
        least = 0x10000;

    } else {
        return NULL;
    }

    if ((ngx_uint_t) (last - p) < n) {
        return NULL;
    }

    code = ch & (0x3f >> n);

    while (n--) {
        ch = *p++;

        if ((ch & 0xc0) != 0x80) {
            return NULL;
        }

        code = (code << 6) | (ch & 0x3f);
    }

    if (code < least || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return NULL;
    }

    return p;
}


u_char *
ngx_http_ilert_text_copy(u_char *out, u_char **pos, u_char *last)
{
    u_char  *p, *next;

    p = *pos;
    next = (*p && *p < 0x80) ? p + 1 : ngx_http_ilert_text_next(p, last);

    if (next == NULL) {
        *pos = p + 1;
        return ngx_http_ilert_text_put(out, NGX_HTTP_ILERT_TEXT_REPLACEMENT);
    }

    *pos = next;

    return ngx_cpymem(out, p, next - p);
}


ngx_int_t
ngx_http_ilert_text_valid(ngx_str_t *text, ngx_pool_t *pool)
{
    u_char  *p, *out, *last, *next;

    p = text->data;
    last = p + text->len;

    while (p < last) {
        next = (*p && *p < 0x80) ? p + 1 : ngx_http_ilert_text_next(p, last);

        if (next == NULL) {
            break;
        }

        p = next;
    }

    if (p == last) {
        return NGX_OK;
    }

    out = ngx_pnalloc(pool, (p - text->data) + 3 * (last - p));
    if (out == NULL) {
        return NGX_ERROR;
    }

    p = text->data;
    text->data = out;

    while (p < last) {
        out = ngx_http_ilert_text_copy(out, &p, last);
    }

    text->len = out - text->data;

    return NGX_OK;
}


size_t
ngx_http_ilert_text_cut(ngx_str_t *text, size_t max)
{
    if (text->len <= max) {
        return text->len;
    }

    while (max && (text->data[max] & 0xc0) == 0x80) {
        max--;
    }

    return max;
}


void
ngx_http_ilert_text_trim(ngx_str_t *text)
{
    while (text->len && ngx_strchr(" \t\r\n", text->data[0])) {
        text->data++;
        text->len--;
    }

    while (text->len && ngx_strchr(" \t\r\n", text->data[text->len - 1])) {
        text->len--;
    }
}


ngx_uint_t
ngx_http_ilert_text_blank(ngx_str_t *text)
{
    ngx_str_t  trimmed;

    trimmed = *text;
    ngx_http_ilert_text_trim(&trimmed);

    return trimmed.len == 0;
}


void
ngx_http_ilert_text_line(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < ' ' || text->data[i] == 0x7f) {
            text->data[i] = ' ';
        }
    }
}
