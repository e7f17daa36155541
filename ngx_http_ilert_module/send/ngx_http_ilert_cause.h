
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CAUSE_H_INCLUDED_
#define _NGX_HTTP_ILERT_CAUSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_client.h"


/*
 * Why a request has no answer.  nginx has one code for almost all reasons.  So
 * the reason is found by the state in which nginx has left the upstream; and
 * if nginx has said it only in a line of its log, by that line.  All lines
 * about a request pass through client.c.
 */


/*
 * Is called with each line that nginx logs about the request at the level
 * "error" or worse.  client->message points to the end of nginx's message in
 * the line.  Sets client->fault, client->reason, and client->noted.  The
 * reason may contain a key.
 */
void ngx_http_ilert_cause_note(ngx_http_ilert_client_t *client, u_char *line,
    size_t len);

/*
 * Returns the fault of a request that has no answer, or no whole one; its
 * subrequest has an upstream.  "rc" is what a handler of post_subrequest gets.
 * The first client->noted bytes of client->reason are the detail of the fault.
 */
ngx_http_ilert_fault_e ngx_http_ilert_cause_find(
    ngx_http_ilert_client_t *client, ngx_int_t rc);

/*
 * Returns 1 if a body is that of a server which speaks https and was sent
 * a request of http.
 */
ngx_uint_t ngx_http_ilert_cause_wants_https(ngx_str_t *body);


#endif /* _NGX_HTTP_ILERT_CAUSE_H_INCLUDED_ */
