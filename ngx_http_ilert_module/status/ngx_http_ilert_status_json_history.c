
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_history.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_status_json.h"
#include "ngx_http_ilert_status_json_write.h"


/* a row of numbers, one for each minute */

static void ngx_http_ilert_status_json_minutes(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_main_conf_t *imcf, ngx_uint_t count, int64_t from,
    int64_t to);


/* the rows; the last one is what waits, which is no count */

static const char  *ngx_http_ilert_status_json_rows[] = {
    "accepted",
    "delivered",
    "refused",
    "waiting",
    NULL
};


void
ngx_http_ilert_status_json_history(ngx_http_ilert_json_writer_t *w, void *data)
{
    ngx_http_ilert_main_conf_t *imcf = data;

    int64_t      now, from, to, started;
    ngx_uint_t   i;
    const char  *name;

    now = ngx_http_ilert_clock_now();
    to = now / NGX_HTTP_ILERT_HISTORY_MINUTE;

    /* if the clock was set back, nginx may have been started later than now */

    started = imcf->counters->started / NGX_HTTP_ILERT_HISTORY_MINUTE;
    from = ngx_max(to - NGX_HTTP_ILERT_HISTORY_MINUTES + 1,
                   ngx_min(started, to));

    ngx_http_ilert_status_json_first(w, "time");
    ngx_http_ilert_status_json_time(w, now);

    ngx_http_ilert_status_json_next(w, "from");
    ngx_http_ilert_status_json_time(w, from * NGX_HTTP_ILERT_HISTORY_MINUTE);

    ngx_http_ilert_status_json_next(w, "minutes");

    for (i = 0; ngx_http_ilert_status_json_rows[i]; i++) {
        name = ngx_http_ilert_status_json_rows[i];

        ngx_http_ilert_status_json_member(w, i == 0, name);
        ngx_http_ilert_status_json_minutes(w, imcf, i, from, to);
    }

    ngx_http_ilert_json_literal(w, "}}\n");
}


static void
ngx_http_ilert_status_json_minutes(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_main_conf_t *imcf, ngx_uint_t count, int64_t from,
    int64_t to)
{
    int64_t                          minute;
    ngx_http_ilert_history_minute_t  counted;

    ngx_http_ilert_json_literal(w, "[");

    for (minute = from; minute <= to; minute++) {

        ngx_http_ilert_history_get(imcf->counters->history, minute, &counted);

        /* without a queue nothing waits */

        if (imcf->queue.path.len == 0) {
            counted.waiting = 0;
        }

        ngx_http_ilert_status_json_item(w, minute - from);
        ngx_http_ilert_status_json_number(w,
                                       count < NGX_HTTP_ILERT_HISTORY_COUNTS
                                       ? counted.counts[count]
                                       : counted.waiting);
    }

    ngx_http_ilert_json_literal(w, "]");
}
