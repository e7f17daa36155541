
/*
 * The storm through the store, whose clock is ours.  The courier is what is
 * left of one: what the store gives is sent, verdicts are in the next job,
 * and after an answer of 429 there is a pause, and one request at a time
 * until there was none for as long as a window takes.
 */


#include "kept.h"
#include "storm.h"


#define CONCURRENCY  8

/* webhooks that are committed together, ms */

#define COMMIT       100

/* ids of events of the store's own begin here */

#define OWN          1000000000

#define NEVER        INT64_MAX


typedef struct {
    event_t        *ev;
    int64_t         time;           /* of its verdict; 0: free */
    int64_t         sent;
    unsigned        taken:1;        /* by ilert */
} flight_t;

typedef struct {
    test_t          t;
    ilert_t        *ilert;
    storm_t        *storm;
    budget_t       *budget;

    int64_t         time;           /* of the storm */
    int64_t         offset;         /* of our clock */
    int64_t         wake;
    ngx_uint_t      next;           /* webhook */

    flight_t        flights[CONCURRENCY];
    ngx_uint_t      nflights;

    uint64_t        own;            /* ids that were used */
    ngx_uint_t      limits;         /* answers of 429 in a row */
    int64_t         limited;        /* when the last one came; 0: never */
} courier_t;


static int64_t
courier_clock(courier_t *c)
{
    return NOW + c->time + c->offset;
}


static void
courier_accept(courier_t *c, ngx_uint_t n)
{
    char        key[32];
    event_t    *ev;
    webhook_t  *w;

    w = &c->storm->webhooks[n];

    sqlite3_snprintf(sizeof(key), key, "cpu:host=%d", (int) w->host);

    ev = accept_event(&c->t, "ops", key,
                      w->level == NGX_HTTP_ILERT_OK ? RESOLVE : ALERT, "{}");
    ev->said.level = w->level;
    ev->id = n + 1;
}


/* a request that was under way when the pause began is no probe */

static void
courier_limited(courier_t *c, flight_t *f)
{
    int64_t  pause;

    if (c->limits == 0 || f->sent >= c->limited) {
        c->limited = c->time;

        pause = ngx_http_ilert_rules_limited(c->limits++, STORM_WINDOW);
        f->ev->pause = pause;
    }

    f->ev->next = c->t.now;
    f->ev->refused = 1;
    verdict(&c->t, f->ev, AGAIN);
}


static void
courier_verdicts(courier_t *c)
{
    flight_t    *f;
    ngx_uint_t   i;

    for (i = 0; i < CONCURRENCY; i++) {
        f = &c->flights[i];

        if (f->ev == NULL || f->time > c->time) {
            continue;
        }

        if (f->taken) {
            c->limits = 0;
            verdict(&c->t, f->ev, DONE);

        } else {
            courier_limited(c, f);
        }

        f->ev = NULL;
        c->nflights--;
    }
}


static ngx_uint_t
courier_request(courier_t *c, event_t *ev, int64_t time)
{
    ngx_uint_t  low;

    low = (ev->lower || ev->said.priority == NGX_HTTP_ILERT_LOW);

    if (ev->id >= OWN) {
        check_int(ev->said.own, NGX_HTTP_ILERT_OWN_DIGEST);
        return ilert_digest(c->ilert, &ev->body, ev->said.type, low, time);
    }

    return ilert_event(c->ilert, ev->id - 1, ev->said.type, low, time);
}


static void
courier_send(courier_t *c)
{
    int64_t      trip;
    event_t     *ev;
    flight_t    *f;
    ngx_uint_t   i;

    while ((ev = taken(&c->t, 0))) {

        for (i = 0; c->flights[i].ev; i++) { /* void */ }

        f = &c->flights[i];
        trip = storm_trip(c->storm, c->ilert->requests);

        f->ev = keep(ev);
        f->sent = c->time;
        f->time = c->time + trip;
        f->taken = courier_request(c, ev, c->time + trip / 2);
        c->nflights++;
    }
}


/* what is under way has no verdict, and the next one does not know of it */

static void
courier_crash(courier_t *c)
{
    ngx_uint_t  i;

    ngx_http_ilert_store_close(&c->t.store);

    for (i = 0; i < CONCURRENCY; i++) {
        ngx_free(c->flights[i].ev);
        c->flights[i].ev = NULL;
    }

    c->nflights = 0;
    c->limits = 0;
    c->limited = 0;
    c->t.job.begin = 1;
}


static int64_t
courier_next(courier_t *c)
{
    int64_t     next;
    ngx_uint_t  i;

    next = c->wake;

    for (i = 0; i < CONCURRENCY; i++) {
        if (c->flights[i].ev) {
            next = ngx_min(next, c->flights[i].time);
        }
    }

    if (c->next < c->storm->n) {
        next = ngx_min(next, c->storm->webhooks[c->next].time + COMMIT);
    }

    return next;
}


/*
 * When there is something to do if nothing comes.  A time that is too far
 * away is one of before the clock was set back.
 */

static int64_t
courier_wake(courier_t *c)
{
    int64_t  wake;

    wake = NEVER;

    if (outcome.due) {
        wake = outcome.due;

        if (wake > c->t.now + STORM_REPEAT) {
            release(&c->t, "ops");
            wake = c->t.now;
        }
    }

    if (c->budget->next) {
        wake = ngx_min(wake, c->budget->next);
    }

    if (wake == NEVER) {
        return NEVER;
    }

    return ngx_max(wake - NOW - c->offset, c->time + 1);
}


static ngx_uint_t
courier_room(courier_t *c)
{
    if (c->limited && c->time - c->limited < STORM_WINDOW) {
        return c->nflights == 0;
    }

    return CONCURRENCY - c->nflights;
}


/* alerts that could have been taken, and are urgent */

static void
courier_check(courier_t *c, ngx_uint_t room)
{
    ngx_uint_t   n;
    const char  *p;

    if (c->budget->left == 0 || c->budget->next
        || outcome.takes[0].taken == room)
    {
        return;
    }

    n = 0;

    for (p = kept_alerts(&c->t, "cpu*", "tu"); p && *p;
         p = strchr(p, ','), p += (p != NULL))
    {
        p += strspn(p, " ");
        n += (strncmp(p, "0 0", 3) == 0);
    }

    check_int(n, 0);
}


static void
courier_job(courier_t *c)
{
    ngx_uint_t  i, room;

    c->t.now = courier_clock(c);

    courier_verdicts(c);

    while (c->next < c->storm->n
           && c->storm->webhooks[c->next].time <= c->time)
    {
        courier_accept(c, c->next++);
    }

    for (i = 0; i < MAX_IDS; i++) {
        c->t.ids[i] = OWN + c->own + i;
    }

    c->t.job.nids = MAX_IDS;

    room = courier_room(c);

    take(&c->t, "ops", room, 0);
    check_int(run(&c->t), OK);

    c->own += MAX_IDS;

    if (c->storm->conf.strict) {
        courier_check(c, room);
    }

    courier_send(c);

    c->wake = courier_wake(c);
}


static void
courier_events(courier_t *c, int64_t next)
{
    storm_conf_t  *conf;

    conf = &c->storm->conf;

    if (conf->crash && c->time < conf->crash && next >= conf->crash) {
        courier_crash(c);
    }

    if (conf->jump_at && c->time < conf->jump_at && next >= conf->jump_at) {
        c->offset += conf->jump;
    }
}


/* as of a queue that has run for a while: all are known to be resolved */

static void
courier_begin(courier_t *c)
{
    char        key[32];
    ngx_uint_t  n;

    c->t.now = NOW;

    for (n = 0; n < c->storm->conf.hosts + c->storm->conf.probes; n++) {
        sqlite3_snprintf(sizeof(key), key, "cpu:host=%d", (int) n);
        accept_event(&c->t, "ops", key, RESOLVE, "{}");
    }

    c->t.job.begin = 1;
    check_int(run(&c->t), OK);
    (void) drain(&c->t, "ops");
}


ngx_http_ilert_policy_t *
storm_policy(ngx_uint_t coalesce)
{
    static ngx_http_ilert_policy_t  policy;

    memset(&policy, 0, sizeof(ngx_http_ilert_policy_t));

    policy.coalesce = coalesce;
    policy.repeat = STORM_REPEAT;
    policy.digest.max_size = 65536;

    return &policy;
}


ngx_http_ilert_policy_t *
storm_digest(ngx_uint_t n, ngx_uint_t members, int64_t delay)
{
    ngx_http_ilert_policy_t  *policy;

    policy = storm_policy(LATEST);

    policy->digest.n = n;
    policy->digest.interval = 15 * SECOND;
    policy->digest.members = members;
    policy->resolve_delay = delay;

    return policy;
}


void
send_store(ilert_t *ilert, ngx_http_ilert_policy_t *policy)
{
    int64_t            next;
    static courier_t   c;

    memset(&c, 0, sizeof(courier_t));
    setup(&c.t, "storm");
    c.t.store.backend = &ngx_http_ilert_null;

    c.ilert = ilert;
    c.storm = ilert->storm;
    c.t.store.max_size = 0;
    courier_begin(&c);

    c.t.policy = *policy;
    c.budget = budget(&c.t, "key", c.storm->conf.rate, STORM_WINDOW);
    c.budget->reserve = c.storm->conf.reserve;
    c.wake = NEVER;

    for ( ;; ) {
        next = courier_next(&c);

        if (next == NEVER) {
            break;
        }

        /* a digest of what stays bad has no end, and is looked at for ever */

        if (ilert->digest && next > c.storm->end + 10 * STORM_REPEAT) {
            break;
        }

        courier_events(&c, next);
        c.time = next;

        courier_job(&c);

        if (test_failures > 20) {
            break;
        }
    }

    /* an open digest may list alerts whose events are not sent */

    if (!ilert->digest) {
        check_str(kept_events(&c.t, NULL), "");
    }

    teardown(&c.t);
}
