
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor_parse.h"
#include "ngx_http_ilert_text.h"


/*
 * What else is posted to us, and what to use instead: people give our URL to
 * other monitors, and to other nodes and handlers of Kapacitor.
 */

#define NGX_HTTP_ILERT_KAPACITOR_HAS  2

typedef struct {
    ngx_str_t                   has[NGX_HTTP_ILERT_KAPACITOR_HAS];
    const char                 *what;
} ngx_http_ilert_kapacitor_kind_t;


static ngx_uint_t ngx_http_ilert_kapacitor_names(
    ngx_http_ilert_json_member_t *members);
static ngx_http_ilert_json_member_t *ngx_http_ilert_kapacitor_name(
    ngx_http_ilert_json_member_t *members, ngx_uint_t n, ngx_str_t *name);
static const char *ngx_http_ilert_kapacitor_text_kind(ngx_str_t *body);
static ngx_uint_t ngx_http_ilert_kapacitor_is_form(ngx_str_t *body);


/* The names are those of members at the top.  The first one counts. */

static ngx_http_ilert_kapacitor_kind_t  ngx_http_ilert_kapacitor_kinds[] = {

    { { ngx_string("_check_id"), ngx_null_string },
      "the body of an HTTP endpoint of InfluxDB 2.x, use ilert's integration "
      "for InfluxDB 2.x" },

    { { ngx_string("_notification_rule_id"), ngx_null_string },
      "the body of an HTTP endpoint of InfluxDB 2.x, use ilert's integration "
      "for InfluxDB 2.x" },

    { { ngx_string("series"), ngx_null_string },
      "the body of |httpPost, use .post() of an |alert" },

    { { ngx_string("alerts"), ngx_string("orgId") },
      "a webhook of Grafana, use ilert's integration for Grafana" },

    { { ngx_string("ruleName"), ngx_string("state") },
      "a webhook of Grafana, use ilert's integration for Grafana" },

    { { ngx_string("alerts"), ngx_string("receiver") },
      "a webhook of Alertmanager, use ilert's integration for Prometheus" },

    { { ngx_string("trigger_id"), ngx_string("event_id") },
      "a webhook of Zabbix, use ilert's integration for Zabbix" },

    { { ngx_string("event_value"), ngx_null_string },
      "a webhook of Zabbix, use ilert's integration for Zabbix" },

    { { ngx_string("zabbix_url"), ngx_null_string },
      "a webhook of Zabbix, use ilert's integration for Zabbix" },

    { { ngx_string("NOTIFICATIONTYPE"), ngx_null_string },
      "a notification of Nagios, Icinga, or Checkmk, use ilert's integration "
      "for it" },

    { { ngx_string("TopicArn"), ngx_null_string },
      "a notification of Amazon SNS, use ilert's integration for it" },

    { { ngx_string("AlarmName"), ngx_string("NewStateValue") },
      "an alarm of Amazon CloudWatch, use ilert's integration for it" },

    { { ngx_string("schemaId"), ngx_string("data") },
      "an alert of Azure Monitor, use ilert's integration for it" },

    { { ngx_string("incident"), ngx_string("version") },
      "an incident of Google Cloud Monitoring, use ilert's integration for "
      "it" },

    { { ngx_string("heartbeat"), ngx_string("monitor") },
      "a webhook of Uptime Kuma, use ilert's integration for it" },

    { { ngx_string("eventType"), ngx_string("summary") },
      "an event for ilert's API, post it to \"ilert_events\"" },

    { { ngx_string("event_action"), ngx_string("routing_key") },
      "an event for PagerDuty, use .post() of an |alert" },

    { { ngx_string("message_type"), ngx_string("entity_id") },
      "an alert for VictorOps, use .post() of an |alert" },

    { { ngx_string("attachments"), ngx_null_string },
      "a message for Slack, use .post() of an |alert" },

    { { ngx_string("metrics"), ngx_null_string },
      "metrics of Telegraf, send them to InfluxDB" },

    { { ngx_null_string, ngx_null_string }, NULL }
};

#define NGX_HTTP_ILERT_KAPACITOR_NAMES                                        \
    (NGX_HTTP_ILERT_KAPACITOR_HAS * sizeof(ngx_http_ilert_kapacitor_kinds)    \
     / sizeof(ngx_http_ilert_kapacitor_kind_t))


ngx_int_t
ngx_http_ilert_kapacitor_refuse(ngx_http_ilert_kapacitor_ctx_t *ctx,
    const char *error)
{
    u_char       first;
    ngx_str_t   *body;
    const char  *kind;

    body = &ctx->webhook->body;

    ngx_http_ilert_json_init(&ctx->reader, body,
                             NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    first = ngx_http_ilert_json_peek(&ctx->reader);

    kind = (first == '{') ? ngx_http_ilert_kapacitor_kind(body)
         : (first == '[') ? "an array, post each alert on its own" : NULL;

    if (kind) {
        return ngx_http_ilert_kapacitor_error(ctx, "%s; this is %s", error,
                                              kind);
    }

    return ngx_http_ilert_kapacitor_error(ctx, "%s", error);
}


ngx_int_t
ngx_http_ilert_kapacitor_refuse_text(ngx_http_ilert_kapacitor_ctx_t *ctx,
    const char *error, size_t at)
{
    const char  *kind;

    kind = ngx_http_ilert_kapacitor_text_kind(&ctx->webhook->body);

    if (kind) {
        return ngx_http_ilert_kapacitor_error(ctx,
                                      "not JSON: %s at byte %uz; this is %s",
                                      error, at, kind);
    }

    return ngx_http_ilert_kapacitor_error(ctx, "not JSON: %s at byte %uz",
                                          error, at);
}


const char *
ngx_http_ilert_kapacitor_kind(ngx_str_t *body)
{
    ngx_uint_t                        i, n;
    ngx_http_ilert_json_member_t     *member;
    ngx_http_ilert_json_member_t      members[NGX_HTTP_ILERT_KAPACITOR_NAMES];
    ngx_http_ilert_kapacitor_kind_t  *kind;

    n = ngx_http_ilert_kapacitor_names(members);

    if (ngx_http_ilert_json_pick(body, members, n) != NGX_OK) {
        return NULL;
    }

    for (kind = ngx_http_ilert_kapacitor_kinds; kind->what; kind++) {

        for (i = 0; i < NGX_HTTP_ILERT_KAPACITOR_HAS; i++) {

            if (kind->has[i].len == 0) {
                continue;
            }

            member = ngx_http_ilert_kapacitor_name(members, n, &kind->has[i]);

            if (member->value.len == 0) {
                break;
            }
        }

        if (i == NGX_HTTP_ILERT_KAPACITOR_HAS) {
            return kind->what;
        }
    }

    return NULL;
}


/* Lists the names of all kinds, each one once, and returns their number. */

static ngx_uint_t
ngx_http_ilert_kapacitor_names(ngx_http_ilert_json_member_t *members)
{
    ngx_uint_t                        i, n;
    ngx_http_ilert_kapacitor_kind_t  *kind;

    n = 0;

    for (kind = ngx_http_ilert_kapacitor_kinds; kind->what; kind++) {

        for (i = 0; i < NGX_HTTP_ILERT_KAPACITOR_HAS; i++) {

            if (kind->has[i].len == 0
                || ngx_http_ilert_kapacitor_name(members, n, &kind->has[i]))
            {
                continue;
            }

            members[n].name = kind->has[i];
            ngx_str_null(&members[n].value);
            n++;
        }
    }

    return n;
}


static ngx_http_ilert_json_member_t *
ngx_http_ilert_kapacitor_name(ngx_http_ilert_json_member_t *members,
    ngx_uint_t n, ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (ngx_http_ilert_text_same(&members[i].name, name)) {
            return &members[i];
        }
    }

    return NULL;
}


/* Returns what a text is that is no JSON, or NULL if that is not known. */

static const char *
ngx_http_ilert_kapacitor_text_kind(ngx_str_t *body)
{
    u_char     *p;
    ngx_str_t   text;

    text = *body;

    ngx_http_ilert_text_trim(&text);

    if (text.len == 0) {
        return "an empty body";
    }

    p = text.data;

    if (text.len > 1
        && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)
            || (p[0] == '{' && p[1] == '\0') || (p[0] == '\0' && p[1] == '{')))
    {
        return "UTF-16, use UTF-8";
    }

    if (text.len > 1
        && ((p[0] == 0x1f && p[1] == 0x8b) || (p[0] == 0x28 && p[1] == 0xb5)))
    {
        return "a compressed body, send it as it is";
    }

    if (p[0] == '<') {
        return "XML or HTML, use .post() of an |alert";
    }

    if (ngx_http_ilert_kapacitor_is_form(&text)) {
        return "a form, post the JSON itself";
    }

    if ((p[0] >= 'A' && p[0] <= 'Z') || (p[0] >= 'a' && p[0] <= 'z')
        || p[0] >= 0xc2)
    {
        return "plain text, use .post() without a template, or with one that "
               "writes JSON";
    }

    return NULL;
}


/* Returns true for name=value, as a browser encodes a form. */

static ngx_uint_t
ngx_http_ilert_kapacitor_is_form(ngx_str_t *text)
{
    size_t   i;
    u_char  *p;

    p = text->data;

    for (i = 0; i < text->len; i++) {

        if (p[i] == '=') {
            return i > 0;
        }

        if (!((p[i] >= 'A' && p[i] <= 'Z') || (p[i] >= 'a' && p[i] <= 'z')
              || (p[i] >= '0' && p[i] <= '9')
              || ngx_strchr("_.-+%[]", p[i])))
        {
            return 0;
        }
    }

    return 0;
}
