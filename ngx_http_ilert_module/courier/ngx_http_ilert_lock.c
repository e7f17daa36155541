
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <sys/file.h>

#include "ngx_http_ilert_connections.h"
#include "ngx_http_ilert_life.h"
#include "ngx_http_ilert_lock.h"


#if (NGX_THREADS)

/*
 * The lock is flock()'s, on a file opened by the worker itself: one that is
 * inherited, or one of fcntl()'s, would be shared or lost with another file
 * descriptor.  The kernel lets go of it when the worker dies.  If the worker
 * only stands still, the file is removed, and made anew by the next one: so
 * the lock is worth something only on the file that is in the folder now.
 *
 * Every worker has the FIFO open, and writes a byte into it when it has
 * committed events; only the courier reads.  The FIFO is there for workers of
 * another master, too, while nginx is being upgraded.
 */

#define NGX_HTTP_ILERT_LOCK_FILE      "/courier.lock"
#define NGX_HTTP_ILERT_LOCK_FIFO      "/wakeup"


/* of a worker */

typedef struct {
    ngx_str_t                       *path;
    ngx_http_ilert_lock_client_t    *client;

    ngx_fd_t                         lock;
    dev_t                            device;    /* of its file */
    ino_t                            inode;
    ngx_fd_t                         fifo;      /* to write to */
    ngx_connection_t                *connection;    /* to read from it */
    u_char                          *lock_name;
    u_char                          *fifo_name;

    /*
     * Each time that this worker takes the lock it has another number in
     * shared memory, the seat.
     */
    ngx_uint_t                       seat;

    unsigned                         held:1;
    unsigned                         fault:1;   /* of a file, which is said */
} ngx_http_ilert_lock_t;


static u_char *ngx_http_ilert_lock_name(ngx_pool_t *pool, ngx_str_t *path,
    const char *name);
static ngx_uint_t ngx_http_ilert_lock_is_there(ngx_fd_t fd, u_char *name);
static ngx_int_t ngx_http_ilert_lock_open(ngx_http_ilert_lock_t *lk);
static void ngx_http_ilert_lock_watch(ngx_http_ilert_lock_t *lk);
static ngx_pid_t ngx_http_ilert_lock_is_silent(ngx_http_ilert_lock_t *lk,
    ngx_msec_t time);
static ngx_int_t ngx_http_ilert_lock_pid(ngx_http_ilert_lock_t *lk);
static void ngx_http_ilert_lock_fault(ngx_http_ilert_lock_t *lk,
    const char *what, u_char *name);
static ngx_int_t ngx_http_ilert_lock_try(ngx_http_ilert_lock_t *lk);
static void ngx_http_ilert_lock_write_pid(ngx_http_ilert_lock_t *lk);
static ngx_int_t ngx_http_ilert_lock_listen(ngx_http_ilert_lock_t *lk);
static void ngx_http_ilert_lock_fifo_handler(ngx_event_t *rev);


static ngx_http_ilert_lock_t  ngx_http_ilert_lock;


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
    lk->fifo = NGX_INVALID_FILE;

    lk->lock_name = ngx_http_ilert_lock_name(cycle->pool, path,
                                             NGX_HTTP_ILERT_LOCK_FILE);
    lk->fifo_name = ngx_http_ilert_lock_name(cycle->pool, path,
                                             NGX_HTTP_ILERT_LOCK_FIFO);

    return (lk->lock_name && lk->fifo_name) ? NGX_OK : NGX_ERROR;
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

    if (!ngx_http_ilert_lock_is_there(lk->connection->fd, lk->fifo_name)
        && ngx_http_ilert_lock_open(lk) == NGX_OK)
    {
        ngx_close_connection(lk->connection);

        if (ngx_http_ilert_lock_listen(lk) != NGX_OK) {
            lk->connection = NULL;
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_ilert_lock_is_current(void)
{
    ngx_http_ilert_lock_t  *lk;

    lk = &ngx_http_ilert_lock;

    return lk->held && ngx_http_ilert_life_sits(lk->seat)
           && (!ngx_http_ilert_life_is_late()
               || ngx_http_ilert_lock_is_there(lk->lock, lk->lock_name));
}


/* whether the open file is the one of that name */

static ngx_uint_t
ngx_http_ilert_lock_is_there(ngx_fd_t fd, u_char *name)
{
    ngx_file_info_t  fi, there;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        return 0;
    }

    if (ngx_file_info(name, &there) == NGX_FILE_ERROR) {

        /* an error that may pass does not say that the file has gone */

        return ngx_errno == EIO || ngx_errno == NGX_ENOMEM;
    }

    return fi.st_dev == there.st_dev && fi.st_ino == there.st_ino;
}


static ngx_int_t
ngx_http_ilert_lock_open(ngx_http_ilert_lock_t *lk)
{
    ngx_uint_t  another;

    another = 0;

    if (lk->lock != NGX_INVALID_FILE
        && !ngx_http_ilert_lock_is_there(lk->lock, lk->lock_name))
    {
        (void) ngx_close_file(lk->lock);
        lk->lock = NGX_INVALID_FILE;
    }

    if (lk->fifo != NGX_INVALID_FILE
        && !ngx_http_ilert_lock_is_there(lk->fifo, lk->fifo_name))
    {
        (void) ngx_close_file(lk->fifo);
        lk->fifo = NGX_INVALID_FILE;
        another = 1;
    }

    if (lk->lock == NGX_INVALID_FILE) {
        lk->lock = open((char *) lk->lock_name,
                        O_RDWR|O_CREAT|O_NONBLOCK|O_CLOEXEC, 0600);

        if (lk->lock == NGX_INVALID_FILE) {
            ngx_http_ilert_lock_fault(lk, ngx_open_file_n, lk->lock_name);
            return NGX_ERROR;
        }
    }

    if (lk->fifo == NGX_INVALID_FILE) {

        if (mkfifo((char *) lk->fifo_name, 0600) == -1
            && ngx_errno != NGX_EEXIST)
        {
            ngx_http_ilert_lock_fault(lk, "mkfifo()", lk->fifo_name);
            return NGX_ERROR;
        }

        lk->fifo = open((char *) lk->fifo_name, O_RDWR|O_NONBLOCK|O_CLOEXEC);

        if (lk->fifo == NGX_INVALID_FILE) {
            ngx_http_ilert_lock_fault(lk, ngx_open_file_n, lk->fifo_name);
            return NGX_ERROR;
        }

        if (another) {

            /* nobody may have read what was written to the other one */

            ngx_http_ilert_lock_wake();
        }
    }

    lk->fault = 0;

    return NGX_OK;
}


/*
 * Another worker is the courier.  If it stands still its lock file is removed:
 * who makes it anew, this worker or another one, takes its place.
 */

static void
ngx_http_ilert_lock_watch(ngx_http_ilert_lock_t *lk)
{
    ngx_pid_t  pid;

    pid = ngx_http_ilert_lock_is_silent(lk, NGX_HTTP_ILERT_LIFE_SILENT);

    if (pid == 0) {
        return;
    }

    if (ngx_http_ilert_life_tell()) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "ilert queue \"%V\": the courier, process %P, gives no "
                      "sign of life, nothing is delivered",
                      lk->path, pid);
    }

    if (!ngx_http_ilert_lock_is_silent(lk, NGX_HTTP_ILERT_LIFE_STILL)
        || !ngx_http_ilert_life_claim())
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


/* its number, or 0; of one of another master nothing is known */

static ngx_pid_t
ngx_http_ilert_lock_is_silent(ngx_http_ilert_lock_t *lk,
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


/* who has the lock, by the number that is in its file, or NGX_ERROR */

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
    /* of the folder itself the store will say more */

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


/* NGX_DECLINED: another worker is the courier */

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

    /* another one may have made a new file since it was opened */

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
    lk->seat = ngx_http_ilert_life_sit();

    ngx_http_ilert_lock_write_pid(lk);

    lk->client->begins();

    return NGX_OK;
}


/*
 * For those who ask whether anybody delivers.  The file does not change its
 * size, so that there is room for it on a full disk.
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


/*
 * With a connection that is idle the core tells us at once when the worker
 * is to exit.
 */

static ngx_int_t
ngx_http_ilert_lock_listen(ngx_http_ilert_lock_t *lk)
{
    ngx_fd_t           fd;
    ngx_connection_t  *c;

    fd = open((char *) lk->fifo_name, O_RDWR|O_NONBLOCK|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        ngx_http_ilert_lock_fault(lk, ngx_open_file_n, lk->fifo_name);
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

    c->read->handler = ngx_http_ilert_lock_fifo_handler;
    c->read->log = c->log;
    c->write->log = c->log;

    /* it may be open when the worker exits */

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
ngx_http_ilert_lock_fifo_handler(ngx_event_t *rev)
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
    ngx_http_ilert_lock_t  *lk;

    lk = &ngx_http_ilert_lock;

    /* if it is full the courier has enough to read */

    if (lk->fifo != NGX_INVALID_FILE && write(lk->fifo, "", 1) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_http_ilert_lock_fault(lk, "write()", lk->fifo_name);
    }
}


/* if there is none this worker is the one, unless others have the lock */

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
    return ngx_http_ilert_lock_is_silent(&ngx_http_ilert_lock,
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
ngx_http_ilert_lock_stay(void)
{
    ngx_http_ilert_lock.connection->idle = 0;
}


void
ngx_http_ilert_lock_let_go(void)
{
    ngx_http_ilert_lock_t  *lk;

    lk = &ngx_http_ilert_lock;

    /* before the next one comes */

    ngx_http_ilert_life_rise(lk->seat);

    lk->held = 0;

    if (lk->connection) {
        ngx_close_connection(lk->connection);
        lk->connection = NULL;
    }

    (void) ngx_close_file(lk->lock);
    lk->lock = NGX_INVALID_FILE;
}

#endif
