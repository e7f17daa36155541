
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_FAULT_H_INCLUDED_
#define _NGX_HTTP_ILERT_FAULT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Faults: the reasons for which a request to ilert has no answer, their codes
 * in metrics, and their texts.
 */


/* A fault is less than 100, so that it is not taken for an HTTP status. */

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
    NGX_HTTP_ILERT_FAULT_NO_SERVER,     /* all servers of an "upstream" have */
                                        /* failed lately */
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
    NGX_HTTP_ILERT_FAULT_UNSENT,        /* nginx had no connection for it */
    NGX_HTTP_ILERT_FAULT_EXIT,          /* the worker had to exit */

    NGX_HTTP_ILERT_FAULT_N
} ngx_http_ilert_fault_e;


/*
 * Returns the code of a fault, a word with a zero at its end, as in metrics.
 * For a number that is no fault it is the code of FAULT_ERROR.
 */
const char *ngx_http_ilert_fault_code(ngx_uint_t fault);

/*
 * Writes the text of a fault, without a zero, from "buf" on and to "last" at
 * most.  The detail, which may be empty, follows if the text alone does not
 * say enough.  Returns the end of the text.
 */
u_char *ngx_http_ilert_fault_text(ngx_http_ilert_fault_e fault,
    ngx_str_t *detail, u_char *buf, u_char *last);

/*
 * The same, if the request was to another one than ilert, whose name is "who".
 */
u_char *ngx_http_ilert_fault_text_of(const char *who,
    ngx_http_ilert_fault_e fault, ngx_str_t *detail, u_char *buf,
    u_char *last);


#endif /* _NGX_HTTP_ILERT_FAULT_H_INCLUDED_ */
