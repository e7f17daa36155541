
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


int
ngx_http_ilert_sqlite_take_mutex(ngx_http_ilert_sqlite_db_t *db)
{
    int                      rc;
    struct timespec          ts;
    ngx_http_ilert_store_t  *store;

    store = db->store;

    db->locked = 0;
    db->deadline = ngx_http_ilert_clock_msec()
                   + NGX_HTTP_ILERT_SQLITE_LOCK_TIME;

    if (store->mutex == NULL) {
        return SQLITE_OK;
    }

    rc = pthread_mutex_trylock(store->mutex);

    if (rc == EBUSY) {
        clock_gettime(CLOCK_REALTIME, &ts);
        ts.tv_sec += NGX_HTTP_ILERT_SQLITE_LOCK_TIME / 1000;
        rc = pthread_mutex_timedlock(store->mutex, &ts);
    }

    if (rc == ETIMEDOUT) {
        return ngx_http_ilert_sqlite_error(db, NGX_HTTP_ILERT_SQLITE_LOCKED);
    }

    if (rc == EOWNERDEAD) {
        /* a process has died with the mutex; SQLite undoes its transaction */
        pthread_mutex_consistent(store->mutex);
        rc = 0;
    }

    /* if the mutex cannot be used, SQLite's own locks have to do */

    db->locked = (rc == 0);

    if (db->locked && store->locked) {
        store->locked(1);
    }

    return SQLITE_OK;
}


void
ngx_http_ilert_sqlite_unlock(ngx_http_ilert_store_t *store)
{
    ngx_http_ilert_sqlite_db_t  *db;

    db = store->private;

    if (db->locked) {

        if (store->locked) {
            store->locked(0);
        }

        db->locked = 0;
        pthread_mutex_unlock(store->mutex);
    }
}


/* Other programs may have a lock, too, such as people's sqlite3 shells. */

int
ngx_http_ilert_sqlite_busy(void *data, int n)
{
    ngx_http_ilert_sqlite_db_t *db = data;

    if (ngx_http_ilert_clock_msec() >= db->deadline) {
        return 0;
    }

    usleep(n < 10 ? 500 : 5000);

    return 1;
}
