
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CALL_H_INCLUDED_
#define _NGX_HTTP_ILERT_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_fault.h"


/*
 * A call is a request of ours that is no event: it asks Kapacitor's API, or
 * posts to a location of this nginx what Kapacitor would have posted.  As
 * a request to ilert (request.h) it is a main request without a client, with
 * one subrequest, which has all that nginx has for any location.
 *
 * All functions are called on the event loop.
 */


typedef void (*ngx_http_ilert_call_handler_pt)(ngx_http_ilert_call_t *call);


struct ngx_http_ilert_call_s {

    /*
     * Set by the caller.  All of it must stay as it is until the handler has
     * been called.
     */

    const char                  *part;      /* whose call it is, for the */
                                            /* log: "reconcile" */
    const char                  *peer;      /* who is called, for reasons: */
                                            /* "Kapacitor" */
    ngx_str_t                    name;      /* of the location, for the log */
    ngx_http_conf_ctx_t         *conf_ctx;  /* of a location in the server */
                                            /* of "uri", in which */
                                            /* "log_subrequest" is off; its */
                                            /* error log is used */
    ngx_http_ilert_host_t       *host;
    ngx_str_t                    uri;       /* unescaped */
    ngx_str_t                    args;
    ngx_str_t                    body;      /* empty: a GET, else a POST of */
                                            /* application/json */
    ngx_http_complex_value_t    *value;     /* the body of a POST instead, */
                                            /* or NULL */
    ngx_str_t                    text;      /* of $ilert_fallback_text, or */
                                            /* null */

    /*
     * Is called with the next bytes of an answer of 200, decoded if they were
     * compressed with gzip.  If it is NULL, they are not wanted.  After
     * NGX_ERROR the call ends.
     */
    ngx_int_t                  (*read)(ngx_http_ilert_call_t *call,
                                    u_char *data, size_t len);
    ngx_http_ilert_call_handler_pt  handler;    /* is called once, and never */
                                            /* from within send(); may free */
                                            /* the call */
    void                        *data;      /* the caller's */

    /* the outcome */

    ngx_uint_t                   status;    /* of the answer, or 0 */
    ngx_http_ilert_fault_e       fault;     /* if there is no answer, or if */
                                            /* one of 200 is not complete; */
                                            /* else it is NONE */
    /*
     * What is wrong, in one line of printable ASCII: the whole text of the
     * fault, or the error in an answer of 3xx, 4xx, or 5xx.  It may be empty,
     * and is valid only during the handler's call.
     */
    ngx_str_t                    reason;
    unsigned                     whole:1;   /* the answer is complete */
    unsigned                     given_up:1;

    /*
     * Set by the caller, at any time: its fault was logged, and nginx's lines
     * about it, of the levels "error" and "warn", are left out.
     */
    unsigned                     quiet:1;
};


/*
 * Sends it.  Returns NGX_OK, or NGX_ERROR if there is no memory; then the
 * handler is not called.
 */
ngx_int_t ngx_http_ilert_call_send(ngx_http_ilert_call_t *call);

/* Ends the calls that have this handler, with "given_up" set. */
void ngx_http_ilert_call_give_up(ngx_http_ilert_call_handler_pt handler);


#endif /* _NGX_HTTP_ILERT_CALL_H_INCLUDED_ */
