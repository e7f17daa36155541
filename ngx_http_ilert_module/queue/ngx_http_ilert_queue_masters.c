
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_proc.h"
#include "ngx_http_ilert_queue_masters.h"
#include "ngx_http_ilert_queue_zone.h"


#if (NGX_THREADS)

#define NGX_HTTP_ILERT_MASTERS_FILE  "/masters"

/* the last byte that can be locked; numbers of sessions are below it */

#define NGX_HTTP_ILERT_MASTERS_LAST  NGX_MAX_OFF_T_VALUE


static ngx_fd_t ngx_http_ilert_queue_masters_open(
    ngx_http_ilert_queue_conf_t *conf, int flags);
static ngx_int_t ngx_http_ilert_queue_masters_name(
    ngx_http_ilert_queue_conf_t *conf, u_char *name);
static ngx_uint_t ngx_http_ilert_queue_masters_is_there(
    ngx_http_ilert_queue_conf_t *conf, ngx_fd_t fd);
static void ngx_http_ilert_queue_masters_rejoin(
    ngx_http_ilert_queue_conf_t *conf);
static off_t ngx_http_ilert_queue_masters_byte(
    ngx_http_ilert_queue_conf_t *conf);
static ngx_uint_t ngx_http_ilert_queue_masters_is_locked(ngx_fd_t fd,
    off_t from, off_t to, struct flock *fl);
static ngx_uint_t ngx_http_ilert_queue_masters_search(ngx_cycle_t *cycle,
    ngx_fd_t fd, off_t from, off_t to, ngx_pid_t *pid);
static ngx_uint_t ngx_http_ilert_queue_masters_is_related(ngx_cycle_t *cycle,
    ngx_pid_t pid);
static ngx_pid_t ngx_http_ilert_queue_masters_pid_in(u_char *name);


/*
 * The file, as it is open in a worker.  A worker must not open and close it
 * a second time: whichever descriptor of the file a process closes, the kernel
 * removes all locks that the process has on it.
 */

static ngx_fd_t  ngx_http_ilert_queue_masters_fd = NGX_INVALID_FILE;


void
ngx_http_ilert_queue_masters_join(ngx_http_ilert_queue_conf_t *conf)
{
    ngx_fd_t      fd;
    struct flock  fl;

    fd = ngx_http_ilert_queue_masters_open(conf, O_RDWR|O_CREAT);

    if (fd == NGX_INVALID_FILE) {
        return;
    }

    ngx_memzero(&fl, sizeof(struct flock));

    fl.l_type = F_RDLCK;
    fl.l_whence = SEEK_SET;
    fl.l_start = ngx_http_ilert_queue_masters_byte(conf);
    fl.l_len = 1;

    (void) fcntl(fd, F_SETLK, &fl);

    ngx_http_ilert_queue_masters_fd = fd;
}


static ngx_fd_t
ngx_http_ilert_queue_masters_open(ngx_http_ilert_queue_conf_t *conf, int flags)
{
    u_char  name[NGX_MAX_PATH];

    if (ngx_http_ilert_queue_masters_name(conf, name) != NGX_OK) {
        return NGX_INVALID_FILE;
    }

    return open((const char *) name, flags|O_NONBLOCK|O_CLOEXEC, 0600);
}


static ngx_int_t
ngx_http_ilert_queue_masters_name(ngx_http_ilert_queue_conf_t *conf,
    u_char *name)
{
    if (conf->path.len + sizeof(NGX_HTTP_ILERT_MASTERS_FILE) > NGX_MAX_PATH) {
        return NGX_ERROR;
    }

    ngx_sprintf(name, "%V" NGX_HTTP_ILERT_MASTERS_FILE "%Z", &conf->path);

    return NGX_OK;
}


/* Whether the open file is the one that has the name now. */

static ngx_uint_t
ngx_http_ilert_queue_masters_is_there(ngx_http_ilert_queue_conf_t *conf,
    ngx_fd_t fd)
{
    u_char           name[NGX_MAX_PATH];
    ngx_file_info_t  fi, there;

    return ngx_http_ilert_queue_masters_name(conf, name) == NGX_OK
           && ngx_file_info(name, &there) != NGX_FILE_ERROR
           && ngx_fd_info(fd, &fi) != NGX_FILE_ERROR
           && fi.st_dev == there.st_dev && fi.st_ino == there.st_ino;
}


/* Takes the lock of this worker on the file that is there now. */

static void
ngx_http_ilert_queue_masters_rejoin(ngx_http_ilert_queue_conf_t *conf)
{
    ngx_fd_t  fd;

    fd = ngx_http_ilert_queue_masters_fd;

    if (fd != NGX_INVALID_FILE
        && !ngx_http_ilert_queue_masters_is_there(conf, fd))
    {
        (void) ngx_close_file(fd);

        ngx_http_ilert_queue_masters_fd = NGX_INVALID_FILE;
        ngx_http_ilert_queue_masters_join(conf);
    }
}


static off_t
ngx_http_ilert_queue_masters_byte(ngx_http_ilert_queue_conf_t *conf)
{
    ngx_slab_pool_t               *shpool;
    ngx_http_ilert_queue_shctx_t  *sh;

    shpool = (ngx_slab_pool_t *) conf->shm_zone->shm.addr;
    sh = shpool->data;

    return (off_t) sh->session;
}


ngx_uint_t
ngx_http_ilert_queue_masters_is_alone(ngx_http_ilert_queue_conf_t *conf)
{
    off_t         byte;
    ngx_fd_t      fd;
    struct flock  fl;

    ngx_http_ilert_queue_masters_rejoin(conf);

    fd = ngx_http_ilert_queue_masters_fd;
    byte = ngx_http_ilert_queue_masters_byte(conf);

    return fd != NGX_INVALID_FILE
           && !ngx_http_ilert_queue_masters_is_locked(fd, 0, byte - 1, &fl)
           && !ngx_http_ilert_queue_masters_is_locked(fd, byte + 1,
                                          NGX_HTTP_ILERT_MASTERS_LAST, &fl);
}


/*
 * Returns 1 with "fl" set to the lock of another process on one of the bytes,
 * or 0 if there is none.
 */

static ngx_uint_t
ngx_http_ilert_queue_masters_is_locked(ngx_fd_t fd, off_t from, off_t to,
    struct flock *fl)
{
    if (from > to) {
        return 0;
    }

    ngx_memzero(fl, sizeof(struct flock));

    fl->l_type = F_WRLCK;
    fl->l_whence = SEEK_SET;
    fl->l_start = from;

    /* a length of 0 is up to the last byte */

    fl->l_len = (to == NGX_HTTP_ILERT_MASTERS_LAST) ? 0 : to - from + 1;

    return fcntl(fd, F_GETLK, fl) != -1 && fl->l_type != F_UNLCK;
}


u_char *
ngx_http_ilert_queue_masters_another(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf, u_char *p, u_char *last)
{
    off_t       byte;
    ngx_fd_t    fd;
    ngx_pid_t   pid;
    ngx_uint_t  another;

    ngx_http_ilert_queue_masters_rejoin(conf);

    fd = ngx_http_ilert_queue_masters_fd;

    if (fd == NGX_INVALID_FILE) {
        fd = ngx_http_ilert_queue_masters_open(conf, O_RDONLY);

        if (fd == NGX_INVALID_FILE) {
            return p;
        }
    }

    byte = ngx_http_ilert_queue_masters_byte(conf);

    another = ngx_http_ilert_queue_masters_search(cycle, fd, 0, byte - 1,
                                                   &pid)
              || ngx_http_ilert_queue_masters_search(cycle, fd, byte + 1,
                                                 NGX_HTTP_ILERT_MASTERS_LAST,
                                                     &pid);

    if (fd != ngx_http_ilert_queue_masters_fd) {
        (void) ngx_close_file(fd);
    }

    if (!another) {
        return p;
    }

    p = ngx_slprintf(p, last, "\"%V\" of \"ilert_queue\" is used by another "
                     "nginx, too, ", &conf->path);

    /*
     * The kernel gives no number, or a negative one, for a process of another
     * container or another machine.
     */

    p = pid ? ngx_slprintf(p, last, "by its process %P", pid)
            : ngx_slprintf(p, last, "in another container");

    return ngx_slprintf(p, last, ", each nginx needs a directory of its own");
}


/*
 * Searches the bytes for the lock of a process that is not related.  The
 * kernel tells one lock of a range, which need not be the first one: so what
 * is before it and what is behind it is searched, too.  Returns 1 with "pid"
 * set, to 0 if it is not known, or 0 if there is none.
 */

static ngx_uint_t
ngx_http_ilert_queue_masters_search(ngx_cycle_t *cycle, ngx_fd_t fd,
    off_t from, off_t to, ngx_pid_t *pid)
{
    struct flock  fl;

    if (!ngx_http_ilert_queue_masters_is_locked(fd, from, to, &fl)) {
        return 0;
    }

    if (!ngx_http_ilert_queue_masters_is_related(cycle, fl.l_pid)) {
        *pid = ngx_max(fl.l_pid, 0);
        return 1;
    }

    return ngx_http_ilert_queue_masters_search(cycle, fd, from,
                                               fl.l_start - 1, pid)
           || ngx_http_ilert_queue_masters_search(cycle, fd, fl.l_start + 1,
                                                  to, pid);
}


/*
 * Whether our master is being upgraded to the master of that worker, or the
 * other way round.  A process that only tests a configuration has no workers:
 * for it the worker is related if its master is in the file of the directive
 * "pid", or in the one to which nginx renames that during an upgrade.
 */

static ngx_uint_t
ngx_http_ilert_queue_masters_is_related(ngx_cycle_t *cycle, ngx_pid_t pid)
{
    ngx_pid_t         us, master;
    ngx_core_conf_t  *ccf;

    if (pid <= 0) {
        return 0;
    }

    master = ngx_http_ilert_proc_stat(pid, NGX_HTTP_ILERT_PROC_PARENT);

    if (ngx_test_config) {
        ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                               ngx_core_module);

        return ngx_http_ilert_queue_masters_pid_in(ccf->pid.data) == master
               || ngx_http_ilert_queue_masters_pid_in(ccf->oldpid.data)
                  == master;
    }

    us = (ngx_process == NGX_PROCESS_WORKER) ? ngx_parent : ngx_pid;

    return ngx_http_ilert_proc_stat(master, NGX_HTTP_ILERT_PROC_PARENT) == us
           || (ngx_inherited
               && ngx_http_ilert_proc_stat(us, NGX_HTTP_ILERT_PROC_PARENT)
                  == master);
}


/* Returns the pid in a file that has it in its first line, or 0. */

static ngx_pid_t
ngx_http_ilert_queue_masters_pid_in(u_char *name)
{
    u_char     *last, *end, buf[256];
    ssize_t     n;
    ngx_fd_t    fd;

    fd = ngx_open_file(name, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    (void) ngx_close_file(fd);

    end = buf + ngx_max(n, 0);

    for (last = buf; last < end && *last >= '0' && *last <= '9'; last++) {
        /* void */
    }

    return ngx_max(ngx_atoi(buf, last - buf), 0);
}

#endif
