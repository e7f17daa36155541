
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_channel.h>

#include <sys/file.h>

#include "ngx_http_ilert_connections.h"
#include "ngx_http_ilert_life.h"
#include "ngx_http_ilert_lock.h"


#if (NGX_THREADS)

/*
 * The lock is one of flock(), on a file that the worker itself has opened.  If
 * the descriptor were inherited, several workers would share the lock; a lock
 * of fcntl() would be lost when the worker closes any descriptor of the file.
 * The kernel releases the lock when the worker dies.  If the worker only
 * stands still, another one removes the file, and the worker that makes it
 * anew takes the place.  So a lock counts only if it is on the file that has
 * the name now.
 *
 * All workers have a pipe, which their master has made: a worker writes a byte
 * to it when it has committed events, and the courier alone reads it.  A FIFO
 * in the folder could be used by workers of another master, too, but is
 * a thing that security policies, as those of SELinux, do not expect there.
 */

#define NGX_HTTP_ILERT_LOCK_FILE      "/courier.lock"

/* the FIFO in the folder that releases before 0.2.0 used */

#define NGX_HTTP_ILERT_LOCK_FIFO      "/wakeup"


/* of a master, and inherited by its workers */

typedef struct {
    ngx_socket_t                     fds[2];    /* for reading, for writing */
    uint32_t                         path;      /* hash of the folder's path */
    unsigned                         open:1;
} ngx_http_ilert_lock_pipe_t;


/* of a worker */

typedef struct {
    ngx_str_t                       *path;
    ngx_http_ilert_lock_client_t    *client;

    ngx_fd_t                         lock;      /* the file, when it is open */
    dev_t                            device;    /* of the file, if "held" */
    ino_t                            inode;
    ngx_connection_t                *connection;    /* for reading, "held" */
    u_char                          *lock_name;

    /*
     * A number in shared memory, which is another one each time that a worker
     * takes the lock.
     */
    ngx_uint_t                       seat;

    unsigned                         held:1;
    unsigned                         fault:1;   /* an error was logged */
} ngx_http_ilert_lock_t;


static u_char *ngx_http_ilert_lock_name(ngx_pool_t *pool, ngx_str_t *path,
    const char *name);
static ngx_uint_t ngx_http_ilert_lock_is_there(ngx_fd_t fd, u_char *name);
static ngx_int_t ngx_http_ilert_lock_open(ngx_http_ilert_lock_t *lk);
static void ngx_http_ilert_lock_watch(ngx_http_ilert_lock_t *lk);
static ngx_pid_t ngx_http_ilert_lock_find_silent(ngx_http_ilert_lock_t *lk,
    ngx_msec_t time);
static ngx_int_t ngx_http_ilert_lock_pid(ngx_http_ilert_lock_t *lk);
static void ngx_http_ilert_lock_fault(ngx_http_ilert_lock_t *lk,
    const char *what, u_char *name);
static ngx_int_t ngx_http_ilert_lock_try(ngx_http_ilert_lock_t *lk);
static void ngx_http_ilert_lock_write_pid(ngx_http_ilert_lock_t *lk);
static void ngx_http_ilert_lock_delete_fifo(ngx_http_ilert_lock_t *lk);
static ngx_int_t ngx_http_ilert_lock_listen(ngx_http_ilert_lock_t *lk);
static void ngx_http_ilert_lock_pipe_handler(ngx_event_t *rev);


static ngx_http_ilert_lock_pipe_t  ngx_http_ilert_lock_pipe;
static ngx_http_ilert_lock_t       ngx_http_ilert_lock;


void
ngx_http_ilert_lock_init_module(ngx_cycle_t *cycle, ngx_str_t *path)
{
    uint32_t                     hash;
    ngx_http_ilert_lock_pipe_t  *lp;

    lp = &ngx_http_ilert_lock_pipe;

    hash = ngx_crc32_long(path->data, path->len);

    if (lp->open) {

        if (lp->path == hash) {
            return;
        }

        /* workers of the earlier configuration have the pipe open, too */

        ngx_close_channel(lp->fds, cycle->log);
        lp->open = 0;
    }

    if (pipe2(lp->fds, O_NONBLOCK|O_CLOEXEC) == -1) {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, ngx_errno,
                      "ilert queue \"%V\": there is no pipe for the workers, "
                      "nothing that waits is delivered", path);
        return;
    }

    lp->path = hash;
    lp->open = 1;
}


ngx_int_t
ngx_http_ilert_lock_init_process(ngx_cycle_t *cycle, ngx_str_t *path,
    ngx_http_ilert_lock_client_t *client)
{
    ngx_http_ilert_lock_t  *lk;

    lk = &ngx_http_ilert_lock;

    ngx_memzero(lk, sizeof(ngx_http_ilert_lock_t));

    lk->path = path;
    lk->client = client;
    lk->lock = NGX_INVALID_FILE;

    lk->lock_name = ngx_http_ilert_lock_name(cycle->pool, path,
                                             NGX_HTTP_ILERT_LOCK_FILE);

    return lk->lock_name ? NGX_OK : NGX_ERROR;
}


static u_char *
ngx_http_ilert_lock_name(ngx_pool_t *pool, ngx_str_t *path,
    const char *name)
{
    u_char  *p;

    p = ngx_pnalloc(pool, path->len + ngx_strlen(name) + 1);

    if (p) {
        ngx_sprintf(p, "%V%s%Z", path, name);
    }

    return p;
}


void
ngx_http_ilert_lock_compete(void)
{
    ngx_http_ilert_lock_t  *lk;

    lk = &ngx_http_ilert_lock;

    if (ngx_http_ilert_lock_open(lk) == NGX_OK
        && ngx_http_ilert_lock_try(lk) != NGX_OK)
    {
        ngx_http_ilert_lock_watch(lk);
    }
}


ngx_int_t
ngx_http_ilert_lock_look(void)
{
    ngx_http_ilert_lock_t  *lk;

    lk = &ngx_http_ilert_lock;

    if (!ngx_http_ilert_lock_is_current()
        || !ngx_http_ilert_lock_is_there(lk->lock, lk->lock_name))
    {
        return NGX_DECLINED;
    }

    if (ngx_http_ilert_life_sign()) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert queue \"%V\": this worker stood still, and "
                      "delivers again", lk->path);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_ilert_lock_is_current(void)
{
    ngx_http_ilert_lock_t  *lk;

    lk = &ngx_http_ilert_lock;

    return lk->held && ngx_http_ilert_life_has_seat(lk->seat)
           && (!ngx_http_ilert_life_is_late()
               || ngx_http_ilert_lock_is_there(lk->lock, lk->lock_name));
}


/* Returns 1 if the open file is the one that has the name now. */

static ngx_uint_t
ngx_http_ilert_lock_is_there(ngx_fd_t fd, u_char *name)
{
    ngx_file_info_t  fi, there;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        return 0;
    }

    if (ngx_file_info(name, &there) == NGX_FILE_ERROR) {

        /* these errors may pass, and do not mean that the file is gone */

        return ngx_errno == EIO || ngx_errno == NGX_ENOMEM;
    }

    return fi.st_dev == there.st_dev && fi.st_ino == there.st_ino;
}


static ngx_int_t
ngx_http_ilert_lock_open(ngx_http_ilert_lock_t *lk)
{
    if (lk->lock != NGX_INVALID_FILE
        && !ngx_http_ilert_lock_is_there(lk->lock, lk->lock_name))
    {
        (void) ngx_close_file(lk->lock);
        lk->lock = NGX_INVALID_FILE;
    }

    if (lk->lock == NGX_INVALID_FILE) {
        lk->lock = open((char *) lk->lock_name,
                        O_RDWR|O_CREAT|O_NONBLOCK|O_CLOEXEC, 0600);

        if (lk->lock == NGX_INVALID_FILE) {
            ngx_http_ilert_lock_fault(lk, ngx_open_file_n, lk->lock_name);
            return NGX_ERROR;
        }
    }

    lk->fault = 0;

    return NGX_OK;
}


/*
 * Another worker is the courier.  If it stands still, removes the lock's file:
 * the worker that makes the file anew, this one or another, takes its place.
 */

static void
ngx_http_ilert_lock_watch(ngx_http_ilert_lock_t *lk)
{
    ngx_pid_t  pid;

    pid = ngx_http_ilert_lock_find_silent(lk, NGX_HTTP_ILERT_LIFE_SILENT);

    if (pid == 0) {
        return;
    }

    if (ngx_http_ilert_life_may_log_silence()) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "ilert queue \"%V\": the courier, process %P, gives no "
                      "sign of life, nothing is delivered",
                      lk->path, pid);
    }

    if (!ngx_http_ilert_lock_find_silent(lk, NGX_HTTP_ILERT_LIFE_STILL)
        || !ngx_http_ilert_life_claim_seat())
    {
        return;
    }

    if (ngx_delete_file(lk->lock_name) == NGX_FILE_ERROR) {
        ngx_http_ilert_lock_fault(lk, ngx_delete_file_n, lk->lock_name);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "ilert queue \"%V\": process %P has given no sign of life "
                  "for 10 seconds, another worker takes its place",
                  lk->path, pid);

    if (ngx_http_ilert_lock_open(lk) == NGX_OK) {
        (void) ngx_http_ilert_lock_try(lk);
    }
}


/*
 * Returns the pid of the courier if it has given no sign of life for "time"
 * ms, else 0.  If a worker of another master has the lock, it is 0, since that
 * worker leaves its signs in memory which is not ours.
 */

static ngx_pid_t
ngx_http_ilert_lock_find_silent(ngx_http_ilert_lock_t *lk,
    ngx_msec_t time)
{
    ngx_int_t  locked;
    ngx_pid_t  pid;

    pid = ngx_http_ilert_life_silent(time);

    if (pid == 0) {
        return 0;
    }

    locked = ngx_http_ilert_lock_pid(lk);

    return (locked <= 0 || locked == pid) ? pid : 0;
}


/* Returns the pid that is in the lock's file, or NGX_ERROR. */

static ngx_int_t
ngx_http_ilert_lock_pid(ngx_http_ilert_lock_t *lk)
{
    u_char   buf[NGX_INT_T_LEN];
    ssize_t  n;

    if (lk->lock == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    n = pread(lk->lock, buf, sizeof(buf), 0);

    return (n > 0) ? ngx_atoi(buf, n) : NGX_ERROR;
}


static void
ngx_http_ilert_lock_fault(ngx_http_ilert_lock_t *lk, const char *what,
    u_char *name)
{
    /* if the folder is at fault, the store logs it, and says more */

    if (ngx_errno == NGX_ENOENT || ngx_errno == NGX_EACCES) {
        return;
    }

    if (!lk->fault) {
        lk->fault = 1;

        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_errno,
                      "%s \"%s\" failed, nothing that waits is delivered",
                      what, name);
    }
}


/*
 * Tries to take the lock.  Returns NGX_OK; NGX_DECLINED if another worker has
 * it, or this one may not have it; or NGX_ERROR.
 */

static ngx_int_t
ngx_http_ilert_lock_try(ngx_http_ilert_lock_t *lk)
{
    ngx_file_info_t  fi;

    if (!lk->client->may_begin()) {
        return NGX_DECLINED;
    }

    if (flock(lk->lock, LOCK_EX|LOCK_NB) == -1) {
        return NGX_DECLINED;
    }

    /* the file may have been removed and made anew since it was opened */

    if (!ngx_http_ilert_lock_is_there(lk->lock, lk->lock_name)
        || ngx_fd_info(lk->lock, &fi) == NGX_FILE_ERROR
        || ngx_http_ilert_lock_listen(lk) != NGX_OK)
    {
        (void) flock(lk->lock, LOCK_UN);
        return NGX_ERROR;
    }

    lk->device = fi.st_dev;
    lk->inode = fi.st_ino;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "ilert queue \"%V\": this worker delivers",
                  lk->path);

    lk->held = 1;
    lk->seat = ngx_http_ilert_life_take_seat();

    ngx_http_ilert_lock_write_pid(lk);
    ngx_http_ilert_lock_delete_fifo(lk);

    lk->client->begins();

    return NGX_OK;
}


/*
 * Writes our pid into the lock's file, so that others can see whether there is
 * a courier.  The pid always has 10 digits: as the file keeps its size, this
 * needs no more room on a full disk.
 */

static void
ngx_http_ilert_lock_write_pid(ngx_http_ilert_lock_t *lk)
{
    u_char   buf[NGX_INT64_LEN];
    ssize_t  n;

    n = ngx_sprintf(buf, "%010P", ngx_pid) - buf;

    if (pwrite(lk->lock, buf, n, 0) != n) {
        ngx_log_debug1(NGX_LOG_DEBUG_CORE, ngx_cycle->log, ngx_errno,
                       "pwrite() \"%s\" failed", lk->lock_name);
    }
}


/* Workers of an earlier release, if there are some, make it anew. */

static void
ngx_http_ilert_lock_delete_fifo(ngx_http_ilert_lock_t *lk)
{
    u_char           name[NGX_MAX_PATH];
    ngx_file_info_t  fi;

    if (lk->path->len + sizeof(NGX_HTTP_ILERT_LOCK_FIFO) > NGX_MAX_PATH) {
        return;
    }

    ngx_sprintf(name, "%V" NGX_HTTP_ILERT_LOCK_FIFO "%Z", lk->path);

    if (ngx_link_info(name, &fi) != NGX_FILE_ERROR && S_ISFIFO(fi.st_mode)) {
        (void) ngx_delete_file(name);
    }
}


/*
 * Reads the pipe, as an idle connection: when the worker is to exit, nginx
 * closes idle connections, and so our handler is called at once.
 */

static ngx_int_t
ngx_http_ilert_lock_listen(ngx_http_ilert_lock_t *lk)
{
    ngx_fd_t           fd;
    ngx_connection_t  *c;

    if (!ngx_http_ilert_lock_pipe.open) {
        return NGX_ERROR;
    }

    fd = fcntl(ngx_http_ilert_lock_pipe.fds[0], F_DUPFD_CLOEXEC, 0);

    if (fd == -1) {
        ngx_http_ilert_lock_fault(lk, "fcntl()", (u_char *) "pipe");
        return NGX_ERROR;
    }

    ngx_http_ilert_connections_lend();

    c = ngx_get_connection(fd, ngx_cycle->log);

    ngx_http_ilert_connections_keep();

    if (c == NULL) {
        (void) ngx_close_file(fd);
        return NGX_ERROR;
    }

    c->data = lk;
    c->idle = 1;
    c->log = ngx_cycle->log;

    c->read->handler = ngx_http_ilert_lock_pipe_handler;
    c->read->log = c->log;
    c->write->log = c->log;

    /* or nginx would log an open socket when the worker exits */

    c->read->channel = 1;
    c->write->channel = 1;

    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    lk->connection = c;

    return NGX_OK;
}


static void
ngx_http_ilert_lock_pipe_handler(ngx_event_t *rev)
{
    u_char                  buf[512];
    ssize_t                 n;
    ngx_connection_t       *c;
    ngx_http_ilert_lock_t  *lk;

    c = rev->data;
    lk = c->data;

    if (c->close) {
        lk->client->exits();
        return;
    }

    do {
        n = read(c->fd, buf, sizeof(buf));
    } while (n == sizeof(buf));

    lk->client->woken();
}


void
ngx_http_ilert_lock_wake(void)
{
    ngx_http_ilert_lock_pipe_t  *lp;

    lp = &ngx_http_ilert_lock_pipe;

    /* if the pipe is full, the courier is woken in any case */

    if (lp->open && write(lp->fds[1], "", 1) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_http_ilert_lock_fault(&ngx_http_ilert_lock, "write()",
                                  (u_char *) "pipe");
    }
}


ngx_uint_t
ngx_http_ilert_lock_runs(void)
{
    ngx_int_t               pid;
    ngx_http_ilert_lock_t  *lk;

    lk = &ngx_http_ilert_lock;

    if (ngx_http_ilert_lock_is_current()) {
        return 1;
    }

    if (lk->held || ngx_http_ilert_lock_open(lk) != NGX_OK) {
        return 0;
    }

    if (!ngx_exiting && ngx_http_ilert_lock_try(lk) == NGX_OK) {
        return 1;
    }

    pid = ngx_http_ilert_lock_pid(lk);

    return pid > 0 && (kill(pid, 0) == 0 || ngx_errno != ESRCH)
           && !ngx_http_ilert_lock_silent();
}


ngx_pid_t
ngx_http_ilert_lock_silent(void)
{
    return ngx_http_ilert_lock_find_silent(&ngx_http_ilert_lock,
                                           NGX_HTTP_ILERT_LIFE_SILENT);
}


ngx_uint_t
ngx_http_ilert_lock_is_held(void)
{
    return ngx_http_ilert_lock.held;
}


ngx_uint_t
ngx_http_ilert_lock_seat(void)
{
    return ngx_http_ilert_lock.seat;
}


void
ngx_http_ilert_lock_set_job(ngx_http_ilert_store_job_t *job)
{
    ngx_http_ilert_lock_t  *lk;

    lk = &ngx_http_ilert_lock;

    job->lock = lk->lock_name;
    job->lock_device = lk->device;
    job->lock_inode = lk->inode;
}


void
ngx_http_ilert_lock_ignore_exit(void)
{
    ngx_http_ilert_lock.connection->idle = 0;
}


void
ngx_http_ilert_lock_let_go(void)
{
    ngx_http_ilert_lock_t  *lk;

    lk = &ngx_http_ilert_lock;

    /* first this: the next courier may begin when the file is closed */

    ngx_http_ilert_life_leave_seat(lk->seat);

    lk->held = 0;

    if (lk->connection) {

        /*
         * The pipe stays open in other workers, and so closing it here would
         * not remove it from this worker's events.
         */

        (void) ngx_del_event(lk->connection->read, NGX_READ_EVENT, 0);

        ngx_close_connection(lk->connection);
        lk->connection = NULL;
    }

    (void) ngx_close_file(lk->lock);
    lk->lock = NGX_INVALID_FILE;
}

#endif
