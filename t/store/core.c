
/*
 * In place of some functions of nginx's core, of whose sources there are only
 * headers, and of names from files of the module that are not needed here.
 */


#include "store_test.h"

#include <stdarg.h>


ngx_str_t  ngx_http_ilert_level_names[] = {
    ngx_string("OK"),
    ngx_string("INFO"),
    ngx_string("WARNING"),
    ngx_string("CRITICAL")
};

ngx_str_t  ngx_http_ilert_types[] = {
    ngx_null_string,
    ngx_string("ALERT"),
    ngx_string("RESOLVE"),
    ngx_string("ACCEPT"),
    ngx_string("COMMENT")
};


uintptr_t
ngx_escape_json(u_char *dst, u_char *src, size_t size)
{
    size_t  i, n;
    char    piece[8];

    static const char  from[] = "\\\"\n\r\t\b\f", to[] = "\\\"nrtbf";

    n = 0;

    for (i = 0; i < size; i++) {

        if (src[i] && strchr(from, src[i])) {
            sqlite3_snprintf(sizeof(piece), piece, "\\%c",
                             to[strchr(from, src[i]) - from]);

        } else if (src[i] < ' ') {
            sqlite3_snprintf(sizeof(piece), piece, "\\u00%02X", src[i]);

        } else {
            piece[0] = src[i];
            piece[1] = '\0';
        }

        if (dst == NULL) {
            n += strlen(piece) - 1;
            continue;
        }

        dst = ngx_cpymem(dst, piece, strlen(piece));
    }

    return dst ? (uintptr_t) dst : n;
}


/* knows the few formats that the store's files and those of events have */

u_char *
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    va_list     args;
    ngx_str_t  *s;

    va_start(args, fmt);

    for ( /* void */ ; *fmt; fmt++) {

        if (*fmt != '%') {
            *buf++ = *fmt;
            continue;
        }

        switch (*++fmt) {

        case 'V':
            s = va_arg(args, ngx_str_t *);
            buf = ngx_cpymem(buf, s->data, s->len);
            break;

        case 's':
            buf += sprintf((char *) buf, "%s", va_arg(args, char *));
            break;

        case 'L':
            buf += sprintf((char *) buf, "%lld",
                           (long long) va_arg(args, int64_t));
            break;

        case 'u':
            fmt++;
            buf += sprintf((char *) buf, "%lu",
                           (unsigned long) va_arg(args, ngx_uint_t));
            break;

        default:
            fail_at(__FILE__, __LINE__, "a format that is not known", fmt);
            break;
        }
    }

    va_end(args);

    return buf;
}
