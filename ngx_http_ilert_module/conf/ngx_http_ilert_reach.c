
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
 * it runs one after the other.  The types of codes are public, but the type of
 * the configuration that has the array is not.  The array has been its first
 * member since nginx 0.1.17; then come a number and a flag.  The command
 * "rewrite_log" has the offset of the flag.  If it is not the expected one,
 * the type has changed, and nothing is checked.
 *
 * The codes are followed from the first one on, as long as each does the same
 * for all webhooks.
 */

typedef struct {
    ngx_array_t                 *codes;
    ngx_uint_t                   stack_size;
    ngx_flag_t                   log;
} ngx_http_ilert_reach_rewrite_t;


/* a code that only helps to set a variable, and its size in bytes */

typedef struct {
    ngx_http_script_code_pt      code;
    size_t                       size;
} ngx_http_ilert_reach_code_t;


static ngx_module_t *ngx_http_ilert_reach_rewrite_module(ngx_cycle_t *cycle);
static ngx_command_t *ngx_http_ilert_reach_command(ngx_module_t *module,
    const char *name);
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
static ngx_uint_t ngx_http_ilert_reach_is_possible(ngx_array_t *predicates);


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

    /*
     * An answer of the server may be what leads webhooks to a named location,
     * by "error_page".
     */

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


/*
 * Returns NULL if nginx was built without the rewrite module, or if the type
 * of its configuration has changed.
 */

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

    cmd = ngx_http_ilert_reach_command(module, "rewrite_log");

    return cmd
           && cmd->set == ngx_conf_set_flag_slot
           && cmd->conf == NGX_HTTP_LOC_CONF_OFFSET
           && cmd->offset == offsetof(ngx_http_ilert_reach_rewrite_t, log);
}


/* Returns NULL if the module has no such directive. */

static ngx_command_t *
ngx_http_ilert_reach_command(ngx_module_t *module, const char *name)
{
    ngx_command_t  *cmd;

    for (cmd = module->commands; cmd->name.len; cmd++) {
        if (ngx_strcmp(cmd->name.data, name) == 0) {
            return cmd;
        }
    }

    return NULL;
}


/* Returns the status with which the codes answer all webhooks, or 0. */

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
 * Returns the distance of the next code in bytes.  Returns 0 if the code
 * answers, and then sets the status; or if the code does not do the same for
 * all webhooks, or is not known.
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

/*
 * This is a "rewrite".  The URI that it is matched with is only known if the
 * location is an exact one ("=").
 */

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


/*
 * The member of nginx's configuration exists since nginx 1.31.5.  The command
 * tells whether this nginx has it, and where.
 */

off_t
ngx_http_ilert_reach_early_size(ngx_http_ilert_loc_conf_t *ilcf)
{
    u_char                    *p;
    ngx_array_t               *predicates;
    ngx_command_t             *cmd;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_core_srv_conf_t  *cscf;

    cmd = ngx_http_ilert_reach_command(&ngx_http_core_module,
                                       "client_body_early_read");

    if (cmd == NULL
        || cmd->set != ngx_http_set_predicate_slot
        || cmd->conf != NGX_HTTP_SRV_CONF_OFFSET)
    {
        return 0;
    }

    cscf = ilcf->conf_ctx->srv_conf[ngx_http_core_module.ctx_index];

    p = (u_char *) cscf + cmd->offset;
    predicates = *(ngx_array_t **) p;

    if (!ngx_http_ilert_reach_is_possible(predicates)) {
        return 0;
    }

    clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    return clcf->client_max_body_size;
}


/* Returns 0 if all predicates are constants that are never true. */

static ngx_uint_t
ngx_http_ilert_reach_is_possible(ngx_array_t *predicates)
{
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *cv;

    if (predicates == NULL) {
        return 0;
    }

    cv = predicates->elts;

    for (i = 0; i < predicates->nelts; i++) {

        value = &cv[i].value;

        if (cv[i].lengths
            || (value->len && (value->len != 1 || value->data[0] != '0')))
        {
            return 1;
        }
    }

    return 0;
}
