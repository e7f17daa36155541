
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


/*
 * A module of nginx for t/repair.t, loaded after ours.  A location with
 * "repair" sends the body of each request as a repair of the first Kapacitor,
 * and answers with its outcome as JSON.  Arguments: id, level (a number), time
 * (ns), source, key.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_repair.h"


typedef struct {
    ngx_http_ilert_repair_t   repair;
    ngx_http_request_t       *r;
} repair_t;


static char *repair_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t repair_handler(ngx_http_request_t *r);
static void repair_has_body(ngx_http_request_t *r);
static ngx_str_t repair_arg(ngx_http_request_t *r, const char *name);
static void repair_done(ngx_http_ilert_repair_t *repair);


static ngx_command_t  repair_commands[] = {

    { ngx_string("repair"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      repair_set,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  repair_module_ctx = {
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
};


ngx_module_t  repair_module = {
    NGX_MODULE_V1,
    &repair_module_ctx,
    repair_commands,
    NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};


ngx_module_t  *ngx_modules[] = { &repair_module, NULL };
char  *ngx_module_names[] = { "repair_module", NULL };
char  *ngx_module_order[] = { NULL };


static char *
repair_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = repair_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
repair_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, repair_has_body);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static void
repair_has_body(ngx_http_request_t *r)
{
    repair_t                     *t;
    ngx_buf_t                    *b;
    ngx_str_t                     text;
    ngx_http_ilert_repair_t      *repair;
    ngx_http_ilert_kapacitor_t  **kapacitors;
    ngx_http_ilert_main_conf_t   *imcf;

    t = ngx_pcalloc(r->pool, sizeof(repair_t));
    if (t == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    t->r = r;
    repair = &t->repair;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);
    kapacitors = imcf->kapacitors.elts;

    b = r->request_body->bufs->buf;
    repair->call.body.data = b->pos;
    repair->call.body.len = b->last - b->pos;

    repair->kapacitor = kapacitors[0];
    repair->handler = repair_done;
    repair->source = repair_arg(r, "source");
    repair->alert_key = repair_arg(r, "key");

    repair->heard.place = kapacitors[0]->place;
    repair->heard.id = repair_arg(r, "id");
    repair->heard.repair = 1;
    repair->heard.unheard = 1;

    text = repair_arg(r, "level");
    repair->heard.level = ngx_atoi(text.data, text.len);

    text = repair_arg(r, "time");
    repair->heard.time = ngx_atoof(text.data, text.len);

    if (ngx_http_ilert_repair_send(repair) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->main->blocked++;
}


static ngx_str_t
repair_arg(ngx_http_request_t *r, const char *name)
{
    ngx_str_t  value;

    ngx_str_null(&value);

    (void) ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value);

    return value;
}


static void
repair_done(ngx_http_ilert_repair_t *repair)
{
    repair_t  *t = (repair_t *) repair;

    u_char                    *p;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_complex_value_t   cv;

    static ngx_str_t           type = ngx_string("application/json");

    r = t->r;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    p = ngx_pnalloc(r->pool, 256);

    if (p) {
        cv.value.data = p;
        cv.value.len = ngx_sprintf(p, "{\"status\":%ui,\"result\":\"%V\","
                                   "\"type\":%ui,\"news\":%ui,"
                                   "\"refused\":%d}\n",
                                   repair->status, &repair->result,
                                   repair->type, (ngx_uint_t) repair->news,
                                   repair->refused)
                       - p;
    }

    ngx_http_finalize_request(r, ngx_http_send_response(r, NGX_HTTP_OK, &type,
                                                        &cv));

    ngx_http_run_posted_requests(c);
}
