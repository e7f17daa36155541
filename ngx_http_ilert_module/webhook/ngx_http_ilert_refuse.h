
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_REFUSE_H_INCLUDED_
#define _NGX_HTTP_ILERT_REFUSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/*
 * Kapacitor tries once, so a webhook that is not answered with 2xx is a page
 * that nobody gets.  Whoever refuses one, or could not keep what was in it,
 * says so here, once for each request: it is counted, it is known as the last
 * one, and it is logged, once a minute for each location.
 */


/*
 * All that is known of one.  Texts are empty if they are not known; their
 * bytes are as they came in, of any length.  They live as long as the request,
 * the error maybe only until ngx_http_ilert_refuse() returns.
 */

typedef struct {
    int64_t                      time;      /* wall clock, ms */
    ngx_str_t                    address;   /* of the client */
    ngx_http_ilert_loc_conf_t   *ilcf;      /* NULL: it came to no location */
    ngx_str_t                    location;  /* its name */
    ngx_http_ilert_source_t     *source;    /* that the location gives, or */
                                            /* NULL */
    ngx_uint_t                   status;    /* of the answer */
    ngx_str_t                    error;     /* valid UTF-8, one line */
    ngx_str_t                    id;
    ngx_str_t                    level;
    ngx_str_t                    body;      /* empty: it was not read */
} ngx_http_ilert_refusal_t;


/*
 * Gives each location with "ilert_kapacitor" what it needs to limit its log
 * lines; called when all of them are known.  Returns NGX_OK, or NGX_ERROR if
 * there is no memory.
 */
ngx_int_t ngx_http_ilert_refuse_init(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);


/*
 * The request of a webhook to the location "ilcf", or to none if that is NULL,
 * is about to be answered, or has been, with a status that is not 2xx, or of
 * which nothing was kept; "error" says why.
 */
void ngx_http_ilert_refuse(ngx_http_request_t *r,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_uint_t status, ngx_str_t *error);


#endif /* _NGX_HTTP_ILERT_REFUSE_H_INCLUDED_ */
