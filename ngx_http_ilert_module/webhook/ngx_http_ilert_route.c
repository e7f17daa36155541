
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_route.h"
#include "ngx_http_ilert_text.h"


ngx_int_t
ngx_http_ilert_route(ngx_http_request_t *r, ngx_http_ilert_loc_conf_t *ilcf,
    ngx_http_ilert_source_t **source, ngx_str_t *error)
{
    u_char                      *p;
    size_t                       len;
    ngx_str_t                    name;
    ngx_http_ilert_main_conf_t  *imcf;

    *source = ilcf->source;

    if (*source || ilcf->off) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, ilcf->kapacitor, &name) != NGX_OK) {
        return NGX_ERROR;
    }

    if (name.len == 3 && ngx_strncmp(name.data, "off", 3) == 0) {
        return NGX_OK;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    *source = ngx_http_ilert_find_source(imcf, &name);

    if (*source) {
        return NGX_OK;
    }

    if (name.len == 0) {
        ngx_str_set(error, "ilert_kapacitor: no source, the value is empty");
        return NGX_DECLINED;
    }

    /* the name may come from the webhook: it may be long, or break the line */

    len = ngx_http_ilert_text_cut(&name, 64);

    p = ngx_pnalloc(r->pool, len + 64);
    if (p == NULL) {
        return NGX_ERROR;
    }

    error->data = p;
    error->len = ngx_sprintf(p, "ilert_kapacitor: no source \"%*s\"",
                             len, name.data)
                 - p;

    ngx_http_ilert_text_line(error);

    return NGX_DECLINED;
}
