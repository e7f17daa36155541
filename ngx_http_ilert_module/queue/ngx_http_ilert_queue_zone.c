
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_queue_zone.h"


#if (NGX_THREADS)

/*
 * Pages of shared memory.  When a release changes what is in it, this number
 * is changed, too: a zone of another size is never taken for one of ours.
 */

#define NGX_HTTP_ILERT_QUEUE_ZONE      16


static ngx_int_t ngx_http_ilert_queue_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_ilert_queue_init_mutex(pthread_mutex_t *mutex);
static void ngx_http_ilert_queue_give(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf, ngx_uid_t user);
static ngx_int_t ngx_http_ilert_queue_next_file(
    ngx_http_ilert_queue_conf_t *conf, ngx_dir_t *dir, u_char *name,
    ngx_file_info_t *fi);
static ngx_uint_t ngx_http_ilert_queue_is_ours(u_char *name);


extern ngx_module_t  ngx_thread_pool_module;


ngx_str_t  ngx_http_ilert_queue_pool_name = ngx_string("ilert");

static ngx_str_t  ngx_http_ilert_queue_zone_name = ngx_string("ilert_queue");

/*
 * Files of the queue's folder.  The database has others beside it, whose names
 * begin with its own.
 */

static u_char  ngx_http_ilert_queue_database[] = "queue.db";

static const char  *ngx_http_ilert_queue_files[] = {
    "ballast",
    "courier.lock",
    "masters",
    NULL
};


ngx_int_t
ngx_http_ilert_queue_init(ngx_conf_t *cf, ngx_http_ilert_queue_conf_t *conf)
{
    conf->shm_zone = ngx_shared_memory_add(cf,
                                           &ngx_http_ilert_queue_zone_name,
                                           NGX_HTTP_ILERT_QUEUE_ZONE
                                           * ngx_pagesize,
                                           &ngx_http_ilert_module);
    if (conf->shm_zone == NULL) {
        return NGX_ERROR;
    }

    conf->shm_zone->init = ngx_http_ilert_queue_init_zone;
    conf->shm_zone->data = conf;

    /* in the default pool a commit might wait for files of other modules */

    return ngx_http_ilert_queue_add_thread(cf,
                                           &ngx_http_ilert_queue_pool_name);
}


static ngx_int_t
ngx_http_ilert_queue_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t               *shpool;
    ngx_http_ilert_queue_shctx_t  *sh;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        return NGX_OK;
    }

    sh = ngx_slab_calloc(shpool, sizeof(ngx_http_ilert_queue_shctx_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    shpool->data = sh;

    sh->session = (int64_t) ngx_http_ilert_clock_number();

    if (ngx_http_ilert_queue_init_mutex(&sh->mutex) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "a mutex that is shared and robust is not to be had");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* A robust mutex does not stay locked if a worker that has it is killed. */

static ngx_int_t
ngx_http_ilert_queue_init_mutex(pthread_mutex_t *mutex)
{
    ngx_int_t            rc;
    pthread_mutexattr_t  attr;

    if (pthread_mutexattr_init(&attr) != 0) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0
        && pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0
        && pthread_mutex_init(mutex, &attr) == 0)
    {
        rc = NGX_OK;
    }

    (void) pthread_mutexattr_destroy(&attr);

    return rc;
}


ngx_int_t
ngx_http_ilert_queue_add_thread(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_str_t    *value;
    ngx_conf_t    save;
    ngx_array_t   args;

    if (ngx_thread_pool_get(cf->cycle, name)) {
        return NGX_OK;
    }

    if (ngx_array_init(&args, cf->pool, 3, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    value = ngx_array_push_n(&args, 3);

    ngx_str_set(&value[0], "thread_pool");
    value[1] = *name;
    ngx_str_set(&value[2], "threads=1");

    save = *cf;

    cf->args = &args;

    if (ngx_thread_pool_module.commands[0].set(cf,
                                          &ngx_thread_pool_module.commands[0],
                                          NULL)
        != NGX_CONF_OK)
    {
        *cf = save;
        return NGX_ERROR;
    }

    *cf = save;

    return NGX_OK;
}


void
ngx_http_ilert_queue_create(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf)
{
    ngx_uid_t        user;
    ngx_file_info_t  fi;

    if (ngx_create_dir(conf->path.data, 0700) == NGX_FILE_ERROR
        && ngx_errno != NGX_EEXIST)
    {
        ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                      ngx_create_dir_n " \"%V\" of \"ilert_queue\" failed",
                      &conf->path);
        return;
    }

    user = ngx_http_ilert_queue_user(cycle);

    if (ngx_file_info(conf->path.data, &fi) == 0 && !ngx_is_dir(&fi)) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "\"%V\" of \"ilert_queue\" is not a directory",
                      &conf->path);
        return;
    }

    if (geteuid() != 0) {
        return;
    }

    /* as ngx_create_paths() does it, but an error does not stop nginx */

    if (ngx_file_info(conf->path.data, &fi) == NGX_FILE_ERROR
        || (fi.st_uid != user
            && chown((const char *) conf->path.data, user, -1) == -1)
        || ((fi.st_mode & S_IRWXU) != S_IRWXU
            && chmod((const char *) conf->path.data,
                     (fi.st_mode | S_IRWXU) & 07777) == -1))
    {
        ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                      "\"%V\" of \"ilert_queue\" cannot be given to user %d",
                      &conf->path, (int) user);
        return;
    }

    if (!ngx_test_config) {
        ngx_http_ilert_queue_give(cycle, conf, user);
    }
}


ngx_uid_t
ngx_http_ilert_queue_user(ngx_cycle_t *cycle)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (geteuid() != 0 || ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        return geteuid();
    }

    return ccf->user;
}


/*
 * Gives the queue's files in the folder to the user.  Other files are left
 * alone, since the folder may be one that was named by mistake, and has keys.
 * It is safe if the user has put links into the folder: a file is given by its
 * descriptor, not by its name, and only if it has no second name, which may be
 * elsewhere.
 */

static void
ngx_http_ilert_queue_give(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf, ngx_uid_t user)
{
    u_char           name[NGX_MAX_PATH];
    ngx_fd_t         fd;
    ngx_dir_t        dir;
    ngx_file_info_t  fi;

    if (ngx_open_dir(&conf->path, &dir) == NGX_ERROR) {
        return;
    }

    while (ngx_http_ilert_queue_next_file(conf, &dir, name, &fi) == NGX_OK) {

        if (fi.st_uid == user) {
            continue;
        }

        fd = open((const char *) name, O_PATH|O_NOFOLLOW|O_CLOEXEC);

        if (fd == NGX_INVALID_FILE) {
            continue;
        }

        if (ngx_fd_info(fd, &fi) == 0
            && ngx_is_file(&fi) && fi.st_nlink == 1
            && fchownat(fd, "", user, -1, AT_EMPTY_PATH) == -1)
        {
            ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                          "\"%s\" of \"ilert_queue\" cannot be given to "
                          "user %d", name, (int) user);
        }

        (void) ngx_close_file(fd);
    }

    (void) ngx_close_dir(&dir);
}


ngx_uint_t
ngx_http_ilert_queue_foreign(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf, ngx_uid_t user, ngx_str_t *name,
    ngx_uid_t *owner)
{
    u_char           buf[NGX_MAX_PATH];
    ngx_uint_t       foreign;
    ngx_dir_t        dir;
    ngx_file_info_t  fi;

    if (ngx_file_info(conf->path.data, &fi) == NGX_FILE_ERROR) {
        return 0;
    }

    if (fi.st_uid != user) {
        *name = conf->path;
        *owner = fi.st_uid;
        return 1;
    }

    if (ngx_open_dir(&conf->path, &dir) == NGX_ERROR) {
        return 0;
    }

    foreign = 0;

    while (ngx_http_ilert_queue_next_file(conf, &dir, buf, &fi) == NGX_OK) {

        if (fi.st_uid != user) {
            foreign = 1;
            break;
        }
    }

    (void) ngx_close_dir(&dir);

    if (!foreign) {
        return 0;
    }

    name->len = ngx_strlen(buf);
    name->data = ngx_pnalloc(cycle->pool, name->len);

    if (name->data == NULL) {
        return 0;
    }

    ngx_memcpy(name->data, buf, name->len);
    *owner = fi.st_uid;

    return 1;
}


/*
 * Sets "name", which has room for NGX_MAX_PATH bytes, and "fi" for the queue's
 * next file of the folder.  Returns NGX_OK, or NGX_DONE if there is none.
 */

static ngx_int_t
ngx_http_ilert_queue_next_file(ngx_http_ilert_queue_conf_t *conf,
    ngx_dir_t *dir, u_char *name, ngx_file_info_t *fi)
{
    while (ngx_read_dir(dir) == NGX_OK) {

        if (!ngx_http_ilert_queue_is_ours(ngx_de_name(dir))
            || conf->path.len + 1 + ngx_de_namelen(dir) >= NGX_MAX_PATH)
        {
            continue;
        }

        ngx_sprintf(name, "%V/%s%Z", &conf->path, ngx_de_name(dir));

        if (ngx_link_info(name, fi) == 0 && ngx_is_file(fi)) {
            return NGX_OK;
        }
    }

    return NGX_DONE;
}


static ngx_uint_t
ngx_http_ilert_queue_is_ours(u_char *name)
{
    const char  **file;

    if (ngx_strncmp(name, ngx_http_ilert_queue_database,
                    sizeof(ngx_http_ilert_queue_database) - 1)
        == 0)
    {
        return 1;
    }

    for (file = ngx_http_ilert_queue_files; *file; file++) {
        if (ngx_strcmp(name, *file) == 0) {
            return 1;
        }
    }

    return 0;
}


#endif
