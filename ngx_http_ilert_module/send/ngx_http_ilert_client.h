
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CLIENT_H_INCLUDED_
#define _NGX_HTTP_ILERT_CLIENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_fault.h"


/*
 * What nginx needs of a client, so that it makes a request that has none: an
 * event to ilert (request.c), or a call (call.c).  client.c makes it and ends
 * it, hooks.c has the handlers that nginx calls on the way, and cause.c works
 * out why there is no answer.
 *
 * All functions are called on the event loop, and only by files of this
 * folder.
 */


/* bytes of an answer's body that are kept: for its error, and whose it is */

#define NGX_HTTP_ILERT_ANSWER_KEPT   4096

/* bytes of a reason, at most */

#define NGX_HTTP_ILERT_REASON_SIZE   256


/*
 * A kind of requests.  A request is a struct that begins with its client;
 * "outcome" and "done" are called once for each, the others may be NULL.
 */

typedef struct {
    size_t                       size;      /* of the struct */
    char                        *action;    /* for the log */
    ngx_msec_t                   rest;      /* ms after its head in which an */
                                            /* answer must have ended */

    /*
     * Sets client->target.body of the main request that was made.  Returns
     * NGX_OK, or NGX_ERROR if there is no memory.
     */
    ngx_int_t                  (*prepare)(ngx_http_ilert_client_t *client);

    /* adds what the request's handlers need to the main request's context */
    void                       (*context)(ngx_http_ilert_client_t *client,
                                          ngx_http_ilert_ctx_t *ctx);

    /*
     * Is called right before anything is written.  If it returns 0, the
     * request is given up.
     */
    ngx_uint_t                 (*may_send)(ngx_http_ilert_client_t *client);

    /* are called with the head of the answer, and with bytes of its body */
    void                       (*head)(ngx_http_ilert_client_t *client);
    void                       (*body)(ngx_http_ilert_client_t *client,
                                       u_char *data, size_t len);

    /*
     * Works out the outcome, while the subrequest still exists.  "rc" is what
     * a handler of post_subrequest gets.
     */
    void                       (*outcome)(ngx_http_ilert_client_t *client,
                                          ngx_int_t rc);

    /* is called when all is freed, but the struct */
    void                       (*done)(ngx_http_ilert_client_t *client);

    /*
     * Is called with a line for the log, in which it may overwrite what must
     * not be seen.  If it returns 0 the line is left out.
     */
    ngx_uint_t                 (*line)(ngx_http_ilert_client_t *client,
                                       ngx_uint_t level, ngx_str_t *line);

    /* adds to a line which request it is about; returns its end */
    u_char                    *(*who)(ngx_http_ilert_client_t *client,
                                      u_char *buf, size_t len);

    unsigned                     event:1;   /* it may connect by what is */
                                            /* kept for deliveries */
    ngx_uint_t                   nbusy;     /* set by client.c */
    ngx_queue_t                  free;      /* the same */
} ngx_http_ilert_client_kind_t;


/* What is sent, and where.  All of it must stay until it is done. */

typedef struct {
    ngx_http_conf_ctx_t         *conf_ctx;  /* of the main request: of a */
                                            /* location with */
                                            /* "log_subrequest" off */
    ngx_http_ilert_host_t       *host;
    ngx_str_t                   *main_uri;  /* of the main request */
    ngx_str_t                   *uri;
    ngx_str_t                   *args;      /* NULL: none */
    ngx_str_t                    body[2];   /* its parts, as JSON; both */
                                            /* empty: a GET */
    unsigned                     get:1;
} ngx_http_ilert_client_target_t;


struct ngx_http_ilert_client_s {
    ngx_http_ilert_client_kind_t  *kind;
    ngx_http_ilert_client_target_t  target;
    ngx_queue_t                  queue;     /* in the busy or the free ones */

    ngx_connection_t             connection;
    ngx_event_t                  read;
    ngx_event_t                  write;
    ngx_event_t                  end;       /* deadline; posted at the end */
    ngx_log_t                    log;
    ngx_http_log_ctx_t           log_ctx;
    ngx_http_connection_t        hc;
    ngx_buf_t                    header_in;
    struct sockaddr_in           sockaddr;

    ngx_http_request_t          *main;
    ngx_http_request_t          *sr;        /* the subrequest */
    ngx_http_post_subrequest_t   ps;

    /* handlers of nginx that ours have replaced, and call */
    ngx_http_handler_pt          content_handler;
    ngx_int_t                  (*reinit_request)(ngx_http_request_t *r);
    ngx_int_t                  (*process_header)(ngx_http_request_t *r);
    ngx_resolver_handler_pt      resolve_handler;
    ngx_output_chain_filter_pt   output;
    void                        *output_ctx;

    ngx_uint_t                   interim;       /* answers of 1xx so far */
    size_t                       received;      /* bytes of the body */
    size_t                       kept;          /* bytes in "answer" */
    ngx_msec_t                   turn;          /* of the event loop, and */
    int64_t                      work;          /* usec of work in it */
    ngx_http_ilert_fault_e       fault;         /* as far as it is known */
    size_t                       noted;         /* bytes in "reason", from */
                                                /* a line of the log */
    u_char                      *message;       /* end of nginx's message, */
                                                /* in the line being logged */
    unsigned                     ended:1;       /* the outcome is set */
    unsigned                     given_up:1;
    unsigned                     complete:1;    /* the body has come to its */
                                                /* end */
    unsigned                     lost:1;        /* the core has terminated */
                                                /* the main request */
    unsigned                     resolver:1;    /* there are name servers */

    /* what follows is not set to zero */

    u_char                       answer[NGX_HTTP_ILERT_ANSWER_KEPT];
    u_char                       reason[NGX_HTTP_ILERT_REASON_SIZE];
};


/*
 * Returns a request of that kind, in which all but "kind" is zero, or NULL if
 * there is no memory.  It must be given to ngx_http_ilert_client_send().
 */
ngx_http_ilert_client_t *ngx_http_ilert_client_create(
    ngx_http_ilert_client_kind_t *kind);

/*
 * Sends what client->target says.  kind->done() is not called from within this
 * call.  Returns NGX_OK, or NGX_ERROR if there is no memory; then it is not
 * called at all, and the request must not be used any more.
 */
ngx_int_t ngx_http_ilert_client_send(ngx_http_ilert_client_t *client);

/*
 * Ends a request: has its outcome worked out, unless it has been, and posts an
 * event in which kind->done() is called.  Must be called while the subrequest
 * exists.  "rc" is what a handler of post_subrequest gets.
 */
void ngx_http_ilert_client_end(ngx_http_ilert_client_t *client, ngx_int_t rc);

/* Ends a request with "given_up" set, unless it has ended. */
void ngx_http_ilert_client_give_up(ngx_http_ilert_client_t *client);

/*
 * Returns 1 if the request may be sent by its kind.  Otherwise gives it up and
 * returns 0.
 */
ngx_uint_t ngx_http_ilert_client_may_send(ngx_http_ilert_client_t *client);

/*
 * Returns the first request of that kind which is under way, or the one after
 * "client" if that is not NULL; or NULL if there are no more.
 */
ngx_http_ilert_client_t *ngx_http_ilert_client_next(
    ngx_http_ilert_client_kind_t *kind, ngx_http_ilert_client_t *client);


#endif /* _NGX_HTTP_ILERT_CLIENT_H_INCLUDED_ */
