
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_proc.h"


ngx_int_t
ngx_http_ilert_proc_stat(ngx_pid_t pid, ngx_uint_t field)
{
    u_char      *p, *last, buf[1024], name[NGX_INT64_LEN + 16];
    ssize_t      n;
    ngx_fd_t     fd;
    ngx_uint_t   i;

    ngx_sprintf(name, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file(name, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    /* the second field is a name in parentheses, of any characters */

    last = buf + n;

    for (p = last - 1; p > buf && *p != ')'; p--) { /* void */ }

    for (i = 2; i < field; i++) {

        p = ngx_strlchr(p, last, ' ');
        if (p == NULL) {
            return 0;
        }

        p++;
    }

    for (n = 0; p + n < last && p[n] >= '0' && p[n] <= '9'; n++) { /* void */ }

    return ngx_max(ngx_atoi(p, n), 0);
}
