
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_MAPPING_H_INCLUDED_
#define _NGX_HTTP_ILERT_MAPPING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/*
 * The directives that say what is in an event, "ilert_summary" and so on: how
 * they are configured, and what their values are for a request.
 */


/*
 * These are the handlers of the directives, for one value and for an item of a
 * list.  cmd->offset is that of the member of "directives" in the location's
 * configuration; cmd->post is not used.  They return as handlers of nginx do:
 * NGX_CONF_OK, NGX_CONF_ERROR after they have logged the error, or a text.
 */
char *ngx_http_ilert_mapping_set_value(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_mapping_set_item(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Directives that "conf" lacks are taken from the level above, "prev". */
void ngx_http_ilert_mapping_merge(ngx_http_ilert_mapping_conf_t *conf,
    ngx_http_ilert_mapping_conf_t *prev);


/*
 * Sets "warned" of n configurations, which are those of all locations, to
 * memory that the workers share and that lives as long as cf->pool.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_mapping_init(ngx_conf_t *cf,
    ngx_http_ilert_mapping_conf_t **confs, ngx_uint_t n);


/*
 * Returns true if a warning of a location may be logged now: once a minute for
 * each kind, by all workers together.
 */
ngx_uint_t ngx_http_ilert_mapping_due(ngx_http_ilert_mapping_conf_t *conf,
    ngx_http_ilert_warning_e kind);


/*
 * Returns the name of directive i if "conf" has it, and it has no effect on
 * passthrough, where ilert makes the event of Kapacitor's body; or, if
 * "events" is 1, on events of other senders, on which none has.  Otherwise
 * returns NULL.
 */
ngx_str_t *ngx_http_ilert_mapping_unfit(ngx_http_ilert_mapping_conf_t *conf,
    ngx_uint_t i, ngx_uint_t events);


/*
 * Evaluates one directive that is no list.  "value" is valid UTF-8, and lives
 * as long as the request.  It is empty if there is no such directive, or if
 * ilert does not allow the value, of which a warning is logged if it is due.
 * Returns NGX_OK, or NGX_ERROR if there is no memory or if a variable cannot
 * be evaluated.
 */
ngx_int_t ngx_http_ilert_mapping_value(ngx_http_request_t *r,
    ngx_http_ilert_mapping_conf_t *conf, ngx_http_ilert_mapping_e i,
    ngx_str_t *value);

/*
 * Evaluates all directives that ngx_http_ilert_event_map() needs, which are
 * all but the event's type and its alert key.  Values, warnings and the return
 * value are as above.
 */
ngx_int_t ngx_http_ilert_mapping_eval(ngx_http_request_t *r,
    ngx_http_ilert_mapping_conf_t *conf, ngx_http_ilert_mapping_t *mapping);


#endif /* _NGX_HTTP_ILERT_MAPPING_H_INCLUDED_ */
