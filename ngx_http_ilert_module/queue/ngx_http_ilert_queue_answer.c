
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_history.h"
#include "ngx_http_ilert_queue_answer.h"
#include "ngx_http_ilert_store.h"


#if (NGX_THREADS)

static void ngx_http_ilert_queue_publish(ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_main_conf_t *imcf);


void
ngx_http_ilert_queue_answer_queries(ngx_queue_t *queries,
    ngx_http_ilert_main_conf_t *imcf)
{
    ngx_queue_t                   *link;
    ngx_http_ilert_store_query_t  *query;

    while (!ngx_queue_empty(queries)) {

        link = ngx_queue_head(queries);
        ngx_queue_remove(link);

        query = ngx_queue_data(link, ngx_http_ilert_store_query_t, queue);

        ngx_http_ilert_queue_publish(query, imcf);

        if (query->handler) {
            query->handler(query);

        } else {
            ngx_destroy_pool(query->pool);
        }
    }
}


/*
 * Puts numbers of an answer into the counters, where status and metrics find
 * them when the store does not answer.
 */

static void
ngx_http_ilert_queue_publish(ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_main_conf_t *imcf)
{
    int64_t                             n;
    ngx_uint_t                          i, k;
    ngx_http_ilert_source_t            *source;
    ngx_http_ilert_store_source_t      *read;
    ngx_http_ilert_counters_waiting_t   waiting;

    if (!query->ok || query->prove || query->refused) {
        return;
    }

    ngx_http_ilert_counters_set(imcf->counters, &imcf->counters->bytes,
                                query->bytes);

    n = 0;
    read = query->sources.elts;

    for (i = 0; i < query->sources.nelts; i++) {

        for (k = 0; k < NGX_HTTP_ILERT_COUNTERS_PENDING; k++) {
            n += read[i].waiting[k];
        }

        source = ngx_http_ilert_find_source(imcf, &read[i].name);
        if (source == NULL) {
            continue;
        }

        ngx_memcpy(waiting.waiting, read[i].waiting, sizeof(waiting.waiting));
        ngx_memcpy(waiting.oldest, read[i].oldest, sizeof(waiting.oldest));
        waiting.dead = read[i].dead;
        waiting.open = read[i].open;

        ngx_http_ilert_counters_set_waiting(source->counters, &waiting);
    }

    ngx_http_ilert_history_wait(imcf->counters->history, n,
                                ngx_http_ilert_clock_now());
}


void
ngx_http_ilert_queue_answer_looks(ngx_queue_t *looks)
{
    ngx_queue_t                  *link;
    ngx_http_ilert_store_look_t  *look;

    while (!ngx_queue_empty(looks)) {

        link = ngx_queue_head(looks);
        ngx_queue_remove(link);

        look = ngx_queue_data(link, ngx_http_ilert_store_look_t, queue);

        look->handler(look);
    }
}


void
ngx_http_ilert_queue_free_queries(ngx_queue_t *queries)
{
    ngx_queue_t                   *link;
    ngx_http_ilert_store_query_t  *query;

    while (!ngx_queue_empty(queries)) {

        link = ngx_queue_head(queries);
        ngx_queue_remove(link);

        query = ngx_queue_data(link, ngx_http_ilert_store_query_t, queue);

        ngx_destroy_pool(query->pool);
    }
}


void
ngx_http_ilert_queue_free_looks(ngx_queue_t *looks)
{
    ngx_queue_t                  *link;
    ngx_http_ilert_store_look_t  *look;

    while (!ngx_queue_empty(looks)) {

        link = ngx_queue_head(looks);
        ngx_queue_remove(link);

        look = ngx_queue_data(link, ngx_http_ilert_store_look_t, queue);

        ngx_destroy_pool(look->pool);
    }
}


void
ngx_http_ilert_queue_free_notes(ngx_queue_t *notes)
{
    ngx_queue_t  *link;

    while (!ngx_queue_empty(notes)) {

        link = ngx_queue_head(notes);
        ngx_queue_remove(link);

        ngx_free(ngx_queue_data(link, ngx_http_ilert_store_note_t, queue));
    }
}

#endif
