
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_text.h"


ngx_http_ilert_source_t *
ngx_http_ilert_find_source(ngx_http_ilert_main_conf_t *imcf, ngx_str_t *name)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        if (ngx_http_ilert_text_same(&sources[i]->name, name)) {
            return sources[i];
        }
    }

    return NULL;
}


ngx_http_ilert_endpoint_t *
ngx_http_ilert_find_endpoint(ngx_http_ilert_main_conf_t *imcf,
    ngx_str_t *name)
{
    ngx_uint_t                   i;
    ngx_http_ilert_endpoint_t  **endpoints;

    endpoints = imcf->endpoints.elts;

    for (i = 0; i < imcf->endpoints.nelts; i++) {
        if (ngx_http_ilert_text_same(&endpoints[i]->name, name)) {
            return endpoints[i];
        }
    }

    return NULL;
}
