
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_HEARD_H_INCLUDED_
#define _NGX_HTTP_ILERT_HEARD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_store.h"


/*
 * Sets what the webhook of the request says of an alert of Kapacitor's, for
 * the store to remember; the strings are the webhook's, the configuration's,
 * or the repair's.  Returns NGX_OK, or NGX_DECLINED if nothing is to be
 * remembered: there is no queue, or nothing by which the alert is known.
 */
ngx_int_t ngx_http_ilert_heard(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_http_ilert_store_heard_t *heard);

/*
 * Has a webhook remembered that the mapping ignores: if Kapacitor is asked for
 * those of its location, since each poll would find it missing; and, if it is
 * not OK, since its alert need not be resolved.  "key" is its alert key, by
 * which ilert would know it.
 */
void ngx_http_ilert_heard_ignored(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_str_t *key);


#endif /* _NGX_HTTP_ILERT_HEARD_H_INCLUDED_ */
