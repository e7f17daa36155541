
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


/* bytes of all digests of a record */

#define NGX_HTTP_ILERT_SQLITE_DIGESTS                                         \
    (NGX_HTTP_ILERT_STORE_DIGESTS * NGX_HTTP_ILERT_SQLITE_UNIT)


static int ngx_http_ilert_sqlite_read_heard(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_known_t *heard);
static int ngx_http_ilert_sqlite_read_topic(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_topic_t *topic);
static int ngx_http_ilert_sqlite_save_known(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_known_t *heard);
static int ngx_http_ilert_sqlite_add_known(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_known_t *heard);
static int ngx_http_ilert_sqlite_set_known(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_known_t *heard);
static int ngx_http_ilert_sqlite_save_topic(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_topic_t *topic);


ngx_int_t
ngx_http_ilert_sqlite_heard(ngx_http_ilert_store_work_t *work, u_char *key,
    ngx_http_ilert_store_known_t **heard)
{
    int                          rc;
    ngx_str_t                    digest;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    digest.len = NGX_HTTP_ILERT_STORE_HEARD_KEY;
    digest.data = key;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_GET_HEARD, &stmt,
                                   "b", &digest);

    if (rc == SQLITE_OK) {

        *heard = ngx_palloc(work->pool, sizeof(ngx_http_ilert_store_known_t));

        rc = *heard ? ngx_http_ilert_sqlite_read_heard(work, stmt, *heard)
                    : ngx_http_ilert_sqlite_nomem(db);

        ngx_http_ilert_sqlite_end(stmt);
    }

    return ngx_http_ilert_sqlite_result(rc);
}


ngx_int_t
ngx_http_ilert_sqlite_heard_of(ngx_http_ilert_store_work_t *work,
    int64_t alert, int64_t topic, u_char *after, ngx_uint_t limit,
    ngx_array_t *heard)
{
    int                            rc;
    ngx_str_t                      key;
    ngx_uint_t                     n;
    sqlite3_stmt                  *stmt;
    ngx_http_ilert_sqlite_db_t    *db;
    ngx_http_ilert_store_known_t  *known;

    db = work->store->private;

    key.len = NGX_HTTP_ILERT_STORE_HEARD_KEY;
    key.data = after;

    n = NGX_HTTP_ILERT_SQLITE_LIST_HEARD;

    if (alert) {
        n = NGX_HTTP_ILERT_SQLITE_HEARD_OF_ALERT;

    } else if (topic) {
        n = NGX_HTTP_ILERT_SQLITE_HEARD_OF_TOPIC;
    }

    rc = ngx_http_ilert_sqlite_row(db, n, &stmt, "ibi", alert ? alert : topic,
                                   &key, (int64_t) limit);

    while (rc == SQLITE_OK) {

        known = ngx_array_push(heard);

        rc = known ? ngx_http_ilert_sqlite_read_heard(work, stmt, known)
                   : ngx_http_ilert_sqlite_nomem(db);

        if (rc != SQLITE_OK) {
            ngx_http_ilert_sqlite_end(stmt);
            break;
        }

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? NGX_OK : ngx_http_ilert_sqlite_result(rc);
}


static int
ngx_http_ilert_sqlite_read_heard(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_known_t *heard)
{
    ngx_str_t   key;
    ngx_uint_t  i;

    struct {
        ngx_str_t   *text;
        ngx_uint_t   column;
    } texts[] = {
        { &heard->place, NGX_HTTP_ILERT_SQLITE_HEARD_PLACE },
        { &heard->kid, NGX_HTTP_ILERT_SQLITE_HEARD_KID },
        { &heard->task, NGX_HTTP_ILERT_SQLITE_HEARD_TASK }
    };

    ngx_memzero(heard, sizeof(ngx_http_ilert_store_known_t));

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (ngx_http_ilert_sqlite_copy(work->pool, stmt, texts[i].column,
                                       texts[i].text)
            != NGX_OK)
        {
            return ngx_http_ilert_sqlite_nomem(work->store->private);
        }
    }

    /* the statements select keys of this length only */

    ngx_http_ilert_sqlite_text(stmt, NGX_HTTP_ILERT_SQLITE_HEARD_KEY, &key);
    ngx_memcpy(heard->key, key.data, NGX_HTTP_ILERT_STORE_HEARD_KEY);

#define NGX_HTTP_ILERT_SQLITE_READ(NAME)                                      \
    sqlite3_column_int64(stmt, NGX_HTTP_ILERT_SQLITE_HEARD_##NAME)

    heard->row = NGX_HTTP_ILERT_SQLITE_READ(ID);
    heard->time = NGX_HTTP_ILERT_SQLITE_READ(TIME);
    heard->level = NGX_HTTP_ILERT_SQLITE_READ(LEVEL);
    heard->at = NGX_HTTP_ILERT_SQLITE_READ(AT);
    heard->alert = NGX_HTTP_ILERT_SQLITE_READ(ALERT);
    heard->topic = NGX_HTTP_ILERT_SQLITE_READ(TOPIC);
    heard->ignored = (NGX_HTTP_ILERT_SQLITE_READ(IGNORED) != 0);
    heard->over = (NGX_HTTP_ILERT_SQLITE_READ(OVER) != 0);

#undef NGX_HTTP_ILERT_SQLITE_READ

    heard->ndigests = ngx_http_ilert_sqlite_unpack(stmt,
                                          NGX_HTTP_ILERT_SQLITE_HEARD_DIGESTS,
                                          heard->digests,
                                          NGX_HTTP_ILERT_STORE_DIGESTS);

    heard->saved_alert = heard->alert;
    heard->saved_topic = heard->topic;

    ngx_http_ilert_work_check_known(heard);

    return SQLITE_OK;
}


ngx_int_t
ngx_http_ilert_sqlite_topics(ngx_http_ilert_store_work_t *work,
    ngx_array_t *topics)
{
    int                            rc;
    sqlite3_stmt                  *stmt;
    ngx_http_ilert_sqlite_db_t    *db;
    ngx_http_ilert_store_topic_t  *topic;

    db = work->store->private;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_LIST_TOPICS,
                                   &stmt, "");

    while (rc == SQLITE_OK) {

        topic = ngx_array_push(topics);

        rc = topic ? ngx_http_ilert_sqlite_read_topic(work, stmt, topic)
                   : ngx_http_ilert_sqlite_nomem(db);

        if (rc != SQLITE_OK) {
            ngx_http_ilert_sqlite_end(stmt);
            break;
        }

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? NGX_OK : ngx_http_ilert_sqlite_result(rc);
}


static int
ngx_http_ilert_sqlite_read_topic(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_topic_t *topic)
{
    ngx_memzero(topic, sizeof(ngx_http_ilert_store_topic_t));

    if (ngx_http_ilert_sqlite_copy(work->pool, stmt,
                                   NGX_HTTP_ILERT_SQLITE_TOPIC_KAPACITOR,
                                   &topic->kapacitor)
        != NGX_OK
        || ngx_http_ilert_sqlite_copy(work->pool, stmt,
                                      NGX_HTTP_ILERT_SQLITE_TOPIC_NAME,
                                      &topic->name)
           != NGX_OK)
    {
        return ngx_http_ilert_sqlite_nomem(work->store->private);
    }

    topic->id = sqlite3_column_int64(stmt, NGX_HTTP_ILERT_SQLITE_TOPIC_ID);
    topic->gone = sqlite3_column_int64(stmt, NGX_HTTP_ILERT_SQLITE_TOPIC_GONE);

    ngx_http_ilert_work_check_topic(topic);

    return SQLITE_OK;
}


int
ngx_http_ilert_sqlite_save_heard(ngx_http_ilert_store_work_t *work)
{
    int                            rc;
    ngx_queue_t                   *q, *next;
    ngx_http_ilert_store_known_t  *heard;

    rc = SQLITE_OK;

    for (q = ngx_queue_head(&work->heard);
         rc == SQLITE_OK && q != ngx_queue_sentinel(&work->heard);
         q = next)
    {
        next = ngx_queue_next(q);

        heard = ngx_queue_data(q, ngx_http_ilert_store_known_t, queue);

        if (heard->removed) {
            ngx_queue_remove(q);
        }

        rc = ngx_http_ilert_sqlite_save_known(work, heard);

        heard->added = 0;
        heard->changed = 0;
        heard->removed = 0;

        heard->saved_alert = heard->alert;
        heard->saved_topic = heard->topic;
    }

    return rc;
}


static int
ngx_http_ilert_sqlite_save_known(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_known_t *heard)
{
    ngx_str_t                    key;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    if (heard->added) {

        if (heard->removed) {
            return SQLITE_OK;
        }

        work->changed = 1;

        return ngx_http_ilert_sqlite_add_known(db, heard);
    }

    if (heard->removed) {
        work->changed = 1;

        key.len = NGX_HTTP_ILERT_STORE_HEARD_KEY;
        key.data = heard->key;

        return ngx_http_ilert_sqlite_write(db,
                                           NGX_HTTP_ILERT_SQLITE_DELETE_HEARD,
                                           "b", &key);
    }

    if (heard->changed) {
        work->changed = 1;

        return ngx_http_ilert_sqlite_set_known(db, heard);
    }

    return SQLITE_OK;
}


static int
ngx_http_ilert_sqlite_add_known(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_known_t *heard)
{
    int        rc;
    u_char     buf[NGX_HTTP_ILERT_SQLITE_DIGESTS];
    ngx_str_t  key, digests;

    key.len = NGX_HTTP_ILERT_STORE_HEARD_KEY;
    key.data = heard->key;

    ngx_http_ilert_sqlite_pack(heard->digests, heard->ndigests, buf,
                               &digests);

    rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_ADD_HEARD,
                                     "btttiiiiiiib", &key, &heard->place,
                                     &heard->kid, &heard->task, heard->time,
                                     heard->level, heard->at, heard->alert,
                                     heard->topic, (int64_t) heard->ignored,
                                     (int64_t) heard->over, &digests);

    heard->row = sqlite3_last_insert_rowid(db->db);

    return rc;
}


static int
ngx_http_ilert_sqlite_set_known(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_known_t *heard)
{
    int        rc;
    u_char     buf[NGX_HTTP_ILERT_SQLITE_DIGESTS];
    ngx_str_t  digests;

    ngx_http_ilert_sqlite_pack(heard->digests, heard->ndigests, buf,
                               &digests);

    rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_HEARD,
                                     "itiiiiib", heard->row, &heard->task,
                                     heard->time, heard->level, heard->at,
                                     (int64_t) heard->ignored,
                                     (int64_t) heard->over, &digests);

    if (rc == SQLITE_OK && heard->alert != heard->saved_alert) {
        rc = ngx_http_ilert_sqlite_write(db,
                                        NGX_HTTP_ILERT_SQLITE_SET_HEARD_ALERT,
                                        "ii", heard->row, heard->alert);
    }

    if (rc == SQLITE_OK && heard->topic != heard->saved_topic) {
        rc = ngx_http_ilert_sqlite_write(db,
                                        NGX_HTTP_ILERT_SQLITE_SET_HEARD_TOPIC,
                                        "ii", heard->row, heard->topic);
    }

    return rc;
}


int
ngx_http_ilert_sqlite_save_topics(ngx_http_ilert_store_work_t *work)
{
    int                            rc;
    ngx_queue_t                   *q, *next;
    ngx_http_ilert_store_topic_t  *topic;

    rc = SQLITE_OK;

    for (q = ngx_queue_head(&work->topics);
         rc == SQLITE_OK && q != ngx_queue_sentinel(&work->topics);
         q = next)
    {
        next = ngx_queue_next(q);

        topic = ngx_queue_data(q, ngx_http_ilert_store_topic_t, queue);

        if (topic->removed) {
            ngx_queue_remove(q);
        }

        rc = ngx_http_ilert_sqlite_save_topic(work, topic);

        topic->added = 0;
        topic->changed = 0;
        topic->removed = 0;
    }

    return rc;
}


static int
ngx_http_ilert_sqlite_save_topic(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_topic_t *topic)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    if (topic->added) {

        if (topic->removed) {
            return SQLITE_OK;
        }

        work->changed = 1;

        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_ADD_TOPIC,
                                         "tti", &topic->kapacitor,
                                         &topic->name, topic->gone);

        topic->id = sqlite3_last_insert_rowid(db->db);

        return rc;
    }

    if (topic->removed) {
        work->changed = 1;

        return ngx_http_ilert_sqlite_write(db,
                                           NGX_HTTP_ILERT_SQLITE_DELETE_TOPIC,
                                           "i", topic->id);
    }

    if (topic->changed) {
        work->changed = 1;

        return ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_TOPIC,
                                           "ii", topic->id, topic->gone);
    }

    return SQLITE_OK;
}
