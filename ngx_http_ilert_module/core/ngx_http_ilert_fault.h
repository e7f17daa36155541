
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_FAULT_H_INCLUDED_
#define _NGX_HTTP_ILERT_FAULT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Why a request has no answer of ilert's: each reason, its code in metrics,
 * and its words.
 */


/* less than any code of HTTP's */

typedef enum {
    NGX_HTTP_ILERT_FAULT_NONE = 0,
    NGX_HTTP_ILERT_FAULT_ERROR,         /* none of those below */

    /* the name of ilert's host */
    NGX_HTTP_ILERT_FAULT_RESOLVER,      /* there is no name server to ask */
    NGX_HTTP_ILERT_FAULT_DNS,

    /* the connection, up to the end of the TLS handshake */
    NGX_HTTP_ILERT_FAULT_CONNECT_TIMEOUT,
    NGX_HTTP_ILERT_FAULT_REFUSED,
    NGX_HTTP_ILERT_FAULT_UNREACHABLE,
    NGX_HTTP_ILERT_FAULT_NO_SERVER,     /* of an upstream, is in use */
    NGX_HTTP_ILERT_FAULT_TLS,
    NGX_HTTP_ILERT_FAULT_TLS_VERIFY,
    NGX_HTTP_ILERT_FAULT_TLS_NAME,
    NGX_HTTP_ILERT_FAULT_HTTP_PORT,     /* https to a port of http */
    NGX_HTTP_ILERT_FAULT_HTTPS_PORT,    /* http to a port of https */

    /* the answer */
    NGX_HTTP_ILERT_FAULT_TIMEOUT,
    NGX_HTTP_ILERT_FAULT_RESET,
    NGX_HTTP_ILERT_FAULT_CLOSED,
    NGX_HTTP_ILERT_FAULT_NOT_HTTP,

    /* nginx and its configuration */
    NGX_HTTP_ILERT_FAULT_URL,           /* "proxy_pass" has no valid one */
    NGX_HTTP_ILERT_FAULT_NGINX,         /* nginx has answered itself */
    NGX_HTTP_ILERT_FAULT_UNSENT,        /* it had no connection for it */
    NGX_HTTP_ILERT_FAULT_EXIT,          /* the worker had to exit */

    NGX_HTTP_ILERT_FAULT_N
} ngx_http_ilert_fault_e;


/* in metrics, a word; the last one for any number that is no fault */
const char *ngx_http_ilert_fault_code(ngx_uint_t fault);

/*
 * Writes the reason in words, from "buf" on and to "last" at most, and the
 * detail, which may be empty, if there is something to say in addition;
 * returns the end.
 */
u_char *ngx_http_ilert_fault_text(ngx_http_ilert_fault_e fault,
    ngx_str_t *detail, u_char *buf, u_char *last);


#endif /* _NGX_HTTP_ILERT_FAULT_H_INCLUDED_ */
