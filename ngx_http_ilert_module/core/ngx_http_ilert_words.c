
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_words.h"


static void ngx_http_ilert_words_unmap(void *data);


ngx_atomic_t *
ngx_http_ilert_words(ngx_conf_t *cf, ngx_uint_t n)
{
    ngx_shm_t           *shm;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_shm_t));
    if (cln == NULL) {
        return NULL;
    }

    shm = cln->data;

    ngx_memzero(shm, sizeof(ngx_shm_t));

    shm->size = n * sizeof(ngx_atomic_t);
    ngx_str_set(&shm->name, "ilert");
    shm->log = ngx_cycle->log;

    if (ngx_shm_alloc(shm) != NGX_OK) {
        return NULL;
    }

    cln->handler = ngx_http_ilert_words_unmap;

    return (ngx_atomic_t *) shm->addr;
}


static void
ngx_http_ilert_words_unmap(void *data)
{
    ngx_shm_t  *shm = data;

    /* The log that was set at the start may be gone by now. */

    shm->log = ngx_cycle->log;

    ngx_shm_free(shm);
}
