
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_reach.h"


/*
 * nginx's rewrite module compiles its directives to an array of codes, which
 * it runs one after the other.  Codes are public, but the configuration that
 * has the array is not.  The array has been the first member of it since nginx
 * 0.1.17.  That it still is so is seen by the command "rewrite_log", which
 * tells the place of the third member, a flag; the second one is a number.
 * If that is another place, nothing is checked.
 *
 * Codes are followed as long as they do the same for each webhook.
 */

typedef struct {
    ngx_array_t                 *codes;
    ngx_uint_t                   stack_size;
    ngx_flag_t                   log;
} ngx_http_ilert_reach_rewrite_t;


/* codes that only set a variable, and how long they are */

typedef struct {
    ngx_http_script_code_pt      code;
    size_t                       size;
} ngx_http_ilert_reach_code_t;


static ngx_module_t *ngx_http_ilert_reach_rewrite_module(ngx_cycle_t *cycle);
static ngx_uint_t ngx_http_ilert_reach_is_known(ngx_module_t *module);
static ngx_uint_t ngx_http_ilert_reach_answer(ngx_module_t *module,
    ngx_http_core_loc_conf_t *clcf, void **loc_conf);
static size_t ngx_http_ilert_reach_next(u_char *code,
    ngx_http_core_loc_conf_t *clcf, ngx_uint_t *status);
#if (NGX_PCRE)
static size_t ngx_http_ilert_reach_next_regex(
    ngx_http_script_regex_code_t *code, ngx_http_core_loc_conf_t *clcf,
    ngx_uint_t *status);
#endif


static ngx_http_ilert_reach_code_t  ngx_http_ilert_reach_codes[] = {

    { ngx_http_script_value_code, sizeof(ngx_http_script_value_code_t) },

    { ngx_http_script_set_var_code, sizeof(ngx_http_script_var_code_t) },

    { ngx_http_script_var_set_handler_code,
      sizeof(ngx_http_script_var_handler_code_t) },

    { NULL, 0 }
};


ngx_uint_t
ngx_http_ilert_reach_status(ngx_cycle_t *cycle,
    ngx_http_ilert_loc_conf_t *ilcf, const char **where)
{
    ngx_uint_t                 status;
    ngx_module_t              *module;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_core_srv_conf_t  *cscf;

    module = ngx_http_ilert_reach_rewrite_module(cycle);
    if (module == NULL) {
        return 0;
    }

    clcf = ilcf->clcf;
    cscf = ilcf->conf_ctx->srv_conf[ngx_http_core_module.ctx_index];

    *where = "server";

    /* "error_page" leads from the server to a named location */

    if (!clcf->named) {
        status = ngx_http_ilert_reach_answer(module, clcf,
                                             cscf->ctx->loc_conf);
        if (status) {
            return status;
        }
    }

    *where = "location";

    return ngx_http_ilert_reach_answer(module, clcf, clcf->loc_conf);
}


/* NULL: nginx has been built without it, or its configuration is not known */

static ngx_module_t *
ngx_http_ilert_reach_rewrite_module(ngx_cycle_t *cycle)
{
    ngx_uint_t     i;
    ngx_module_t  *module;

    for (i = 0; cycle->modules[i]; i++) {

        module = cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_http_rewrite_module") == 0) {
            return ngx_http_ilert_reach_is_known(module) ? module : NULL;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_ilert_reach_is_known(ngx_module_t *module)
{
    ngx_command_t  *cmd;

    for (cmd = module->commands; cmd->name.len; cmd++) {

        if (ngx_strcmp(cmd->name.data, "rewrite_log") == 0) {
            return cmd->set == ngx_conf_set_flag_slot
                   && cmd->conf == NGX_HTTP_LOC_CONF_OFFSET
                   && cmd->offset
                      == offsetof(ngx_http_ilert_reach_rewrite_t, log);
        }
    }

    return 0;
}


/* the status that all webhooks to the location are answered with, or 0 */

static ngx_uint_t
ngx_http_ilert_reach_answer(ngx_module_t *module,
    ngx_http_core_loc_conf_t *clcf, void **loc_conf)
{
    u_char                          *p, *last;
    size_t                           size;
    ngx_uint_t                       status;
    ngx_http_ilert_reach_rewrite_t  *rewrite;

    rewrite = loc_conf[module->ctx_index];

    if (rewrite->codes == NULL) {
        return 0;
    }

    p = rewrite->codes->elts;
    last = p + rewrite->codes->nelts;
    status = 0;

    while (p < last && *(uintptr_t *) p) {

        size = ngx_http_ilert_reach_next(p, clcf, &status);
        if (size == 0) {
            break;
        }

        p += size;
    }

    return status;
}


/*
 * Returns how far the next code is from this one; or 0, if there is none, with
 * the status if this one answers, or if this one does not do the same for all.
 */

static size_t
ngx_http_ilert_reach_next(u_char *p, ngx_http_core_loc_conf_t *clcf,
    ngx_uint_t *status)
{
    ngx_http_script_code_pt         code;
    ngx_http_ilert_reach_code_t    *rc;
    ngx_http_script_return_code_t  *ret;

    code = *(ngx_http_script_code_pt *) p;

    if (code == ngx_http_script_return_code) {
        ret = (ngx_http_script_return_code_t *) p;
        *status = ret->status;
        return 0;
    }

#if (NGX_PCRE)

    if (code == ngx_http_script_regex_start_code) {
        return ngx_http_ilert_reach_next_regex(
                           (ngx_http_script_regex_code_t *) p, clcf, status);
    }

#endif

    for (rc = ngx_http_ilert_reach_codes; rc->code; rc++) {
        if (rc->code == code) {
            return rc->size;
        }
    }

    return 0;
}


#if (NGX_PCRE)

/* The URI is only known of a location that has just one. */

static size_t
ngx_http_ilert_reach_next_regex(ngx_http_script_regex_code_t *code,
    ngx_http_core_loc_conf_t *clcf, ngx_uint_t *status)
{
    if (code->test || !code->uri || !clcf->exact_match) {
        return 0;
    }

    if (ngx_regex_exec(code->regex->regex, &clcf->name, NULL, 0) < 0) {
        return code->next;
    }

    if (code->redirect) {
        *status = code->status;
    }

    return 0;
}

#endif
