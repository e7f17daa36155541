
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


static int ngx_http_ilert_sqlite_read_silence(
    ngx_http_ilert_store_work_t *work, sqlite3_stmt *stmt,
    ngx_http_ilert_store_silence_t *silence);
static int ngx_http_ilert_sqlite_read_digest(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_digest_t *digest);
static int ngx_http_ilert_sqlite_save_silence(
    ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_silence_t *silence);
static int ngx_http_ilert_sqlite_save_digest(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_digest_t *digest);
static int ngx_http_ilert_sqlite_set_digest(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_digest_t *digest);


ngx_int_t
ngx_http_ilert_sqlite_silences(ngx_http_ilert_store_work_t *work,
    ngx_array_t *silences)
{
    int                              rc;
    sqlite3_stmt                    *stmt;
    ngx_http_ilert_sqlite_db_t      *db;
    ngx_http_ilert_store_silence_t  *silence;

    db = work->store->private;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_LIST_SILENCES,
                                   &stmt, "");

    while (rc == SQLITE_OK) {

        silence = ngx_array_push(silences);

        rc = silence ? ngx_http_ilert_sqlite_read_silence(work, stmt, silence)
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
ngx_http_ilert_sqlite_read_silence(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_silence_t *silence)
{
    ngx_uint_t  i;

    struct {
        ngx_str_t   *text;
        ngx_uint_t   column;
    } texts[] = {
        { &silence->source, NGX_HTTP_ILERT_SQLITE_SILENCE_SOURCE },
        { &silence->pattern, NGX_HTTP_ILERT_SQLITE_SILENCE_PATTERN },
        { &silence->comment, NGX_HTTP_ILERT_SQLITE_SILENCE_COMMENT }
    };

    ngx_memzero(silence, sizeof(ngx_http_ilert_store_silence_t));

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (ngx_http_ilert_sqlite_copy(work->pool, stmt, texts[i].column,
                                       texts[i].text)
            != NGX_OK)
        {
            return ngx_http_ilert_sqlite_nomem(work->store->private);
        }
    }

#define NGX_HTTP_ILERT_SQLITE_READ(NAME)                                      \
    sqlite3_column_int64(stmt, NGX_HTTP_ILERT_SQLITE_SILENCE_##NAME)

    silence->id = NGX_HTTP_ILERT_SQLITE_READ(ID);
    silence->owner = NGX_HTTP_ILERT_SQLITE_READ(OWNER);
    silence->from = NGX_HTTP_ILERT_SQLITE_READ(BEGINS);
    silence->until = NGX_HTTP_ILERT_SQLITE_READ(ENDS);

#undef NGX_HTTP_ILERT_SQLITE_READ

    ngx_http_ilert_work_check_silence(silence);

    return SQLITE_OK;
}


ngx_int_t
ngx_http_ilert_sqlite_digests(ngx_http_ilert_store_work_t *work,
    ngx_array_t *digests)
{
    int                             rc;
    sqlite3_stmt                   *stmt;
    ngx_http_ilert_sqlite_db_t     *db;
    ngx_http_ilert_store_digest_t  *digest;

    db = work->store->private;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_LIST_DIGESTS,
                                   &stmt, "");

    while (rc == SQLITE_OK) {

        digest = ngx_array_push(digests);

        rc = digest ? ngx_http_ilert_sqlite_read_digest(work, stmt, digest)
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
ngx_http_ilert_sqlite_read_digest(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_digest_t *digest)
{
    uint64_t                  alone[NGX_HTTP_ILERT_DIGEST_MAX];
    ngx_uint_t                i;
    ngx_http_ilert_digest_t  *state;

    ngx_memzero(digest, sizeof(ngx_http_ilert_store_digest_t));

    if (ngx_http_ilert_sqlite_copy(work->pool, stmt,
                                   NGX_HTTP_ILERT_SQLITE_DIGEST_NAME,
                                   &digest->name)
        != NGX_OK)
    {
        return ngx_http_ilert_sqlite_nomem(work->store->private);
    }

#define NGX_HTTP_ILERT_SQLITE_READ(NAME)                                      \
    sqlite3_column_int64(stmt, NGX_HTTP_ILERT_SQLITE_DIGEST_##NAME)

    state = &digest->state;

    digest->source = NGX_HTTP_ILERT_SQLITE_READ(SOURCE);
    state->opened = NGX_HTTP_ILERT_SQLITE_READ(OPENED);
    state->changed = NGX_HTTP_ILERT_SQLITE_READ(CHANGED);
    state->told = NGX_HTTP_ILERT_SQLITE_READ(TOLD);
    state->calm = NGX_HTTP_ILERT_SQLITE_READ(CALM);
    state->refilled = NGX_HTTP_ILERT_SQLITE_READ(REFILLED);
    state->tokens = NGX_HTTP_ILERT_SQLITE_READ(TOKENS);
    state->urgent = NGX_HTTP_ILERT_SQLITE_READ(URGENT);

#undef NGX_HTTP_ILERT_SQLITE_READ

    state->nalone = ngx_http_ilert_sqlite_unpack(stmt,
                                           NGX_HTTP_ILERT_SQLITE_DIGEST_ALONE,
                                           alone, NGX_HTTP_ILERT_DIGEST_MAX);

    for (i = 0; i < state->nalone; i++) {
        state->alone[i] = (int64_t) alone[i];
    }

    ngx_http_ilert_work_check_digest(digest);

    return SQLITE_OK;
}


ngx_int_t
ngx_http_ilert_sqlite_bad(ngx_http_ilert_store_work_t *work, int64_t source,
    int64_t *counts)
{
    int                          rc;
    int64_t                      level;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    ngx_memzero(counts, (NGX_HTTP_ILERT_CRITICAL + 1) * sizeof(int64_t));

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_COUNT_BAD, &stmt,
                                   "i", source);

    while (rc == SQLITE_OK) {

        /* as if the alert had been read, and its level corrected */

        level = ngx_min(sqlite3_column_int64(stmt, 0),
                        NGX_HTTP_ILERT_CRITICAL);

        counts[level] += sqlite3_column_int64(stmt, 1);

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? NGX_OK : ngx_http_ilert_sqlite_result(rc);
}


int
ngx_http_ilert_sqlite_save_silences(ngx_http_ilert_store_work_t *work)
{
    int                              rc;
    ngx_queue_t                     *q, *next;
    ngx_http_ilert_store_silence_t  *silence;

    rc = SQLITE_OK;

    for (q = ngx_queue_head(&work->silences);
         rc == SQLITE_OK && q != ngx_queue_sentinel(&work->silences);
         q = next)
    {
        next = ngx_queue_next(q);

        silence = ngx_queue_data(q, ngx_http_ilert_store_silence_t, queue);

        if (silence->removed) {
            ngx_queue_remove(q);
        }

        rc = ngx_http_ilert_sqlite_save_silence(work, silence);

        silence->added = 0;
        silence->removed = 0;
    }

    return rc;
}


static int
ngx_http_ilert_sqlite_save_silence(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_silence_t *silence)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    if (silence->added && !silence->removed) {
        work->changed = 1;

        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_ADD_SILENCE,
                                         "titiit", &silence->source,
                                         silence->owner, &silence->pattern,
                                         silence->from, silence->until,
                                         &silence->comment);

        silence->id = sqlite3_last_insert_rowid(db->db);

        return rc;
    }

    if (silence->removed && !silence->added) {
        work->changed = 1;

        return ngx_http_ilert_sqlite_write(db,
                                         NGX_HTTP_ILERT_SQLITE_DELETE_SILENCE,
                                         "i", silence->id);
    }

    return SQLITE_OK;
}


int
ngx_http_ilert_sqlite_save_digests(ngx_http_ilert_store_work_t *work)
{
    int                             rc;
    ngx_queue_t                    *q, *next;
    ngx_http_ilert_store_digest_t  *digest;

    rc = SQLITE_OK;

    for (q = ngx_queue_head(&work->digests);
         rc == SQLITE_OK && q != ngx_queue_sentinel(&work->digests);
         q = next)
    {
        next = ngx_queue_next(q);

        digest = ngx_queue_data(q, ngx_http_ilert_store_digest_t, queue);

        if (digest->removed) {
            ngx_queue_remove(q);
        }

        rc = ngx_http_ilert_sqlite_save_digest(work, digest);

        digest->added = 0;
        digest->changed = 0;
        digest->removed = 0;
    }

    return rc;
}


static int
ngx_http_ilert_sqlite_save_digest(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_digest_t *digest)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    if (digest->removed) {

        if (digest->added) {
            return SQLITE_OK;
        }

        work->changed = 1;

        return ngx_http_ilert_sqlite_write(db,
                                          NGX_HTTP_ILERT_SQLITE_DELETE_DIGEST,
                                          "i", digest->source);
    }

    if (digest->added) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_ADD_DIGEST,
                                         "i", digest->source);
        if (rc != SQLITE_OK) {
            return rc;
        }

    } else if (!digest->changed) {
        return SQLITE_OK;
    }

    work->changed = 1;

    return ngx_http_ilert_sqlite_set_digest(db, digest);
}


static int
ngx_http_ilert_sqlite_set_digest(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_digest_t *digest)
{
    u_char                    buf[NGX_HTTP_ILERT_DIGEST_MAX
                                  * NGX_HTTP_ILERT_SQLITE_UNIT];
    uint64_t                  alone[NGX_HTTP_ILERT_DIGEST_MAX];
    ngx_str_t                 bytes;
    ngx_uint_t                i;
    ngx_http_ilert_digest_t  *state;

    state = &digest->state;

    for (i = 0; i < state->nalone; i++) {
        alone[i] = (uint64_t) state->alone[i];
    }

    ngx_http_ilert_sqlite_pack(alone, state->nalone, buf, &bytes);

    return ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_DIGEST,
                                       "iiiiiiiib", digest->source,
                                       state->opened, state->changed,
                                       state->told, state->calm,
                                       state->refilled, state->tokens,
                                       state->urgent, &bytes);
}
