
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_queue_mark.h"


#if (NGX_THREADS)

#define NGX_HTTP_ILERT_QUEUE_MARK  "relayed"


static u_char *ngx_http_ilert_queue_mark_name(u_char *name, ngx_str_t *path);


ngx_uint_t
ngx_http_ilert_queue_mark_is_set(ngx_str_t *path)
{
    u_char           name[NGX_MAX_PATH];
    ngx_file_info_t  fi;

    return ngx_file_info(ngx_http_ilert_queue_mark_name(name, path), &fi)
           != NGX_FILE_ERROR;
}


void
ngx_http_ilert_queue_mark_set(ngx_str_t *path)
{
    u_char    name[NGX_MAX_PATH];
    ngx_fd_t  fd;

    fd = ngx_open_file(ngx_http_ilert_queue_mark_name(name, path),
                       NGX_FILE_WRONLY, NGX_FILE_CREATE_OR_OPEN,
                       S_IRUSR|S_IWUSR);

    if (fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(fd);
    }
}


void
ngx_http_ilert_queue_mark_clear(ngx_str_t *path)
{
    u_char  name[NGX_MAX_PATH];

    (void) ngx_delete_file(ngx_http_ilert_queue_mark_name(name, path));
}


static u_char *
ngx_http_ilert_queue_mark_name(u_char *name, ngx_str_t *path)
{
    u_char  *p;

    p = ngx_slprintf(name, name + NGX_MAX_PATH - 1, "%s/%s", path->data,
                     NGX_HTTP_ILERT_QUEUE_MARK);
    *p = '\0';

    return name;
}

#endif
