
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_digest_conf.h"
#include "ngx_http_ilert_heartbeat.h"
#include "ngx_http_ilert_rate.h"
#include "ngx_http_ilert_source.h"
#include "ngx_http_ilert_text.h"


/* bytes: a file of a key must be smaller, as any key is */

#define NGX_HTTP_ILERT_KEY_FILE_SIZE   4096

#define NGX_HTTP_ILERT_MAX_CONCURRENCY 1000

/* what a directive allows beside a time: nothing if "conf" is 0 */

#define NGX_HTTP_ILERT_TIME_OFF        1    /* "off", which is 0 */
#define NGX_HTTP_ILERT_TIME_0          2    /* 0 */

/* a webhook URL ends in this, and then has the key */

#define NGX_HTTP_ILERT_PASSTHROUGH_PATH  "v1/events/kapacitor/"


static char *ngx_http_ilert_source_member(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static char *ngx_http_ilert_source_unknown(ngx_conf_t *cf,
    ngx_http_ilert_source_t *source);
static char *ngx_http_ilert_source_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ilert_source_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_ilert_source_value(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_ilert_source_t *source, ngx_str_t *value);
static char *ngx_http_ilert_source_invalid(ngx_conf_t *cf, ngx_command_t *cmd,
    const char *what);
static char *ngx_http_ilert_source_endpoint(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_ilert_source_concurrency(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_ilert_source_retry(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ilert_source_time(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ilert_source_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ilert_source_word(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_uint_t ngx_http_ilert_source_is_key(ngx_str_t *key);
static ngx_int_t ngx_http_ilert_source_read_file(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_source_heartbeat_parameter(ngx_conf_t *cf,
    ngx_http_ilert_heartbeat_conf_t *hcf, ngx_str_t *value);


/* words that directives allow */

static ngx_conf_enum_t  ngx_http_ilert_coalesce[] = {
    { ngx_string("off"), NGX_HTTP_ILERT_COALESCE_OFF },
    { ngx_string("repeats"), NGX_HTTP_ILERT_COALESCE_REPEATS },
    { ngx_string("latest"), NGX_HTTP_ILERT_COALESCE_LATEST },
    { ngx_null_string, 0 }
};

static ngx_conf_enum_t  ngx_http_ilert_raise[] = {
    { ngx_string("reopen"), NGX_HTTP_ILERT_RAISE_REOPEN },
    { ngx_string("update"), NGX_HTTP_ILERT_RAISE_UPDATE },
    { ngx_null_string, 0 }
};

static ngx_conf_enum_t  ngx_http_ilert_stale[] = {
    { ngx_string("take"), 0 },
    { ngx_string("drop"), 1 },
    { ngx_null_string, 0 }
};


/*
 * The directives of ilert_source { }.  If "offset" is set, it is that of the
 * value in the source; such a directive may be given once, and has no effect
 * without a queue.
 *
 * For keys and URLs "post" is "_file" if the argument is the name of a file,
 * otherwise it is empty.  A time is an int64_t in milliseconds: "post" is an
 * example for the error message, and "conf" says what else is allowed.  A word
 * is an ngx_uint_t, and "post" has the words.
 */

static ngx_command_t  ngx_http_ilert_source_commands[] = {

    { ngx_string("integration_key"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_key,
      0,
      0,
      "" },

    { ngx_string("integration_key_file"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_key,
      0,
      0,
      "_file" },

    { ngx_string("webhook_url"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_url,
      0,
      0,
      "" },

    { ngx_string("webhook_url_file"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_url,
      0,
      0,
      "_file" },

    { ngx_string("endpoint"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_endpoint,
      0,
      0,
      NULL },

    { ngx_string("rate"),
      NGX_CONF_TAKE12,
      ngx_http_ilert_source_rate,
      0,
      offsetof(ngx_http_ilert_source_t, rate.n),
      NULL },

    { ngx_string("concurrency"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_concurrency,
      0,
      offsetof(ngx_http_ilert_source_t, policy.concurrency),
      NULL },

    { ngx_string("retry"),
      NGX_CONF_TAKE2,
      ngx_http_ilert_source_retry,
      0,
      offsetof(ngx_http_ilert_source_t, policy.retry_first),
      NULL },

    { ngx_string("max_age"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_time,
      NGX_HTTP_ILERT_TIME_OFF,
      offsetof(ngx_http_ilert_source_t, policy.max_age),
      "12h" },

    { ngx_string("coalesce"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_word,
      0,
      offsetof(ngx_http_ilert_source_t, policy.coalesce),
      ngx_http_ilert_coalesce },

    { ngx_string("repeat"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_time,
      0,
      offsetof(ngx_http_ilert_source_t, policy.repeat),
      "5m" },

    { ngx_string("resolve_after"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_time,
      NGX_HTTP_ILERT_TIME_OFF,
      offsetof(ngx_http_ilert_source_t, policy.resolve_after),
      "12h" },

    { ngx_string("resolve_delay"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_time,
      NGX_HTTP_ILERT_TIME_0,
      offsetof(ngx_http_ilert_source_t, policy.resolve_delay),
      "2m" },

    { ngx_string("raise"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_word,
      0,
      offsetof(ngx_http_ilert_source_t, policy.raise),
      ngx_http_ilert_raise },

    { ngx_string("digest"),
      NGX_CONF_TAKE123,
      ngx_http_ilert_digest_directive,
      0,
      offsetof(ngx_http_ilert_source_t, policy.digest),
      NULL },

    { ngx_string("stale"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_word,
      0,
      offsetof(ngx_http_ilert_source_t, policy.stale),
      ngx_http_ilert_stale },

      ngx_null_command
};


/* the defaults of the directives; times are in ms */

static ngx_http_ilert_policy_t  ngx_http_ilert_source_policy = {
    .coalesce = NGX_HTTP_ILERT_COALESCE_LATEST,
    .repeat = 5 * 60 * 1000,
    .resolve_after = 0,
    .resolve_delay = 0,
    .raise = NGX_HTTP_ILERT_RAISE_REOPEN,
    .max_age = 0,
    .stale = 0,
    .concurrency = 8,
    .retry_first = 1000,
    .retry_longest = 5 * 60 * 1000,
};


char *
ngx_http_ilert_source_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_main_conf_t *imcf = conf;

    char                      *rv;
    ngx_str_t                 *value;
    ngx_conf_t                 save;
    ngx_http_ilert_source_t   *source, **sp;

    value = cf->args->elts;

    if (value[1].len == 0
        || (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0)
        || ngx_strlchr(value[1].data, value[1].data + value[1].len, '$'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" in \"ilert_source\", any is "
                           "allowed but \"off\", an empty one and one with "
                           "\"$\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    source = ngx_http_ilert_find_source(imcf, &value[1]);

    if (source) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"ilert_source\" \"%V\" (first in "
                           "%s:%ui)", &value[1], source->file_name,
                           source->line);
        return NGX_CONF_ERROR;
    }

    source = ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_source_t));
    if (source == NULL) {
        return NGX_CONF_ERROR;
    }

    sp = ngx_array_push(&imcf->sources);
    if (sp == NULL) {
        return NGX_CONF_ERROR;
    }

    *sp = source;

    source->name = value[1];
    source->file_name = cf->conf_file->file.name.data;
    source->line = cf->conf_file->line;

    ngx_http_ilert_rate_init(&source->rate);
    source->policy = ngx_http_ilert_source_policy;

    save = *cf;
    cf->handler = ngx_http_ilert_source_member;
    cf->handler_conf = (void *) source;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (source->key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no key in \"ilert_source\" \"%V\", one of "
                           "\"integration_key\", \"integration_key_file\", "
                           "\"webhook_url\" and \"webhook_url_file\" "
                           "is needed", &source->name);
        return NGX_CONF_ERROR;
    }

    if (source->endpoint_name.data == NULL) {
        ngx_str_set(&source->endpoint_name, "default");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_member(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    char           *rv;
    ngx_str_t      *value;
    ngx_uint_t      n, bit;
    ngx_command_t  *cmd;

    value = cf->args->elts;

    for (cmd = ngx_http_ilert_source_commands; cmd->name.len; cmd++) {
        if (cmd->name.len == value[0].len
            && ngx_strcmp(cmd->name.data, value[0].data) == 0)
        {
            break;
        }
    }

    if (cmd->name.len == 0) {
        return ngx_http_ilert_source_unknown(cf, source);
    }

    n = cf->args->nelts - 1;

    if (n > NGX_CONF_MAX_ARGS || !(cmd->type & (NGX_CONF_NOARGS << n))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in "
                           "\"%V\" directive", &value[0]);
        return NGX_CONF_ERROR;
    }

    bit = (ngx_uint_t) 1 << (cmd - ngx_http_ilert_source_commands);

    if (cmd->offset && (source->given & bit)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive is duplicate", &value[0]);
        return NGX_CONF_ERROR;
    }

    source->given |= bit;

    rv = cmd->set(cf, cmd, conf);

    if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive %s", &value[0], rv);
        return NGX_CONF_ERROR;
    }

    return rv;
}


/*
 * The log does not show the name of the unknown directive, which may be a key
 * that was written without its directive.
 */

static char *
ngx_http_ilert_source_unknown(ngx_conf_t *cf, ngx_http_ilert_source_t *source)
{
    u_char         *p, *last, list[512];
    ngx_command_t  *cmd;

    p = list;
    last = list + sizeof(list);

    for (cmd = ngx_http_ilert_source_commands; cmd->name.len; cmd++) {

        if (cmd > ngx_http_ilert_source_commands) {
            p = ngx_slprintf(p, last, cmd[1].name.len ? ", " : " and ");
        }

        p = ngx_slprintf(p, last, "\"%V\"", &cmd->name);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive in \"ilert_source\" \"%V\", "
                       "%*s are allowed", &source->name,
                       (size_t) (p - list), list);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_ilert_source_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    u_char     *p;
    ngx_str_t   key;

    if (ngx_http_ilert_source_value(cf, cmd, source, &key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strlchr(key.data, key.data + key.len, '/')) {
        return ngx_http_ilert_source_invalid(cf, cmd,
                         "a URL, expected an integration key; the URL of a "
                         "Kapacitor alert source goes into \"webhook_url\"");
    }

    if (!ngx_http_ilert_source_is_key(&key)) {
        return ngx_http_ilert_source_invalid(cf, cmd,
                         "no integration key, letters, digits, \"-\", \"_\", "
                         "\".\" and \"~\" are allowed in it");
    }

    if (key.len > 6 && ngx_strncmp(key.data, "il1kap", 6) == 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the key in \"%V\" is of a Kapacitor alert source, "
                           "which takes no events: use \"webhook_url%s\" with "
                           "the URL that ilert shows, or the key of an API "
                           "alert source", &cmd->name, cmd->post);
    }

    source->key = key;
    ngx_str_set(&source->path, "events");

    source->open.len = sizeof("{\"integrationKey\":\"\",") - 1 + key.len;

    p = ngx_pnalloc(cf->pool, source->open.len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    source->open.data = p;
    ngx_sprintf(p, "{\"integrationKey\":\"%V\",", &key);

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    u_char     *p, *last;
    ngx_str_t   url, key;

    if (ngx_http_ilert_source_value(cf, cmd, source, &url) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_str_null(&key);

    last = url.data + url.len;
    p = ngx_strlchr(url.data, last, ':');

    if (p && ((p - url.data == 4 && ngx_strncasecmp(url.data,
                                                (u_char *) "http", 4) == 0)
              || (p - url.data == 5 && ngx_strncasecmp(url.data,
                                                (u_char *) "https", 5) == 0))
        && last - p > 3 && p[1] == '/' && p[2] == '/' && p[3] != '/')
    {
        p = ngx_strlcasestrn(p + 3, last,
                             (u_char *) "/" NGX_HTTP_ILERT_PASSTHROUGH_PATH,
                             sizeof(NGX_HTTP_ILERT_PASSTHROUGH_PATH) - 1);
        if (p) {
            key.data = p + sizeof(NGX_HTTP_ILERT_PASSTHROUGH_PATH);
            key.len = last - key.data;
        }
    }

    if (!ngx_http_ilert_source_is_key(&key)) {
        return ngx_http_ilert_source_invalid(cf, cmd,
                         "no webhook URL of a Kapacitor alert source, "
                         "expected \"https://api.ilert.com/api/"
                         NGX_HTTP_ILERT_PASSTHROUGH_PATH "KEY\"");
    }

    if (key.len > 6 && ngx_strncmp(key.data, "il1api", 6) == 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the key in \"%V\" is of an API alert source: use "
                           "\"integration_key%s\" with its key",
                           &cmd->name, cmd->post);
    }

    source->passthrough = 1;
    source->key = key;

    source->path.len = sizeof(NGX_HTTP_ILERT_PASSTHROUGH_PATH) - 1 + key.len;

    source->path.data = ngx_pnalloc(cf->pool, source->path.len);
    if (source->path.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(source->path.data, NGX_HTTP_ILERT_PASSTHROUGH_PATH "%V", &key);

    return NGX_CONF_OK;
}


/*
 * Sets "value" to the argument of a directive of a key or URL, or to the
 * content of the file that it names, without white space at both ends.
 */

static ngx_int_t
ngx_http_ilert_source_value(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_ilert_source_t *source, ngx_str_t *value)
{
    char       *post = cmd->post;

    ngx_str_t  *args;

    if (source->key.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive is duplicate, \"ilert_source\" "
                           "\"%V\" has a key already", &cmd->name,
                           &source->name);
        return NGX_ERROR;
    }

    args = cf->args->elts;
    *value = args[1];

    if (post[0] && ngx_http_ilert_source_read_file(cf, cmd, value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_ilert_text_trim(value);

    if (value->len == 0) {
        (void) ngx_http_ilert_source_invalid(cf, cmd, "empty");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The log does not show the value: it is a secret, or is probably one with
 * a slip in it.
 */

static char *
ngx_http_ilert_source_invalid(ngx_conf_t *cf, ngx_command_t *cmd,
    const char *what)
{
    char       *post = cmd->post;

    ngx_str_t  *args;

    if (post[0]) {
        args = cf->args->elts;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\": what is in \"%V\" is %s",
                           &cmd->name, &args[1], what);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\": the value is %s",
                           &cmd->name, what);
    }

    return NGX_CONF_ERROR;
}


static char *
ngx_http_ilert_source_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    ngx_str_t  *value;

    if (source->endpoint_name.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "has an empty value, the name of an \"ilert_endpoint\" "
               "is allowed";
    }

    source->endpoint_name = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_concurrency(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n < 1 || n > NGX_HTTP_ILERT_MAX_CONCURRENCY) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"concurrency\", a number "
                           "from 1 to %d is allowed", &value[1],
                           NGX_HTTP_ILERT_MAX_CONCURRENCY);
        return NGX_CONF_ERROR;
    }

    source->policy.concurrency = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_retry(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    source->policy.retry_first = ngx_parse_time(&value[1], 0);
    source->policy.retry_longest = ngx_parse_time(&value[2], 0);

    if (source->policy.retry_first == (ngx_msec_t) NGX_ERROR
        || source->policy.retry_longest == (ngx_msec_t) NGX_ERROR
        || source->policy.retry_first == 0
        || source->policy.retry_longest < source->policy.retry_first)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid values \"%V\" and \"%V\" in \"retry\", "
                           "two times such as \"1s\" and \"5m\" are "
                           "allowed, the second one not shorter than the "
                           "first one",
                           &value[1], &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_time(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    int64_t    *msp;
    ngx_str_t  *value;

    static const char  *also[] = { "is", "and \"off\" are", "and \"0\" are" };

    value = cf->args->elts;
    msp = (int64_t *) (p + cmd->offset);

    if (cmd->conf == NGX_HTTP_ILERT_TIME_OFF && value[1].len == 3
        && ngx_strncmp(value[1].data, "off", 3) == 0)
    {
        *msp = 0;
        return NGX_CONF_OK;
    }

    *msp = ngx_parse_time(&value[1], 0);

    /* An ngx_int_t of 32 bits has room for the ms of 24 days only. */

    if (*msp == NGX_ERROR && sizeof(ngx_int_t) < sizeof(int64_t)) {
        *msp = ngx_parse_time(&value[1], 1);
        *msp *= (*msp == NGX_ERROR) ? 1 : 1000;
    }

    if (*msp == NGX_ERROR
        || (*msp == 0 && cmd->conf != NGX_HTTP_ILERT_TIME_0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\", a time such as "
                           "\"%s\" %s allowed", &value[1], &cmd->name,
                           cmd->post, also[cmd->conf]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    ngx_int_t   rc;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_http_ilert_rate_parse(&source->rate, &value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"rate\", a number of "
                           "requests such as \"50r/m\" or \"2r/s\" and "
                           "\"off\" are allowed", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    rc = ngx_http_ilert_rate_parse_reserve(cf, &source->rate, &value[2],
                                           "rate");

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"rate\", "
                           "\"reserve=\" is allowed", &value[2]);
    }

    if (rc != NGX_OK
        || ngx_http_ilert_rate_check_reserve(cf, &source->rate, "rate")
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_word(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char             *p = conf;
    ngx_conf_enum_t  *words = cmd->post;

    u_char           *last, *end, list[128];
    ngx_str_t        *value;
    ngx_uint_t        i;

    value = cf->args->elts;

    end = list;
    last = list + sizeof(list);

    for (i = 0; words[i].name.len; i++) {

        if (words[i].name.len == value[1].len
            && ngx_strcmp(words[i].name.data, value[1].data) == 0)
        {
            *(ngx_uint_t *) (p + cmd->offset) = words[i].value;
            return NGX_CONF_OK;
        }

        if (i) {
            end = ngx_slprintf(end, last,
                               words[i + 1].name.len ? ", " : " and ");
        }

        end = ngx_slprintf(end, last, "\"%V\"", &words[i].name);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\", %*s are allowed",
                       &value[1], &cmd->name, (size_t) (end - list), list);

    return NGX_CONF_ERROR;
}


/* A key is of characters that need no escaping in a URL, nor in JSON. */

static ngx_uint_t
ngx_http_ilert_source_is_key(ngx_str_t *key)
{
    size_t  i;
    u_char  ch;

    for (i = 0; i < key->len; i++) {
        ch = key->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '-' || ch == '_' || ch == '.' || ch == '~'))
        {
            return 0;
        }
    }

    return key->len != 0;
}


/* "value" is the name of the file, and is set to its content. */

static ngx_int_t
ngx_http_ilert_source_read_file(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *value)
{
    u_char      *buf;
    ssize_t      n;
    ngx_str_t    name;
    ngx_file_t   file;

    name = *value;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    buf = ngx_pnalloc(cf->pool, NGX_HTTP_ILERT_KEY_FILE_SIZE);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = name;
    file.log = cf->log;
    file.fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"%V\" directive: " ngx_open_file_n
                           " \"%V\" failed", &cmd->name, &name);
        return NGX_ERROR;
    }

    n = ngx_read_file(&file, buf, NGX_HTTP_ILERT_KEY_FILE_SIZE, 0);

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &name);
    }

    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive: \"%V\" could not be read",
                           &cmd->name, &name);
        return NGX_ERROR;
    }

    if (n == NGX_HTTP_ILERT_KEY_FILE_SIZE) {
        (void) ngx_http_ilert_source_invalid(cf, cmd, "too large for a key");
        return NGX_ERROR;
    }

    value->data = buf;
    value->len = n;

    return NGX_OK;
}


/*
 * The heartbeat is a source that has no events: so a ping can be sent in the
 * same way as all other requests.
 */

char *
ngx_http_ilert_source_heartbeat(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_ilert_main_conf_t *imcf = conf;

    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_http_ilert_source_t          *source;
    ngx_http_ilert_heartbeat_conf_t  *hcf;

    hcf = &imcf->heartbeat;

    if (hcf->source) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_ilert_source_heartbeat_parameter(cf, hcf, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (hcf->interval == 0) {
        hcf->interval = 30000;
    }

    source = ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_source_t));
    if (source == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&source->name, NGX_HTTP_ILERT_HEARTBEAT);
    ngx_str_set(&source->endpoint_name, NGX_HTTP_ILERT_HEARTBEAT);

    source->heartbeat = 1;

    if (ngx_http_ilert_source_value(cf, cmd, source, &source->path) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_ilert_source_is_key(&source->path)) {
        return ngx_http_ilert_source_invalid(cf, cmd,
                         "no key of a heartbeat, letters, digits, \"-\", "
                         "\"_\", \".\" and \"~\" are allowed in it");
    }

    source->key = source->path;

    hcf->source = source;
    hcf->file_name = cf->conf_file->file.name.data;
    hcf->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


/* Parses "interval=" or "kapacitor=".  An interval of 0 is not given yet. */

static ngx_int_t
ngx_http_ilert_source_heartbeat_parameter(ngx_conf_t *cf,
    ngx_http_ilert_heartbeat_conf_t *hcf, ngx_str_t *value)
{
    ngx_int_t  ms;
    ngx_str_t  interval;

    if (ngx_strcmp(value->data, "kapacitor=on") == 0) {
        hcf->kapacitor = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "kapacitor=off") == 0) {
        return NGX_OK;
    }

    if (value->len > 9 && ngx_strncmp(value->data, "interval=", 9) == 0
        && hcf->interval == 0)
    {
        interval.data = value->data + 9;
        interval.len = value->len - 9;

        ms = ngx_parse_time(&interval, 0);

        if (ms >= NGX_HTTP_ILERT_MINUTE / NGX_HTTP_ILERT_HEARTBEAT_RATE) {
            hcf->interval = ms;
            return NGX_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"ilert_heartbeat\", "
                       "\"interval=\" and a time of 12s or more is allowed, "
                       "as ilert takes 5 pings in a minute, and "
                       "\"kapacitor=on\" and \"kapacitor=off\" are", value);

    return NGX_ERROR;
}


void
ngx_http_ilert_source_check_unused(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf) {
    u_char                    *p, *last, list[256];
    ngx_uint_t                 i, n, bit;
    ngx_command_t             *cmd;
    ngx_http_ilert_source_t  **sources;

    n = 0;
    p = list;
    last = list + sizeof(list);
    sources = imcf->sources.elts;

    for (cmd = ngx_http_ilert_source_commands; cmd->name.len; cmd++) {

        bit = (ngx_uint_t) 1 << (cmd - ngx_http_ilert_source_commands);

        for (i = 0; cmd->offset && i < imcf->sources.nelts; i++) {

            if (sources[i]->given & bit) {
                p = ngx_slprintf(p, last, "%s\"%V\"", n++ ? ", " : "",
                                 &cmd->name);
                break;
            }
        }
    }

    if (n) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "%*s in \"ilert_source\" %s no effect without "
                      "\"ilert_queue\"", (size_t) (p - list), list,
                      n == 1 ? "has" : "have");
    }
}
