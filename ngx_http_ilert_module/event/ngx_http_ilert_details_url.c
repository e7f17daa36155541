
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_details_marks.h"


/* In CommonMark the name of an entity, with its ";", is never longer. */

#define NGX_HTTP_ILERT_DETAILS_NAME   32

/* so many "(" may be open in the URL of a link */

#define NGX_HTTP_ILERT_DETAILS_DEPTH  8


static u_char *ngx_http_ilert_details_written_url(u_char *p, u_char *last);
static u_char *ngx_http_ilert_details_written_title(u_char *p, u_char *last);
static u_char *ngx_http_ilert_details_trim_url(u_char *start, u_char *p);


static ngx_str_t  ngx_http_ilert_details_schemes[] = {
    ngx_string("http"),
    ngx_string("https"),
    ngx_string("mailto"),
    ngx_string("tel"),
    ngx_string("ftp"),
    ngx_string("ssh"),
    ngx_null_string
};


static ngx_str_t  ngx_http_ilert_details_prefixes[] = {
    ngx_string("http://"),
    ngx_string("https://"),
    ngx_string("ftp://"),
    ngx_string("www."),
    ngx_null_string
};


ngx_uint_t
ngx_http_ilert_details_allowed(u_char *p, u_char *last, ngx_uint_t relative)
{
    u_char     *end;
    ngx_str_t  *scheme;

    for (end = p; end < last && !ngx_strchr(":/?#&", *end); end++) {
        /* void */
    }

    if (end == last || *end != ':') {

        /* In "javascript&colon;" Markdown would decode the entity. */

        return relative && end != last && *end != '&';
    }

    for (scheme = ngx_http_ilert_details_schemes; scheme->len; scheme++) {
        if (scheme->len == (size_t) (end - p)
            && ngx_strncasecmp(scheme->data, p, scheme->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


u_char *
ngx_http_ilert_details_bare(u_char *p, u_char *last, u_char **stop)
{
    u_char      *start;
    ngx_str_t   *prefix;

    for (prefix = ngx_http_ilert_details_prefixes; prefix->len; prefix++) {
        if ((size_t) (last - p) > prefix->len
            && ngx_strncasecmp(p, prefix->data, prefix->len) == 0)
        {
            break;
        }
    }

    if (prefix->len == 0) {
        return NULL;
    }

    start = p + prefix->len;

    if (!ngx_http_ilert_details_alnum(*start) && *start < 0x80
        && *start != '[')
    {
        return NULL;
    }

    for (p = start; p < last; p++) {
        if (*p <= ' ' || *p == 0x7f || ngx_strchr("<>\"\\`", *p)) {
            break;
        }
    }

    *stop = p;

    p = ngx_http_ilert_details_trim_url(start, p);

    return (p > start) ? p : NULL;
}


/* A bracket at the end is part of the URL only if the URL has its partner. */

static u_char *
ngx_http_ilert_details_trim_url(u_char *start, u_char *p)
{
    u_char     *s;
    ngx_int_t   round, square;

    round = 0;
    square = 0;

    for (s = start; s < p; s++) {
        round += (*s == '(') - (*s == ')');
        square += (*s == '[') - (*s == ']');
    }

    while (p > start) {

        if (p[-1] == ')' && round < 0) {
            round++;

        } else if (p[-1] == ']' && square < 0) {
            square++;

        } else if (!ngx_strchr("?!.,:;*_~'", p[-1])) {
            break;
        }

        p--;
    }

    return p;
}


u_char *
ngx_http_ilert_details_written(u_char *p, u_char *last)
{
    u_char  *url;

    for (p++; p < last && *p != ']'; p++) {
        if (*p < ' ' || ngx_strchr("[<\\`", *p)) {
            return NULL;
        }
    }

    if (last - p < 2 || p[1] != '(') {
        return NULL;
    }

    url = p + 2;

    p = ngx_http_ilert_details_written_url(url, last);

    if (p == NULL || !ngx_http_ilert_details_allowed(url, p, 1)) {
        return NULL;
    }

    if (*p == ' ') {
        p = ngx_http_ilert_details_written_title(p, last);
    }

    return (p && p < last && *p == ')') ? p + 1 : NULL;
}


/*
 * Returns the place of what ends the URL, which is before "last", or NULL if
 * there is no URL that Markdown would take as it is.
 */

static u_char *
ngx_http_ilert_details_written_url(u_char *p, u_char *last)
{
    u_char      *start;
    ngx_uint_t   depth;

    depth = 0;

    for (start = p; p < last; p++) {

        if (*p <= ' ') {
            break;
        }

        /*
         * An address of IPv6 is in brackets.  A URL does not go on over any
         * other "[", where the next link may begin: so each byte is looked at
         * a few times only.
         */

        if (*p == '[' && (p - start < 2 || p[-1] != '/' || p[-2] != '/')) {
            return NULL;
        }

        if (*p == '(') {

            if (++depth > NGX_HTTP_ILERT_DETAILS_DEPTH) {
                return NULL;
            }

        } else if (*p == ')') {

            if (depth == 0) {
                break;
            }

            depth--;

        } else if (*p == 0x7f || ngx_strchr("<>\"\\`", *p)) {
            return NULL;
        }
    }

    return (p < last && depth == 0) ? p : NULL;
}


/* The same for a title, from the space before it on. */

static u_char *
ngx_http_ilert_details_written_title(u_char *p, u_char *last)
{
    if (last - p < 2 || p[1] != '"') {
        return NULL;
    }

    for (p += 2; p < last && *p != '"'; p++) {
        if (*p < ' ' || ngx_strchr("[<\\`", *p)) {
            return NULL;
        }
    }

    return (p < last) ? p + 1 : NULL;
}


ngx_uint_t
ngx_http_ilert_details_entity(u_char *p, u_char *last)
{
    u_char  *start;

    p++;

    if (p < last && *p == '#') {
        p++;
    }

    start = p;
    last = start + ngx_min(last - start, NGX_HTTP_ILERT_DETAILS_NAME);

    while (p < last && ngx_http_ilert_details_alnum(*p)) {
        p++;
    }

    return p > start && p < last && *p == ';';
}
