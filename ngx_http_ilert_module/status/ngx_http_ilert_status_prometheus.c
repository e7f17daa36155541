
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_fault.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_status_gather.h"
#include "ngx_http_ilert_status_prometheus.h"


/*
 * Metrics, in the text format of Prometheus, version 0.0.4, or in that of
 * OpenMetrics 1.0.  Only two things differ in the latter: how "# TYPE" names a
 * counter, and the line at the end.
 */


/*
 * A metric that each source has.  A negative value means that it is not known;
 * the metric is left out then.
 */

typedef enum {
    NGX_HTTP_ILERT_METRIC_COUNTER = 0,  /* in counters_source_t */
    NGX_HTTP_ILERT_METRIC_GAUGE,        /* in status_source_t */
    NGX_HTTP_ILERT_METRIC_AGE           /* a time in status_source_t, or 0; */
                                        /* its age is shown */
} ngx_http_ilert_metric_e;

typedef struct {
    const char               *name;     /* without "ilert_" */
    const char               *help;
    ngx_http_ilert_metric_e   type;
    size_t                    offset;
} ngx_http_ilert_metric_t;


static void ngx_http_ilert_metric_sources(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st, ngx_http_ilert_metric_t *metric);
static int64_t ngx_http_ilert_metric_value(ngx_http_ilert_status_t *st,
    ngx_http_ilert_metric_t *metric, ngx_http_ilert_status_source_t *ss);
static void ngx_http_ilert_metric_requests(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_metric_refused(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st, const char *name, const char *help,
    ngx_uint_t unavailable);
static void ngx_http_ilert_metric_codes(ngx_http_ilert_json_writer_t *w,
    const char *name, ngx_str_t *source,
    ngx_http_ilert_counters_code_t *refused, ngx_uint_t unavailable);
static void ngx_http_ilert_metric_states(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_metric_endpoints(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_metric_kapacitors(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_metric_reconciled(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_metric_queue(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_metric_silences(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_metric_fallback(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_metric_histogram(ngx_http_ilert_json_writer_t *w,
    const char *name, const char *help,
    ngx_http_ilert_counters_histogram_t *histogram,
    ngx_http_ilert_counters_bucket_t *buckets);
static void ngx_http_ilert_metric_head(ngx_http_ilert_json_writer_t *w,
    const char *name, const char *help, const char *type, const char *suffix);
static void ngx_http_ilert_metric_label(ngx_http_ilert_json_writer_t *w,
    const char *name, ngx_str_t *value);
static void ngx_http_ilert_metric_print(ngx_http_ilert_json_writer_t *w,
    const char *fmt, ...);

#define ngx_http_ilert_metric_counter(name)                                   \
    NGX_HTTP_ILERT_METRIC_COUNTER,                                            \
    offsetof(ngx_http_ilert_counters_source_t, name)

#define ngx_http_ilert_metric_gauge(name)                                     \
    NGX_HTTP_ILERT_METRIC_GAUGE,                                              \
    offsetof(ngx_http_ilert_status_source_t, name)


static ngx_http_ilert_metric_t  ngx_http_ilert_metrics[] = {

    { "events_accepted", "Webhooks answered as accepted.",
      ngx_http_ilert_metric_counter(accepted) },

    { "events_ignored", "Webhooks answered as ignored, or as a test.",
      ngx_http_ilert_metric_counter(ignored) },

    { "events_coalesced",
      "Accepted events that need no request of their own.",
      ngx_http_ilert_metric_counter(coalesced) },

    { "events_silenced", "Events that a silence held back.",
      ngx_http_ilert_metric_counter(silenced) },

    { "events_delivered", "Requests that ilert took.",
      ngx_http_ilert_metric_counter(delivered) },

    { "events_retried", "Requests that had to be made again.",
      ngx_http_ilert_metric_counter(retried) },

    { "events_dead", "Events that became dead letters.",
      ngx_http_ilert_metric_counter(dead) },

    { "pending", "Events that wait, in flight included.",
      ngx_http_ilert_metric_gauge(pending) },

    { "held", "RESOLVEs that resolve_delay holds back.",
      ngx_http_ilert_metric_gauge(waiting.waiting[NGX_HTTP_ILERT_HELD]) },

    { "silenced", "Events that a silence holds back.",
      ngx_http_ilert_metric_gauge(waiting.waiting[NGX_HTTP_ILERT_SILENCED]) },

    { "listed", "Events that are not sent, as a digest lists their alerts.",
      ngx_http_ilert_metric_gauge(waiting.waiting[NGX_HTTP_ILERT_LISTED]) },

    { "oldest_seconds", "For how long the oldest event has been waiting.",
      NGX_HTTP_ILERT_METRIC_AGE,
      offsetof(ngx_http_ilert_status_source_t, oldest) },

    { "open_alerts", "Alerts that ilert shows if it believed us.",
      ngx_http_ilert_metric_gauge(open) },

    { "dead_letters", "Dead letters that are kept.",
      ngx_http_ilert_metric_gauge(waiting.dead) },

    { "digest_open", "Whether a digest lists alerts of the source.",
      ngx_http_ilert_metric_gauge(digest) }
};


void
ngx_http_ilert_status_prometheus(ngx_http_ilert_json_writer_t *w, void *data)
{
    ngx_http_ilert_status_t *st = data;

    ngx_uint_t  i;

    ngx_http_ilert_metric_head(w, "info", "The module's version.", "gauge",
                               "");
    ngx_http_ilert_metric_print(w, "ilert_info{version=\"%s\"} 1\n",
                                NGX_HTTP_ILERT_VERSION);

    for (i = 0;
         i < sizeof(ngx_http_ilert_metrics)
             / sizeof(ngx_http_ilert_metrics[0]);
         i++)
    {
        ngx_http_ilert_metric_sources(w, st, &ngx_http_ilert_metrics[i]);
    }

    ngx_http_ilert_metric_refused(w, st, "webhooks_rejected",
                                  "Webhooks refused, by the answer.", 0);
    ngx_http_ilert_metric_refused(w, st, "webhooks_unavailable",
                                  "Webhooks of which nothing could be kept, "
                                  "by the answer.", 1);

    ngx_http_ilert_metric_requests(w, st);
    ngx_http_ilert_metric_states(w, st);
    ngx_http_ilert_metric_endpoints(w, st);
    ngx_http_ilert_metric_kapacitors(w, st);
    ngx_http_ilert_metric_queue(w, st);
    ngx_http_ilert_metric_silences(w, st);
    ngx_http_ilert_metric_fallback(w, st);

    ngx_http_ilert_metric_histogram(w, "commit_seconds",
                                    "From a webhook to its commit.",
                                    &st->counters->commit,
                                    ngx_http_ilert_counters_commit_buckets);
    ngx_http_ilert_metric_histogram(w, "delivery_seconds",
                                    "From a webhook to ilert's 2xx.",
                                    &st->counters->delivery,
                                    ngx_http_ilert_counters_delivery_buckets);

    if (st->openmetrics) {
        ngx_http_ilert_json_literal(w, "# EOF\n");
    }
}


static void
ngx_http_ilert_metric_sources(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st, ngx_http_ilert_metric_t *metric)
{
    const                            char                      *suffix;
    int64_t                          value;
    ngx_uint_t                       i;
    ngx_http_ilert_status_source_t  *ss;

    suffix = (metric->type == NGX_HTTP_ILERT_METRIC_COUNTER) ? "_total" : "";

    ngx_http_ilert_metric_head(w, metric->name, metric->help,
                               *suffix ? "counter" : "gauge",
                               st->openmetrics ? "" : suffix);

    ss = st->sources.elts;

    for (i = 0; i < st->sources.nelts; i++) {

        value = ngx_http_ilert_metric_value(st, metric, &ss[i]);

        if (value < 0) {
            continue;
        }

        ngx_http_ilert_metric_print(w, "ilert_%s%s{", metric->name, suffix);
        ngx_http_ilert_metric_label(w, "source", &ss[i].name);

        if (metric->type == NGX_HTTP_ILERT_METRIC_AGE) {
            ngx_http_ilert_metric_print(w, "} %L.%03L\n", value / 1000,
                                        value % 1000);

        } else {
            ngx_http_ilert_metric_print(w, "} %L\n", value);
        }
    }

    if (metric->type == NGX_HTTP_ILERT_METRIC_COUNTER
        && metric->offset == offsetof(ngx_http_ilert_counters_source_t,
                                      ignored)
        && st->source.len == 0)
    {
        ngx_http_ilert_metric_print(w, "ilert_%s%s{source=\"\"} %uA\n",
                                    metric->name, suffix,
                                    st->counters->ignored);
    }
}


/* Returns the value of a metric; that of an age is in milliseconds. */

static int64_t
ngx_http_ilert_metric_value(ngx_http_ilert_status_t *st,
    ngx_http_ilert_metric_t *metric, ngx_http_ilert_status_source_t *ss)
{
    int64_t  value;

    if (metric->type == NGX_HTTP_ILERT_METRIC_COUNTER) {
        return ss->counters ? (int64_t) *(ngx_atomic_t *)
                                     ((u_char *) ss->counters + metric->offset)
                         : -1;
    }

    value = *(int64_t *) ((u_char *) ss + metric->offset);

    if (metric->type == NGX_HTTP_ILERT_METRIC_AGE && value) {
        value = ngx_max(st->now - value, 0);
    }

    return value;
}


static void
ngx_http_ilert_metric_requests(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                       i, k;
    ngx_http_ilert_counters_code_t  *code;
    ngx_http_ilert_status_source_t  *ss;

    ngx_http_ilert_metric_head(w, "requests", "Requests made, by the answer.",
                               "counter", st->openmetrics ? "" : "_total");

    ss = st->sources.elts;

    for (i = 0; i < st->sources.nelts; i++) {

        for (k = 0; ss[i].counters && k < NGX_HTTP_ILERT_COUNTERS_CODES; k++) {

            code = &ss[i].counters->codes[k];

            if (code->code == 0) {
                continue;
            }

            ngx_http_ilert_json_literal(w, "ilert_requests_total{");
            ngx_http_ilert_metric_label(w, "source", &ss[i].name);

            if (code->code < NGX_HTTP_ILERT_FAULT_N) {
                ngx_http_ilert_metric_print(w, ",code=\"%s\"",
                                      ngx_http_ilert_fault_code(code->code));

            } else {
                ngx_http_ilert_metric_print(w, ",code=\"%uA\"", code->code);
            }

            ngx_http_ilert_metric_print(w, "} %uA\n", code->n);
        }
    }
}


static void
ngx_http_ilert_metric_refused(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st, const char *name, const char *help,
    ngx_uint_t unavailable)
{
    ngx_uint_t                       i;
    ngx_http_ilert_status_source_t  *ss;

    static ngx_str_t                 none = ngx_string("");

    ngx_http_ilert_metric_head(w, name, help, "counter",
                               st->openmetrics ? "" : "_total");

    ss = st->sources.elts;

    for (i = 0; i < st->sources.nelts; i++) {

        if (ss[i].counters) {
            ngx_http_ilert_metric_codes(w, name, &ss[i].name,
                                        ss[i].counters->refused, unavailable);
        }
    }

    if (st->source.len == 0) {
        ngx_http_ilert_metric_codes(w, name, &none, st->counters->refused,
                                    unavailable);
    }
}


static void
ngx_http_ilert_metric_codes(ngx_http_ilert_json_writer_t *w, const char *name,
    ngx_str_t *source, ngx_http_ilert_counters_code_t *refused,
    ngx_uint_t unavailable)
{
    ngx_uint_t                       i;
    ngx_http_ilert_counters_code_t  *code;

    for (i = 0; i < NGX_HTTP_ILERT_COUNTERS_REFUSED; i++) {

        code = &refused[i];

        if (code->code == 0
            || ngx_http_ilert_counters_unavailable(code->code) != unavailable)
        {
            continue;
        }

        ngx_http_ilert_metric_print(w, "ilert_%s_total{", name);
        ngx_http_ilert_metric_label(w, "source", source);

        if (code->code == NGX_HTTP_ILERT_COUNTERS_OTHER_REJECTED
            || code->code == NGX_HTTP_ILERT_COUNTERS_OTHER_UNAVAILABLE)
        {
            ngx_http_ilert_json_literal(w, ",code=\"other\"");

        } else {
            ngx_http_ilert_metric_print(w, ",code=\"%uA\"", code->code);
        }

        ngx_http_ilert_metric_print(w, "} %uA\n", code->n);
    }
}


static void
ngx_http_ilert_metric_states(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                       i, state;
    ngx_http_ilert_status_source_t  *ss;

    ngx_http_ilert_metric_head(w, "source_parked",
                               "Whether ilert refuses the source's key.",
                               "gauge", "");

    ss = st->sources.elts;

    for (i = 0; i < st->sources.nelts; i++) {
        ngx_http_ilert_json_literal(w, "ilert_source_parked{");
        ngx_http_ilert_metric_label(w, "source", &ss[i].name);
        ngx_http_ilert_metric_print(w, "} %ui\n", (ngx_uint_t)
                                    (ss[i].state
                                     == NGX_HTTP_ILERT_STATE_PARKED));
    }

    ngx_http_ilert_metric_head(w, "source_state",
                               "1 for the state that the source is in.",
                               "gauge", "");

    for (i = 0; i < st->sources.nelts; i++) {
        for (state = 0; state < NGX_HTTP_ILERT_STATES; state++) {

            ngx_http_ilert_json_literal(w, "ilert_source_state{");
            ngx_http_ilert_metric_label(w, "source", &ss[i].name);
            ngx_http_ilert_metric_print(w, ",state=\"%V\"} %ui\n",
                                        &ngx_http_ilert_state_names[state],
                                        (ngx_uint_t) (ss[i].state == state));
        }
    }
}


static void
ngx_http_ilert_metric_endpoints(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                          i;
    ngx_http_ilert_status_endpoint_t   *se;

    ngx_http_ilert_metric_head(w, "endpoint_up",
                               "Whether ilert answers through the endpoint.",
                               "gauge", "");

    se = st->endpoints.elts;

    for (i = 0; i < st->endpoints.nelts; i++) {
        ngx_http_ilert_json_literal(w, "ilert_endpoint_up{");
        ngx_http_ilert_metric_label(w, "endpoint", &se[i].name);
        ngx_http_ilert_metric_print(w, "} %ui\n", (ngx_uint_t) !se[i].down);
    }
}


static void
ngx_http_ilert_metric_kapacitors(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                          i, up;
    ngx_http_ilert_status_kapacitor_t  *sk;

    if (st->kapacitors.nelts == 0) {
        return;
    }

    ngx_http_ilert_metric_head(w, "kapacitor_up",
                               "Whether Kapacitor tells what it knows.",
                               "gauge", "");

    sk = st->kapacitors.elts;

    for (i = 0; i < st->kapacitors.nelts; i++) {

        if (sk[i].poll.state == NGX_HTTP_ILERT_KAPACITOR_UNASKED) {
            continue;
        }

        up = (sk[i].poll.state == NGX_HTTP_ILERT_KAPACITOR_UP
              || sk[i].poll.state == NGX_HTTP_ILERT_KAPACITOR_BEHIND);

        ngx_http_ilert_json_literal(w, "ilert_kapacitor_up{");
        ngx_http_ilert_metric_label(w, "kapacitor", &sk[i].name);
        ngx_http_ilert_metric_print(w, "} %ui\n", up);
    }

    ngx_http_ilert_metric_head(w, "kapacitor_differences",
                               "Alerts of which Kapacitor knows something "
                               "else than was heard.", "gauge", "");

    for (i = 0; i < st->kapacitors.nelts; i++) {

        if (sk[i].poll.state == NGX_HTTP_ILERT_KAPACITOR_UNASKED) {
            continue;
        }

        ngx_http_ilert_json_literal(w, "ilert_kapacitor_differences{");
        ngx_http_ilert_metric_label(w, "kapacitor", &sk[i].name);
        ngx_http_ilert_metric_print(w, "} %ui\n", sk[i].poll.differences);
    }

    ngx_http_ilert_metric_reconciled(w, st);
}


static void
ngx_http_ilert_metric_reconciled(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                          i, k;
    ngx_http_ilert_status_kapacitor_t  *sk;

    ngx_http_ilert_metric_head(w, "reconciled",
                               "Differences from Kapacitor that were "
                               "repaired.", "counter",
                               st->openmetrics ? "" : "_total");

    sk = st->kapacitors.elts;

    for (i = 0; i < st->kapacitors.nelts; i++) {
        for (k = 0; k < NGX_HTTP_ILERT_RECONCILED_N; k++) {

            ngx_http_ilert_json_literal(w, "ilert_reconciled_total{");
            ngx_http_ilert_metric_label(w, "kapacitor", &sk[i].name);
            ngx_http_ilert_metric_print(w, ",action=\"%V\"} %L\n",
                                        &ngx_http_ilert_reconciled_names[k],
                                        sk[i].reconciled[k]);
        }
    }
}


static void
ngx_http_ilert_metric_queue(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    if (st->path.len == 0) {
        return;
    }

    ngx_http_ilert_metric_head(w, "queue_up",
                               "Whether events can be committed, and one "
                               "of the workers delivers.", "gauge", "");
    ngx_http_ilert_metric_print(w, "ilert_queue_up %ui\n",
                                (ngx_uint_t) (st->error.len == 0));

    if (st->bytes >= 0) {
        ngx_http_ilert_metric_head(w, "queue_bytes",
                                   "Bytes of the queue's database in use.",
                                   "gauge", "");
        ngx_http_ilert_metric_print(w, "ilert_queue_bytes %L\n", st->bytes);
    }
}


static void
ngx_http_ilert_metric_silences(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                       i, n;
    ngx_http_ilert_store_silence_t  *silence;

    if (st->query == NULL) {
        return;
    }

    n = 0;
    silence = st->query->silences.elts;

    for (i = 0; i < st->query->silences.nelts; i++) {
        if (silence[i].from <= st->now && silence[i].until > st->now) {
            n++;
        }
    }

    ngx_http_ilert_metric_head(w, "silences", "Silences that are in force.",
                               "gauge", "");
    ngx_http_ilert_metric_print(w, "ilert_silences %ui\n", n);
}


/* Without "ilert_fallback" there are none of these. */

static void
ngx_http_ilert_metric_fallback(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    if (st->fallback_state == NGX_HTTP_ILERT_FALLBACK_IS_OFF) {
        return;
    }

    ngx_http_ilert_metric_head(w, "fallback_late",
                               "Urgent alerts that wait for ilert for too "
                               "long.", "gauge", "");
    ngx_http_ilert_metric_print(w, "ilert_fallback_late %ui\n",
                                st->fallback.late);

    ngx_http_ilert_metric_head(w, "fallback_up",
                               "Whether the last try to tell them succeeded.",
                               "gauge", "");
    ngx_http_ilert_metric_print(w, "ilert_fallback_up %d\n",
                                st->fallback.state.fails == 0);

    ngx_http_ilert_metric_head(w, "fallback_posts",
                               "Tries to tell them, by the result.",
                               "counter", st->openmetrics ? "" : "_total");
    ngx_http_ilert_metric_print(w, "ilert_fallback_posts_total"
                                "{result=\"taken\"} %L\n",
                                st->fallback.sent);
    ngx_http_ilert_metric_print(w, "ilert_fallback_posts_total"
                                "{result=\"failed\"} %L\n",
                                st->fallback.failed);
}


static void
ngx_http_ilert_metric_histogram(ngx_http_ilert_json_writer_t *w,
    const char *name, const char *help,
    ngx_http_ilert_counters_histogram_t *histogram,
    ngx_http_ilert_counters_bucket_t *buckets)
{
    uint64_t    n, sum;
    ngx_uint_t  i;

    ngx_http_ilert_metric_head(w, name, help, "histogram", "");

    n = 0;

    for (i = 0; i < NGX_HTTP_ILERT_COUNTERS_BUCKETS; i++) {
        n += histogram->buckets[i];
        ngx_http_ilert_metric_print(w, "ilert_%s_bucket{le=\"%s\"} %uL\n",
                                    name, buckets[i].text, n);
    }

    sum = histogram->sum;

    ngx_http_ilert_metric_print(w, "ilert_%s_sum %uL.%06uL\n", name,
                                sum / 1000000, sum % 1000000);
    ngx_http_ilert_metric_print(w, "ilert_%s_count %uL\n", name, n);
}


static void
ngx_http_ilert_metric_head(ngx_http_ilert_json_writer_t *w, const char *name,
    const char *help, const char *type, const char *suffix)
{
    ngx_http_ilert_metric_print(w, "# HELP ilert_%s%s %s\n"
                                   "# TYPE ilert_%s%s %s\n",
                                name, suffix, help, name, suffix, type);
}


/* Writes NAME="VALUE", with the value escaped. */

static void
ngx_http_ilert_metric_label(ngx_http_ilert_json_writer_t *w, const char *name,
    ngx_str_t *value)
{
    size_t  i;

    ngx_http_ilert_json_raw(w, (u_char *) name, ngx_strlen(name));
    ngx_http_ilert_json_literal(w, "=\"");

    for (i = 0; i < value->len; i++) {

        switch (value->data[i]) {

        case '"':
            ngx_http_ilert_json_literal(w, "\\\"");
            break;

        case '\\':
            ngx_http_ilert_json_literal(w, "\\\\");
            break;

        case LF:
            ngx_http_ilert_json_literal(w, "\\n");
            break;

        default:
            ngx_http_ilert_json_raw(w, &value->data[i], 1);
        }
    }

    ngx_http_ilert_json_literal(w, "\"");
}


/*
 * Writes a text of at most 512 bytes.  Names of sources and the like must not
 * be in it, since they may be of any length.
 */

static void
ngx_http_ilert_metric_print(ngx_http_ilert_json_writer_t *w, const char *fmt,
    ...)
{
    u_char   *p, line[512];
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(line, line + sizeof(line), fmt, args);
    va_end(args);

    ngx_http_ilert_json_raw(w, line, p - line);
}
