
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_details.h"
#include "ngx_http_ilert_details_marks.h"
#include "ngx_http_ilert_text.h"


static u_char *ngx_http_ilert_details_next(u_char *p, u_char *last);
static u_char *ngx_http_ilert_details_link(u_char *p, u_char *last,
    ngx_uint_t image);
static u_char *ngx_http_ilert_details_target(u_char *p, u_char *last);


size_t
ngx_http_ilert_details_cut(ngx_str_t *text, size_t max)
{
    u_char  *p, *end, *last, *next;

    if (text->len <= max) {
        return text->len;
    }

    last = text->data + text->len;
    end = text->data + ngx_http_ilert_text_cut(text, max);

    /* What must be whole is on one line. */

    for (p = end; p > text->data && p[-1] != '\n'; p--) { /* void */ }

    while (p < end) {
        next = ngx_http_ilert_details_next(p, last);

        if (next > end) {
            break;
        }

        p = next;
    }

    return p - text->data;
}


/*
 * Returns the place behind the link, the image, the URL in pointed brackets,
 * or the escaped character at p; if there is none, behind the byte at p.
 */

static u_char *
ngx_http_ilert_details_next(u_char *p, u_char *last)
{
    u_char  *end, *stop;

    end = NULL;

    switch (*p) {

    case '\\':
        return p + 2;

    case '[':
        end = ngx_http_ilert_details_link(p, last, 0);
        break;

    case '!':
        if (p + 1 < last && p[1] == '[') {
            end = ngx_http_ilert_details_link(p + 1, last, 1);
        }

        break;

    case '<':
        end = ngx_http_ilert_details_bare(p + 1, last, &stop);

        if (end) {
            end = ngx_strlchr(end, last, '>');
            end = end ? end + 1 : NULL;
        }
    }

    return end ? end : p + 1;
}


/* The same for a link or an image, or NULL.  An image can be in a link. */

static u_char *
ngx_http_ilert_details_link(u_char *p, u_char *last, ngx_uint_t image)
{
    u_char  *end;

    for (p++; p < last; p++) {

        switch (*p) {

        case '\n':
        case '[':
            return NULL;

        case '\\':
            p++;
            break;

        case '!':
            if (!image && p + 1 < last && p[1] == '[') {
                end = ngx_http_ilert_details_link(p + 1, last, 1);

                if (end) {
                    p = end - 1;
                }
            }

            break;

        case ']':
            if (last - p < 2 || p[1] != '(') {
                return NULL;
            }

            return ngx_http_ilert_details_target(p + 2, last);
        }
    }

    return NULL;
}


/*
 * Returns the place behind the ")" of a link, of which p is behind the "(", or
 * NULL.  Where another link may have its "](" the search ends.
 */

static u_char *
ngx_http_ilert_details_target(u_char *p, u_char *last)
{
    ngx_uint_t  depth;

    depth = 0;

    for ( /* void */ ; p < last; p++) {

        switch (*p) {

        case '\n':
            return NULL;

        case '\\':
            p++;
            break;

        case ']':
            if (p + 1 < last && p[1] == '(') {
                return NULL;
            }

            break;

        case '(':
            depth++;
            break;

        case ')':
            if (depth == 0) {
                return p + 1;
            }

            depth--;
        }
    }

    return NULL;
}
