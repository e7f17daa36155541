
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_away.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_queue_masters.h"


/*
 * The time in which nginx did not run.  It ends when this nginx was started,
 * and not when its first courier began: in between webhooks were taken.  So
 * a courier that comes later, after a death or because of trouble with the
 * disk, finds no such time, and neither does an nginx to which another one was
 * upgraded.
 *
 * A courier tells the store each second that it is there if something is to be
 * committed, and once a minute if not.
 */


#if (NGX_THREADS)

/* ms that nginx must not have run: a restart by hand takes less */

#define NGX_HTTP_ILERT_AWAY_LEAST  3000


static ngx_uint_t ngx_http_ilert_away_alone(ngx_http_ilert_queue_conf_t *conf);
static u_char *ngx_http_ilert_away_time(u_char *p, u_char *last, int64_t time);


void
ngx_http_ilert_away_note(int64_t away)
{
    u_char                           *p, *last, text[128];
    ngx_http_ilert_main_conf_t       *imcf;
    ngx_http_ilert_counters_away_t    now, old;

    imcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ilert_module);

    now.from = away;
    now.to = imcf->counters->started;

    ngx_http_ilert_counters_get_away(imcf->counters, &old);

    if (away == 0 || away + NGX_HTTP_ILERT_AWAY_LEAST > now.to
        || old.from || !ngx_http_ilert_away_alone(&imcf->queue))
    {
        return;
    }

    ngx_http_ilert_counters_set_away(imcf->counters, &now);

    last = text + sizeof(text);

    p = ngx_http_ilert_away_time(text, last, now.from);
    p = ngx_slprintf(p, last, " to ");
    p = ngx_http_ilert_away_time(p, last, now.to);

    if (imcf->kapacitors.nelts) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert queue \"%V\": nginx did not run from %*s: "
                      "Kapacitor is asked for what was lost",
                      &imcf->queue.path, p - text, text);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "ilert queue \"%V\": nginx did not run from %*s: webhooks "
                  "of that time are lost, as Kapacitor is not asked for them, "
                  "see \"ilert_reconcile\"",
                  &imcf->queue.path, p - text, text);
}


/*
 * Returns 1 if no other master has workers at the folder: these may have taken
 * webhooks, though they have no courier.
 */

static ngx_uint_t
ngx_http_ilert_away_alone(ngx_http_ilert_queue_conf_t *conf)
{
    u_char  text[1];

    return ngx_http_ilert_queue_masters_another((ngx_cycle_t *) ngx_cycle,
                                                conf, text,
                                                text + sizeof(text))
           == text;
}


/* Writes a time as RFC 3339 in UTC. */

static u_char *
ngx_http_ilert_away_time(u_char *p, u_char *last, int64_t time)
{
    ngx_tm_t  tm;

    ngx_gmtime((time_t) (time / 1000), &tm);

    return ngx_slprintf(p, last, "%4d-%02d-%02dT%02d:%02d:%02dZ",
                        tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                        tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
}

#endif
