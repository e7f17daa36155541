
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_KAPACITOR_DUMP_H_INCLUDED_
#define _NGX_HTTP_ILERT_KAPACITOR_DUMP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Kapacitor's own dump of an alert, which the details are unless the user sets
 * them:
 *
 *     {"Name":"cpu","TaskName":"cpu_alert","Group":"host=a","Tags":{
 *      "host":"a"},"ServerInfo":{"Hostname":"k1",…},"ID":"cpu:host=a",
 *      "Fields":{"usage":95},"Level":"CRITICAL","Time":"…","Duration":0,
 *      "Message":"…"}
 *
 * Task, group, and name are tokens of JSON, and strings.  The others stand as
 * they do in the dump, and have not been checked; they are null strings if
 * they are missing.
 */

typedef struct {
    ngx_str_t                   task;
    ngx_str_t                   group;
    ngx_str_t                   name;       /* of the measurement, or "" */
    ngx_str_t                   server;
    ngx_str_t                   tags;
    ngx_str_t                   fields;
} ngx_http_ilert_kapacitor_dump_t;


/*
 * Reads details, which are HTML, if they are such a dump.  Returns NGX_OK,
 * NGX_ERROR if there is no memory, or NGX_DECLINED if they are something else.
 * The tokens are in memory from the pool.
 */
ngx_int_t ngx_http_ilert_kapacitor_read_dump(ngx_str_t *details,
    ngx_http_ilert_kapacitor_dump_t *dump, ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_KAPACITOR_DUMP_H_INCLUDED_ */
