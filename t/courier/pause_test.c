
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_pause.h"

#include <stdio.h>


/*
 * The table of pauses: what has happened to a source, its key and its
 * endpoint, and whether there may be a request then.  A story is a list of
 * steps, each with the time in ms at which it happens, and what is expected.
 */


#define BEGIN  1000000

#define STEPS  16


typedef enum {
    END = 0,
    REFUSED,        /* the key is; "n": 1 parked, 0 limited */
    RETRY_AFTER,    /* limited, "n" is the header's, in seconds */
    UNANSWERED,     /* an event of alert "n" was not */
    DELIVERED,
    ALL,            /* everything of the source is refused */
    TAKEN,          /* not everything */
    FOREIGN,        /* after "n" attempts, by somebody else */
    RESUME,
    FRESH,          /* an event has come in, or not */
    LEFT,           /* expects the pause that is left */
    LEFT_URGENT,    /* the same, when something urgent has come in */
    SENT,           /* a request begins; "n": of how many, at a time */
    MAY_TAKE,       /* expects a number */
    MORE,           /* a job had more, and all have been delivered */
    READY,          /* "n" events are in hand */
    BUDGET          /* the key's has nothing for "n" ms; expects that */
} what_e;


typedef struct {
    what_e                       what;
    ngx_msec_t                   at;        /* ms after the story's begin */
    int64_t                      n;
    int64_t                      expected;
} step_t;


typedef struct {
    const char                  *name;
    step_t                       steps[STEPS];
} story_t;


static story_t  stories[] = {

    { "nothing has happened: no pause, and as many as may go at once",
      { { LEFT, 0, 0, 0 },
        { MAY_TAKE, 0, 0, 8 },
        { READY, 0, 3, 0 },
        { MAY_TAKE, 0, 0, 5 },
        { END, 0, 0, 0 } } },

    { "a refused key: 5 s, 10 s, and what is under way adds nothing",
      { { REFUSED, 0, 1, 5000 },
        { REFUSED, 100, 1, 0 },
        { LEFT, 100, 0, 4900 },
        { MAY_TAKE, 5000, 0, 1 },
        { LEFT, 5000, 0, 0 },
        { REFUSED, 5000, 1, 10000 },
        { DELIVERED, 16000, 0, 1 },
        { LEFT, 16000, 0, 0 },
        { MAY_TAKE, 16000, 0, 8 },
        { REFUSED, 20000, 1, 5000 },
        { DELIVERED, 26000, 0, 0 },
        { END, 0, 0, 0 } } },

    { "refused by somebody else: an event waits for longer than the key",
      { { REFUSED, 0, 1, 5000 },
        { FOREIGN, 0, 0, 6000 },
        { FOREIGN, 0, 3, 13000 },
        { FOREIGN, 4000, 0, 2000 },
        { FOREIGN, 9000, 1, 2000 },
        { END, 0, 0, 0 } } },

    { "all of a source is refused: 5 s, 10 s, and others add nothing",
      { { SENT, 0, 0, 0 },
        { ALL, 0, 0, 5000 },
        { ALL, 100, 0, 4900 },
        { LEFT, 100, 0, 4900 },
        { LEFT_URGENT, 100, 0, 4900 },
        { MAY_TAKE, 5000, 0, 1 },
        { LEFT, 5000, 0, 0 },
        { ALL, 5000, 0, 10000 },
        { ALL, 15000, 0, 20000 },
        { LEFT_URGENT, 16000, 0, 0 },
        { DELIVERED, 16000, 0, 0 },
        { LEFT, 16000, 0, 19000 },
        { TAKEN, 16000, 0, 1 },
        { LEFT, 16000, 0, 0 },
        { MAY_TAKE, 16000, 0, 8 },
        { END, 0, 0, 0 } } },

    { "... until somebody wants it to go on",
      { { ALL, 0, 0, 5000 },
        { RESUME, 100, 0, 0 },
        { LEFT, 100, 0, 0 },
        { TAKEN, 100, 0, 0 },
        { ALL, 100, 0, 5000 },
        { END, 0, 0, 0 } } },

    { "a refused key: urgent news waits for 10 s after the last request",
      { { SENT, 0, 0, 0 },
        { LEFT, 0, 0, 0 },
        { REFUSED, 10, 1, 5000 },
        { SENT, 5010, -1, 0 },
        { REFUSED, 5010, 1, 10000 },
        { SENT, 15010, 1, 0 },
        { SENT, 15010, -1, 0 },
        { REFUSED, 15010, 1, 20000 },
        { LEFT, 16010, 0, 19000 },
        { LEFT_URGENT, 16010, 0, 9000 },
        { LEFT_URGENT, 26010, 0, 0 },
        { END, 0, 0, 0 } } },

    { "429: as long as ilert says, then one at a time for a window",
      { { RETRY_AFTER, 0, 7, 7000 },
        { LEFT, 1000, 0, 6000 },
        { RESUME, 1000, 0, 0 },
        { LEFT, 1000, 0, 6000 },
        { DELIVERED, 8000, 0, 0 },
        { MAY_TAKE, 8000, 0, 1 },
        { MAY_TAKE, 60000, 0, 1 },
        { MAY_TAKE, 60001, 0, 8 },
        { END, 0, 0, 0 } } },

    { "an operator resumes what is parked",
      { { REFUSED, 0, 1, 5000 },
        { RESUME, 10, 0, 0 },
        { LEFT, 10, 0, 0 },
        { MAY_TAKE, 10, 0, 8 },
        { END, 0, 0, 0 } } },

    { "one event alone is not the endpoint's fault before the eighth time",
      { { UNANSWERED, 0, 1, 0 },
        { UNANSWERED, 1, 1, 0 },
        { UNANSWERED, 2, 1, 0 },
        { UNANSWERED, 3, 1, 0 },
        { UNANSWERED, 4, 1, 0 },
        { UNANSWERED, 5, 1, 0 },
        { UNANSWERED, 6, 1, 0 },
        { LEFT, 6, 0, 0 },
        { UNANSWERED, 7, 1, 1 },
        { LEFT, 7, 0, 1000 },
        { END, 0, 0, 0 } } },

    { "events of two alerts: the fourth time it is down, with probes",
      { { UNANSWERED, 0, 1, 0 },
        { UNANSWERED, 0, 2, 0 },
        { UNANSWERED, 0, 1, 0 },
        { UNANSWERED, 0, 2, 1 },
        { LEFT, 400, 0, 600 },
        { MAY_TAKE, 1000, 0, 1 },
        { SENT, 1000, 1, 0 },
        { LEFT, 1100, 0, -1 },
        { SENT, 1200, -1, 0 },
        { UNANSWERED, 1200, 1, 1 },
        { LEFT, 1200, 0, 2000 },
        { FRESH, 1200, 1, 0 },
        { LEFT, 1200, 0, 1800 },
        { DELIVERED, 3000, 0, 1 },
        { LEFT, 3000, 0, 0 },
        { END, 0, 0, 0 } } },

    { "what goes in no time is taken ahead, up to a hundred",
      { { MAY_TAKE, 0, 0, 8 },
        { MORE, 10, 0, 0 },
        { MAY_TAKE, 10, 0, 16 },
        { MORE, 10, 0, 0 },
        { MORE, 10, 0, 0 },
        { MORE, 10, 0, 0 },
        { MORE, 10, 0, 0 },
        { MAY_TAKE, 10, 0, 100 },
        { MAY_TAKE, 40, 0, 8 },
        { END, 0, 0, 0 } } },

    { "a budget that has nothing left is waited for",
      { { BUDGET, 0, 0, 0 },
        { BUDGET, 0, 1500, 1500 },
        { END, 0, 0, 0 } } }
};


static ngx_http_ilert_courier_key_t       ck;
static ngx_http_ilert_courier_source_t    cs;
static ngx_http_ilert_courier_endpoint_t  ce;
static ngx_http_ilert_store_budget_t      budget;
static ngx_http_ilert_key_t               key;
static ngx_http_ilert_endpoint_t          endpoint;
static ngx_http_ilert_source_t            source;


static void
reset(void)
{
    ngx_memzero(&ck, sizeof(ck));
    ngx_memzero(&cs, sizeof(cs));
    ngx_memzero(&ce, sizeof(ce));
    ngx_memzero(&budget, sizeof(budget));
    ngx_memzero(&key, sizeof(key));
    ngx_memzero(&endpoint, sizeof(endpoint));
    ngx_memzero(&source, sizeof(source));

    ck.budget = &budget;
    cs.taken = BEGIN;

    key.rate.n = 50;
    key.rate.window = 60000;
    key.courier = &ck;

    endpoint.courier = &ce;

    source.shared = &key;
    source.endpoint = &endpoint;
    source.courier = &cs;
    source.policy.concurrency = 8;
    source.policy.retry_first = 1000;
    source.policy.retry_longest = 300000;
}


/* does the step, returns what is to be compared with what is expected */

static int64_t
run(step_t *step)
{
    ngx_msec_t  now;
    ngx_uint_t  down;

    now = BEGIN + step->at;

    switch (step->what) {

    case REFUSED:
        return ngx_http_ilert_pause_refused(&source, step->n, 0, now);

    case RETRY_AFTER:
        return ngx_http_ilert_pause_refused(&source, 0, step->n, now);

    case UNANSWERED:
        (void) ngx_http_ilert_pause_unanswered(&source, step->n, 0, &down,
                                               now);
        return down;

    case DELIVERED:
        return ngx_http_ilert_pause_delivered(&source);

    case ALL:
        return ngx_http_ilert_pause_source(&source, now);

    case TAKEN:
        return ngx_http_ilert_pause_end_source(&source);

    case FOREIGN:
        return ngx_http_ilert_pause_foreign(&source, step->n, now);

    case RESUME:
        ngx_http_ilert_pause_resume(&source);
        return 0;

    case FRESH:
        cs.fresh = step->n;
        return 0;

    case LEFT:
        return ngx_http_ilert_pause_left(&source, 0, now);

    case LEFT_URGENT:
        return ngx_http_ilert_pause_left(&source, 1, now);

    case SENT:
        if (step->n < 0) {
            ck.inflight = 0;
            ce.inflight = 0;

        } else {
            ck.inflight = step->n;
            ce.inflight = step->n;
            ck.probed = now;
            cs.probed = now;
            ce.probed = now;
        }

        return 0;

    case MAY_TAKE:
        return ngx_http_ilert_pause_may_take(&source, now);

    case MORE:
        ngx_http_ilert_pause_take_more(&source, now);
        return 0;

    case READY:
        cs.nready = step->n;
        return 0;

    case BUDGET:
        budget.next = step->n ? BEGIN + step->n : 0;
        return ngx_http_ilert_pause_budget(&source, now);

    case END:
        break;
    }

    return 0;
}


int
main(void)
{
    int64_t      got;
    ngx_uint_t   i, k, failed, failures;
    story_t     *story;

    failures = 0;

    for (i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {

        story = &stories[i];
        failed = 0;

        reset();

        for (k = 0; k < STEPS && story->steps[k].what != END; k++) {

            got = run(&story->steps[k]);

            if (got != story->steps[k].expected) {
                failed = 1;
                printf("# step %lu: %ld, expected %ld\n",
                       (unsigned long) k + 1, (long) got,
                       (long) story->steps[k].expected);
            }
        }

        printf("%sok %s\n", failed ? "not " : "", story->name);

        failures += failed;
    }

    return failures != 0;
}
