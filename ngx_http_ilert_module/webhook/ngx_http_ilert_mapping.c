
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_mapping.h"
#include "ngx_http_ilert_text.h"
#include "ngx_http_ilert_words.h"


/* seconds: the least time between two warnings of one location */

#define NGX_HTTP_ILERT_MAPPING_PERIOD  60

/* A warning shows at most this many bytes of a value. */

#define NGX_HTTP_ILERT_MAPPING_SHOWN   64


typedef struct {
    ngx_str_t                    name;

    /* the values that ilert allows, for messages; NULL if any is allowed */
    const char                  *allowed;

    /* the same values, and an empty one at the end; or NULL */
    ngx_str_t                   *words;

    /* an item is left out if one of the arguments 0 to "last" is empty */
    ngx_uint_t                   last;

    unsigned                     named:1;   /* the first argument is a name */
    unsigned                     link:1;    /* the second one defaults to */
                                            /* the first */

    /* it also has an effect on passthrough */
    unsigned                     fit:1;
} ngx_http_ilert_mapping_directive_t;


static char *ngx_http_ilert_mapping_compile(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t *cv);
static ngx_http_ilert_mapping_directive_t *ngx_http_ilert_mapping_find(
    ngx_str_t *name);
static ngx_uint_t ngx_http_ilert_mapping_allows(
    ngx_http_ilert_mapping_directive_t *directive, ngx_str_t *value);
static void ngx_http_ilert_mapping_warn(ngx_http_request_t *r,
    ngx_http_ilert_mapping_conf_t *conf,
    ngx_http_ilert_mapping_directive_t *directive, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_mapping_text(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_mapping_list(ngx_http_request_t *r,
    ngx_http_ilert_mapping_directive_t *directive, ngx_array_t *items,
    ngx_http_ilert_list_t *list);
static ngx_int_t ngx_http_ilert_mapping_item(ngx_http_request_t *r,
    ngx_http_ilert_mapping_directive_t *directive,
    ngx_http_complex_value_t *cv, ngx_http_ilert_item_t *item);
static void ngx_http_ilert_mapping_add(ngx_http_ilert_list_t *list,
    ngx_http_ilert_item_t *item, ngx_uint_t named);


static ngx_str_t  ngx_http_ilert_mapping_types[] = {
    ngx_string("ALERT"),
    ngx_string("RESOLVE"),
    ngx_string("ACCEPT"),
    ngx_string("COMMENT"),
    ngx_string("off"),
    ngx_null_string
};


static ngx_str_t  ngx_http_ilert_mapping_priorities[] = {
    ngx_string("HIGH"),
    ngx_string("LOW"),
    ngx_null_string
};


static ngx_str_t  ngx_http_ilert_mapping_severities[] = {
    ngx_string("1"),
    ngx_string("2"),
    ngx_string("3"),
    ngx_string("4"),
    ngx_string("5"),
    ngx_null_string
};


/* The index is a ngx_http_ilert_mapping_e. */

static ngx_http_ilert_mapping_directive_t
    ngx_http_ilert_mapping_directives[] =
{
    { ngx_string("ilert_event_type"),
      "\"ALERT\", \"RESOLVE\", \"ACCEPT\", \"COMMENT\" and \"off\" are "
      "allowed",
      ngx_http_ilert_mapping_types, 0, 0, 0, 1 },

    { ngx_string("ilert_alert_key"), NULL, NULL, 0, 0, 0, 1 },

    { ngx_string("ilert_summary"), NULL, NULL, 0, 0, 0, 0 },

    { ngx_string("ilert_details"), NULL, NULL, 0, 0, 0, 0 },

    { ngx_string("ilert_priority"),
      "\"HIGH\" and \"LOW\" are allowed",
      ngx_http_ilert_mapping_priorities, 0, 0, 0, 0 },

    { ngx_string("ilert_severity"),
      "1 to 5 is allowed",
      ngx_http_ilert_mapping_severities, 0, 0, 0, 0 },

    { ngx_string("ilert_routing_key"), NULL, NULL, 0, 0, 0, 0 },

    { ngx_string("ilert_label"), NULL, NULL, 1, 1, 0, 0 },

    { ngx_string("ilert_link"), NULL, NULL, 0, 0, 1, 0 },

    { ngx_string("ilert_image"), NULL, NULL, 0, 0, 0, 0 },

    { ngx_string("ilert_service"), NULL, NULL, 0, 0, 0, 0 },

    { ngx_string("ilert_comment"), NULL, NULL, 0, 0, 0, 0 },

    { ngx_string("ilert_custom_detail"), NULL, NULL, 1, 1, 0, 0 }
};


char *
ngx_http_ilert_mapping_set_value(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char  *p = conf;

    ngx_str_t                            *value;
    ngx_http_complex_value_t             *cv;
    ngx_http_ilert_mapping_directive_t   *directive;

    void  **vp;

    vp = (void **) (p + cmd->offset);

    if (*vp) {
        return "is duplicate";
    }

    cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (cv == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (ngx_http_ilert_mapping_compile(cf, &value[1], cv) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    directive = ngx_http_ilert_mapping_find(&cmd->name);

    if (cv->lengths == NULL
        && !ngx_http_ilert_mapping_allows(directive, &cv->value))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\", %s",
                           &cv->value, &cmd->name, directive->allowed);
        return NGX_CONF_ERROR;
    }

    *vp = cv;

    return NGX_CONF_OK;
}


char *
ngx_http_ilert_mapping_set_item(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                            *value, empty;
    ngx_uint_t                            i;
    ngx_array_t                         **items;
    ngx_http_complex_value_t             *cv;
    ngx_http_ilert_mapping_directive_t   *directive;

    items = (ngx_array_t **) (p + cmd->offset);

    if (*items == NULL) {
        *items = ngx_array_create(cf->pool, 4,
                                  NGX_HTTP_ILERT_ITEM_VALUES
                                  * sizeof(ngx_http_complex_value_t));
        if (*items == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    cv = ngx_array_push(*items);
    if (cv == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    ngx_str_set(&empty, "");

    for (i = 0; i < NGX_HTTP_ILERT_ITEM_VALUES; i++) {

        if (ngx_http_ilert_mapping_compile(cf, i + 1 < cf->args->nelts
                                               ? &value[i + 1] : &empty,
                                           &cv[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    directive = ngx_http_ilert_mapping_find(&cmd->name);

    if (directive->named && value[1].len == 0) {
        return "has an empty name";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_mapping_compile(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t *cv)
{
    ngx_http_compile_complex_value_t  ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = cv;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


/* The name is that of a command, so there always is such a directive. */

static ngx_http_ilert_mapping_directive_t *
ngx_http_ilert_mapping_find(ngx_str_t *name)
{
    ngx_http_ilert_mapping_directive_t  *directive;

    directive = ngx_http_ilert_mapping_directives;

    while (directive->name.len != name->len
           || ngx_memcmp(directive->name.data, name->data, name->len) != 0)
    {
        directive++;
    }

    return directive;
}


void
ngx_http_ilert_mapping_merge(ngx_http_ilert_mapping_conf_t *conf,
    ngx_http_ilert_mapping_conf_t *prev)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_ILERT_MAPPING_N; i++) {
        if (conf->directives[i] == NULL) {
            conf->directives[i] = prev->directives[i];
        }
    }
}


ngx_int_t
ngx_http_ilert_mapping_init(ngx_conf_t *cf,
    ngx_http_ilert_mapping_conf_t **confs, ngx_uint_t n)
{
    ngx_uint_t     i;
    ngx_atomic_t  *words;

    if (n == 0) {
        return NGX_OK;
    }

    words = ngx_http_ilert_words(cf, n * NGX_HTTP_ILERT_WARNING_N);
    if (words == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        confs[i]->warned = &words[i * NGX_HTTP_ILERT_WARNING_N];
    }

    return NGX_OK;
}


ngx_str_t *
ngx_http_ilert_mapping_unfit(ngx_http_ilert_mapping_conf_t *conf, ngx_uint_t i,
    ngx_uint_t events)
{
    ngx_http_ilert_mapping_directive_t  *directive;

    directive = &ngx_http_ilert_mapping_directives[i];

    return (conf->directives[i] && (events || !directive->fit))
           ? &directive->name : NULL;
}


ngx_int_t
ngx_http_ilert_mapping_value(ngx_http_request_t *r,
    ngx_http_ilert_mapping_conf_t *conf, ngx_http_ilert_mapping_e i,
    ngx_str_t *value)
{
    ngx_http_ilert_mapping_directive_t  *directive;

    ngx_str_null(value);

    if (conf->directives[i] == NULL) {
        return NGX_OK;
    }

    if (ngx_http_ilert_mapping_text(r, conf->directives[i], value) != NGX_OK) {
        return NGX_ERROR;
    }

    directive = &ngx_http_ilert_mapping_directives[i];

    if (!ngx_http_ilert_mapping_allows(directive, value)) {
        ngx_http_ilert_mapping_warn(r, conf, directive, value);
        ngx_str_null(value);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_mapping_eval(ngx_http_request_t *r,
    ngx_http_ilert_mapping_conf_t *conf, ngx_http_ilert_mapping_t *mapping)
{
    ngx_uint_t              i;
    ngx_http_ilert_list_t  *list;

    ngx_memzero(mapping, sizeof(ngx_http_ilert_mapping_t));

    for (i = NGX_HTTP_ILERT_SUMMARY; i < NGX_HTTP_ILERT_MAPPING_N; i++) {

        if (conf->directives[i] == NULL) {
            continue;
        }

        if (i < NGX_HTTP_ILERT_MAPPING_VALUES) {
            if (ngx_http_ilert_mapping_value(r, conf, i, &mapping->values[i])
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        list = &mapping->lists[i - NGX_HTTP_ILERT_MAPPING_VALUES];

        if (ngx_http_ilert_mapping_list(r,
                                        &ngx_http_ilert_mapping_directives[i],
                                        conf->directives[i], list)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_ilert_mapping_allows(ngx_http_ilert_mapping_directive_t *directive,
    ngx_str_t *value)
{
    ngx_str_t  *word;

    if (directive->words == NULL || value->len == 0) {
        return 1;
    }

    for (word = directive->words; word->len; word++) {
        if (word->len == value->len
            && ngx_memcmp(word->data, value->data, value->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Logs that a value is left out.  A wrong template gives a wrong value for
 * each event, so only one warning is logged in each period.
 */

static void
ngx_http_ilert_mapping_warn(ngx_http_request_t *r,
    ngx_http_ilert_mapping_conf_t *conf,
    ngx_http_ilert_mapping_directive_t *directive, ngx_str_t *value)
{
    u_char     buf[NGX_HTTP_ILERT_MAPPING_SHOWN];
    ngx_str_t  shown;

    if (!ngx_http_ilert_mapping_due(conf, NGX_HTTP_ILERT_WARNING_VALUE)) {
        return;
    }

    /* The value may come from the webhook, so it must not break the line. */

    shown.data = buf;
    shown.len = ngx_http_ilert_text_cut(value, sizeof(buf));

    ngx_memcpy(buf, value->data, shown.len);
    ngx_http_ilert_text_line(&shown);

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "invalid value \"%V\" of \"%V\" is left out, %s",
                  &shown, &directive->name, directive->allowed);
}


ngx_uint_t
ngx_http_ilert_mapping_due(ngx_http_ilert_mapping_conf_t *conf,
    ngx_http_ilert_warning_e kind)
{
    return ngx_http_ilert_counters_due(&conf->warned[kind],
                                       NGX_HTTP_ILERT_MAPPING_PERIOD);
}


static ngx_int_t
ngx_http_ilert_mapping_text(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_str_t *value)
{
    if (ngx_http_complex_value(r, cv, value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_text_valid(value, r->pool);
}


static ngx_int_t
ngx_http_ilert_mapping_list(ngx_http_request_t *r,
    ngx_http_ilert_mapping_directive_t *directive, ngx_array_t *items,
    ngx_http_ilert_list_t *list)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_ilert_item_t      item;
    ngx_http_complex_value_t  *cv;

    list->items = ngx_palloc(r->pool,
                             items->nelts * sizeof(ngx_http_ilert_item_t));
    if (list->items == NULL) {
        return NGX_ERROR;
    }

    cv = items->elts;

    for (i = 0; i < items->nelts; i++) {

        rc = ngx_http_ilert_mapping_item(r, directive, cv, &item);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            ngx_http_ilert_mapping_add(list, &item, directive->named);
        }

        cv += NGX_HTTP_ILERT_ITEM_VALUES;
    }

    return NGX_OK;
}


/*
 * Evaluates an item.  Returns NGX_OK, NGX_ERROR if there is no memory or if a
 * variable cannot be evaluated, or NGX_DECLINED if the item is left out.
 */

static ngx_int_t
ngx_http_ilert_mapping_item(ngx_http_request_t *r,
    ngx_http_ilert_mapping_directive_t *directive,
    ngx_http_complex_value_t *cv, ngx_http_ilert_item_t *item)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_ILERT_ITEM_VALUES; i++) {

        if (ngx_http_ilert_mapping_text(r, &cv[i], &item->values[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (i <= directive->last && item->values[i].len == 0) {
            return NGX_DECLINED;
        }
    }

    if (directive->link && item->values[1].len == 0) {
        item->values[1] = item->values[0];
    }

    return NGX_OK;
}


/* Adds an item.  Of items with the same name the last one counts. */

static void
ngx_http_ilert_mapping_add(ngx_http_ilert_list_t *list,
    ngx_http_ilert_item_t *item, ngx_uint_t named)
{
    ngx_str_t   *name;
    ngx_uint_t   i, n;

    n = 0;

    for (i = 0; i < list->nitems; i++) {

        name = &list->items[i].values[0];

        if (named && name->len == item->values[0].len
            && ngx_memcmp(name->data, item->values[0].data, name->len) == 0)
        {
            continue;
        }

        if (i != n) {
            list->items[n] = list->items[i];
        }

        n++;
    }

    list->items[n++] = *item;
    list->nitems = n;
}
