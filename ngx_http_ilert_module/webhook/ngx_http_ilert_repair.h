
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_REPAIR_H_INCLUDED_
#define _NGX_HTTP_ILERT_REPAIR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_call.h"
#include "ngx_http_ilert_store.h"


/*
 * A repair is a webhook that has been lost, and that the courier makes of what
 * Kapacitor's API says.  It is posted to the location of "ilert_reconcile" in
 * this nginx itself, and handled as any other, with these differences: if its
 * alert is known, the source and the alert key are those that are known; the
 * event has customDetails.reconciled; and it is not accepted if a webhook has
 * come meanwhile.
 */


typedef struct ngx_http_ilert_repair_s  ngx_http_ilert_repair_t;

struct ngx_http_ilert_repair_s {
    ngx_http_ilert_call_t        call;      /* "body" is set by the caller */

    ngx_http_ilert_kapacitor_t  *kapacitor;
    ngx_http_ilert_store_heard_t  heard;    /* with "repair" set; the digest */
                                            /* is set by webhook.c */
    ngx_str_t                    source;    /* empty: as the location says */
    ngx_str_t                    alert_key; /* of a source that is not empty */

    void                       (*handler)(ngx_http_ilert_repair_t *repair);
    void                        *data;

    /* the outcome: $ilert_result, and the status of the answer */

    ngx_str_t                    result;
    ngx_uint_t                   status;    /* 0: there was none */
    ngx_uint_t                   type;      /* of its event, 0: none */
    ngx_http_ilert_store_news_e  news;
    unsigned                     refused:1; /* by what is in it, or by nginx */
                                            /* itself; this has been logged */
};


/*
 * Posts it.  All of it must stay as it is until the handler has been called,
 * which is once and not from within this call.  The handler may free it.
 * Returns NGX_OK, or NGX_ERROR if there is no memory or no connection; then
 * the handler is not called.
 */
ngx_int_t ngx_http_ilert_repair_send(ngx_http_ilert_repair_t *repair);

/* Returns the repair that the request of a webhook is, or NULL. */
ngx_http_ilert_repair_t *ngx_http_ilert_repair_of(ngx_http_request_t *r);

/*
 * Notes that a repair was refused, which is logged if the last one of its
 * Kapacitor was taken.  Nothing else is done about it, since it is no webhook
 * of Kapacitor's: the difference stays, and is shown.
 */
void ngx_http_ilert_repair_refused(ngx_http_ilert_repair_t *repair,
    ngx_uint_t status, ngx_str_t *error);


#endif /* _NGX_HTTP_ILERT_REPAIR_H_INCLUDED_ */
