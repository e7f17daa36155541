
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_pattern.h"
#include "ngx_http_ilert_text.h"


/* Patterns of alert keys, for silences. */


static u_char *ngx_http_ilert_pattern_next(u_char *p, u_char *last);


/*
 * If something does not match, the last "*" takes one character more, and what
 * comes after it is tried again there.  No earlier "*" needs to take more: the
 * part between two of them has been found at its first place, which leaves the
 * most to what follows.
 */

ngx_uint_t
ngx_http_ilert_pattern_matches(ngx_str_t *pattern, ngx_str_t *text)
{
    u_char  *p, *t, *pend, *tend, *star, *from;

    p = pattern->data;
    pend = p + pattern->len;

    t = text->data;
    tend = t + text->len;

    star = NULL;
    from = NULL;

    for ( ;; ) {

        if (p < pend && *p == '*') {
            star = ++p;
            from = t;
            continue;
        }

        if (t == tend) {
            return p == pend;
        }

        if (p < pend && *p == '?') {
            p++;
            t = ngx_http_ilert_pattern_next(t, tend);
            continue;
        }

        if (p < pend && *p == *t) {
            p++;
            t++;
            continue;
        }

        if (star == NULL) {
            return 0;
        }

        from = ngx_http_ilert_pattern_next(from, tend);

        p = star;
        t = from;
    }
}


static u_char *
ngx_http_ilert_pattern_next(u_char *p, u_char *last)
{
    u_char  *next;

    next = ngx_http_ilert_text_next(p, last);

    return next ? next : p + 1;
}
