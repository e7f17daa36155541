
/*
 * What is possible: senders that know the whole storm beforehand.  They keep
 * the budget, the order of each alert, and the rules, as ours has to; nothing
 * here is taken from it.
 *
 * What is news is not held back while there is a request left for it.  Only
 * when there is none does it help to know the future.
 *
 * With "latest" news is what differs from what ilert shows.  First CRITICALs
 * go first, as they came, then the recoveries that are for good.  What will
 * soon be over goes when none of these waits, for it is news.  Repeats go when
 * they are due, if there are requests that no news will need.
 *
 * What is not urgent leaves the reserve, and is spread beyond half of the
 * rate, as ours has to: an optimum is one under the same rule.  Urgent is what
 * opens an alert as CRITICAL, or raises it to that.
 *
 * With "repeats" each change of level is news, in order.  It is needed when
 * its host is CRITICAL next, and the one goes that is needed first: no other
 * order makes the one that is the latest less late.
 *
 * A bound is of each figure on its own: the time that all the requests need
 * without which it cannot be, if there were no others, and even if these are
 * held back.  For them any order does, and none is better than each as soon
 * as there is a request left: the n-th cannot go before it is known, nor
 * before the one that is "rate" before it has been answered a window ago, and
 * by induction no n-th of any sender goes earlier.  No sender is better than
 * a bound; one that is as good in all of them at once there may not be.
 */


#include "storm.h"


#define NEVER   INT64_MAX

/* from a request until it leaves room for another */

#define PERIOD  (STORM_TRIP + STORM_WINDOW)


typedef struct {
    uint32_t        webhook;
    int64_t         time;           /* known from then on */
    int64_t         due;            /* needed then */
} change_t;

typedef struct {
    int64_t         told;
    uint32_t        next;           /* change, of its own */
    uint32_t        n;
    change_t       *changes;
    unsigned        was_critical:1;
    unsigned        shown:2;        /* level */
} best_host_t;

typedef struct {
    int64_t         time;
    uint32_t        webhook;
} sent_t;

typedef struct {
    ilert_t        *ilert;
    storm_t        *storm;
    best_host_t    *hosts;
    ngx_uint_t      rate;
    ngx_uint_t      reserve;
    int64_t         lesser;         /* when what is not urgent went last */
    sent_t         *sent;           /* in order */
    ngx_uint_t      n;
    ngx_uint_t      webhook;        /* not yet known */
    change_t       *all;
    ngx_uint_t      nall;
} best_t;


static void
best_begin(best_t *best, ilert_t *ilert)
{
    webhook_t    *w;
    ngx_uint_t    i, *level;
    best_host_t  *host;

    memset(best, 0, sizeof(best_t));

    best->ilert = ilert;
    best->storm = ilert->storm;
    best->rate = ilert->storm->conf.rate - ilert->storm->conf.foreign;
    best->reserve = ngx_min(ilert->storm->conf.reserve, best->rate - 1);
    best->lesser = -STORM_WINDOW;
    best->hosts = calloc(ilert->storm->conf.hosts, sizeof(best_host_t));
    best->sent = malloc(2 * ilert->storm->n * sizeof(sent_t));

    level = calloc(ilert->storm->conf.hosts, sizeof(ngx_uint_t));

    for (i = 0; i < ilert->storm->n; i++) {
        w = &ilert->storm->webhooks[i];
        host = &best->hosts[w->host];

        if (w->level == level[w->host]) {
            continue;
        }

        level[w->host] = w->level;

        if (host->n % 64 == 0) {
            host->changes = realloc(host->changes, (host->n + 64)
                                                   * sizeof(change_t));
        }

        host->changes[host->n].webhook = i;
        host->changes[host->n].time = w->time;
        host->changes[host->n++].due = NEVER;
    }

    free(level);
}


static void
best_end(best_t *best)
{
    ngx_uint_t  i;

    for (i = 0; i < best->storm->conf.hosts; i++) {
        free(best->hosts[i].changes);
    }

    free(best->hosts);
    free(best->sent);
    free(best->all);
}


static ngx_uint_t
best_level(best_t *best, change_t *change)
{
    return best->storm->webhooks[change->webhook].level;
}


/* when there is one of so many left */

static int64_t
best_free(best_t *best, int64_t time, ngx_uint_t rate)
{
    if (best->n < rate) {
        return time;
    }

    return ngx_max(time, best->sent[best->n - rate].time + PERIOD);
}


static int64_t
best_room(best_t *best, int64_t time)
{
    return best_free(best, time, best->rate);
}


/* when there is one left for what is not urgent, and the gap is over */

static int64_t
best_lesser(best_t *best, int64_t time)
{
    int64_t     next, gap, shrinks;
    ngx_uint_t  used, left;

    for ( ;; ) {
        time = best_free(best, time, best->rate - best->reserve);

        for (used = 0;
             used < best->n
             && best->sent[best->n - used - 1].time + PERIOD > time;
             used++)
        {
            /* void */
        }

        if (2 * used < best->rate) {
            return time;
        }

        left = best->rate - best->reserve - used;
        next = best->sent[best->n - used].time + PERIOD;

        /*
         * A gap of a part of the window, and of the time until one more is
         * free, which becomes shorter while one waits.
         */

        gap = (STORM_WINDOW - 1) / (int64_t) (best->rate - best->reserve) + 1;
        shrinks = (next - best->lesser) / (int64_t) (left + 1) + 1;

        if (best->lesser + ngx_max(gap, shrinks) <= time) {
            return time;
        }

        time = ngx_min(best->lesser + ngx_max(gap, shrinks), next);
    }
}


/* when there is something new */

static int64_t
best_wait(best_t *best, int64_t time)
{
    while (best->webhook < best->storm->n
           && best->storm->webhooks[best->webhook].time <= time)
    {
        best->webhook++;
    }

    return (best->webhook < best->storm->n)
           ? best->storm->webhooks[best->webhook].time : time + 1;
}


static void
best_send(best_t *best, best_host_t *host, ngx_uint_t webhook, int64_t time)
{
    best->sent[best->n].time = time;
    best->sent[best->n++].webhook = webhook;

    host->told = time;
    host->shown = best->storm->webhooks[webhook].level;
    host->was_critical |= (host->shown == CRITICAL);
}


/* ilert gets all of them, in order */

static void
best_done(best_t *best)
{
    ngx_uint_t  i;

    for (i = 0; i < best->n; i++) {
        (void) ilert_request(best->ilert, best->sent[i].webhook,
                             best->sent[i].time + STORM_TRIP / 2);
    }
}


/* of a host, the change that it is in */

static change_t *
best_now(best_host_t *host, int64_t time)
{
    ngx_uint_t  i;

    for (i = host->n; i; i--) {
        if (host->changes[i - 1].time <= time) {
            return &host->changes[i - 1];
        }
    }

    return NULL;
}


static change_t *
best_first(best_t *best, best_host_t *host)
{
    ngx_uint_t  i;

    for (i = 0; best_level(best, &host->changes[i]) != CRITICAL; i++) {
        /* void */
    }

    return &host->changes[i];
}


/* lower ones go first */

static ngx_uint_t
best_class(best_t *best, best_host_t *host, change_t *now)
{
    ngx_uint_t  level;

    level = best_level(best, now);

    if (level == CRITICAL) {
        return host->was_critical ? 2 : 0;
    }

    if (level == NGX_HTTP_ILERT_OK) {
        return (now == &host->changes[host->n - 1]) ? 1 : 3;
    }

    return 4;
}


static best_host_t *
best_latest_next(best_t *best, int64_t time, ngx_uint_t urgent,
    ngx_uint_t *webhook)
{
    int64_t       since, first;
    change_t     *now;
    ngx_uint_t    i, class, least;
    best_host_t  *host, *next;

    next = NULL;
    least = 0;
    first = 0;

    for (i = 0; i < best->storm->conf.hosts; i++) {
        host = &best->hosts[i];
        now = best_now(host, time);

        if (now == NULL || best_level(best, now) == host->shown) {
            continue;
        }

        class = best_class(best, host, now);

        if (urgent && class != 0 && class != 2) {
            continue;
        }

        since = class ? now->time : best_first(best, host)->time;

        if (next == NULL || class < least
            || (class == least && since < first))
        {
            next = host;
            least = class;
            first = since;
            *webhook = now->webhook;
        }
    }

    return next;
}


/* whether there may be one more then: no window has more than its rate */

static ngx_uint_t
best_fits(best_t *best, int64_t time, ngx_uint_t at)
{
    sent_t      *first, *last;
    ngx_uint_t   i, rate;

    rate = best->rate - best->reserve;

    i = (at > rate) ? at - rate : 0;

    for ( /* void */ ; i <= at && i + rate <= best->n; i++) {
        first = &best->sent[i];
        last = &best->sent[i + rate - 1];

        if (ngx_max(last->time, time) - ngx_min(first->time, time) < PERIOD) {
            return 0;
        }
    }

    return 1;
}


/* the one that has been due for the longest time */

static best_host_t *
best_repeat(best_t *best, int64_t time)
{
    change_t     *now;
    ngx_uint_t    i;
    best_host_t  *host, *next;

    next = NULL;

    for (i = 0; i < best->storm->conf.hosts; i++) {
        host = &best->hosts[i];

        if (host->shown == NGX_HTTP_ILERT_OK
            || host->told + STORM_REPEAT > time
            || (next && host->told >= next->told))
        {
            continue;
        }

        now = best_now(host, time);

        if (best_level(best, now) == host->shown) {
            next = host;
        }
    }

    return next;
}


/* repeats, between the news that have been sent */

static void
best_fill(best_t *best)
{
    int64_t       time;
    sent_t       *sent;
    ngx_uint_t    i, at;
    best_host_t  *host;

    for (i = 0; i < best->storm->conf.hosts; i++) {
        best->hosts[i].shown = NGX_HTTP_ILERT_OK;
    }

    at = 0;

    for (time = 0; time < best->storm->end; time += STORM_TRIP) {

        for ( /* void */ ; at < best->n && best->sent[at].time <= time; at++) {
            sent = &best->sent[at];
            host = &best->hosts[best->storm->webhooks[sent->webhook].host];
            host->told = sent->time;
            host->shown = best->storm->webhooks[sent->webhook].level;
        }

        while ((host = best_repeat(best, time)) && best_fits(best, time, at)) {
            sent = &best->sent[at];
            memmove(sent + 1, sent, (best->n - at) * sizeof(sent_t));
            best->n++;
            at++;

            sent->time = time;
            sent->webhook = best_now(host, time)->webhook;
            host->told = time;
        }
    }
}


void
send_best_latest(ilert_t *ilert)
{
    best_t        best;
    int64_t       time, lesser;
    ngx_uint_t    webhook, urgent;
    best_host_t  *host;

    best_begin(&best, ilert);

    time = 0;

    for ( ;; ) {
        time = best_room(&best, time);
        lesser = best_lesser(&best, time);

        host = best_latest_next(&best, time, lesser > time, &webhook);

        if (host) {
            urgent = (best.storm->webhooks[webhook].level == CRITICAL);
            best_send(&best, host, webhook, time);

            if (!urgent) {
                best.lesser = time;
            }

        } else if (best_latest_next(&best, time, 0, &webhook)) {
            time = ngx_min(lesser, best_wait(&best, time));

        } else if (time > best.storm->end) {
            break;

        } else {
            time = best_wait(&best, time);
        }
    }

    best_fill(&best);
    best_done(&best);
    best_end(&best);
}


/* what leads to a CRITICAL is needed when that is */

static void
best_due(best_t *best)
{
    int64_t       due;
    change_t     *change;
    ngx_uint_t    i, n;
    best_host_t  *host;

    for (i = 0; i < best->storm->conf.hosts; i++) {
        host = &best->hosts[i];
        due = NEVER;

        for (n = host->n; n; n--) {
            change = &host->changes[n - 1];

            if (best_level(best, change) == CRITICAL) {
                due = change->time;
            }

            change->due = due;
        }
    }
}


/* whether a CRITICAL of the host waits, which pulls those before it */

static ngx_uint_t
best_is_urgent(best_t *best, best_host_t *host, int64_t time)
{
    ngx_uint_t  i;

    for (i = host->next; i < host->n && host->changes[i].time <= time; i++) {
        if (best_level(best, &host->changes[i]) == CRITICAL) {
            return 1;
        }
    }

    return 0;
}


static best_host_t *
best_repeats_next(best_t *best, int64_t time, ngx_uint_t urgent)
{
    change_t     *change, *first;
    ngx_uint_t    i;
    best_host_t  *host, *next;

    next = NULL;
    first = NULL;

    for (i = 0; i < best->storm->conf.hosts; i++) {
        host = &best->hosts[i];

        if (host->next == host->n) {
            continue;
        }

        change = &host->changes[host->next];

        if (change->time > time
            || (urgent && !best_is_urgent(best, host, time)))
        {
            continue;
        }

        if (first == NULL || change->due < first->due
            || (change->due == first->due && change->time < first->time))
        {
            first = change;
            next = host;
        }
    }

    return next;
}


void
send_best_repeats(ilert_t *ilert)
{
    best_t        best;
    int64_t       time, lesser;
    ngx_uint_t    left;
    best_host_t  *host;

    best_begin(&best, ilert);
    best_due(&best);

    left = best.storm->changes;
    time = 0;

    while (left) {
        time = best_room(&best, time);
        lesser = best_lesser(&best, time);

        host = best_repeats_next(&best, time, lesser > time);

        if (host) {

            if (!best_is_urgent(&best, host, time)) {
                best.lesser = time;
            }

            best_send(&best, host, host->changes[host->next++].webhook, time);
            left--;

        } else if (best_repeats_next(&best, time, 0)) {
            time = ngx_min(lesser, best_wait(&best, time));

        } else {
            time = best_wait(&best, time);
        }
    }

    best_fill(&best);
    best_done(&best);
    best_end(&best);
}


/* Bounds */

static void
bound_add(best_t *best, change_t *change)
{
    if (best->nall % 1024 == 0) {
        best->all = realloc(best->all, (best->nall + 1024)
                                       * sizeof(change_t));
    }

    best->all[best->nall++] = *change;
}


static int
bound_compare(const void *one, const void *two)
{
    const change_t  *a = one, *b = two;

    return (a->time > b->time) - (a->time < b->time);
}


/* when ilert has had all of these that are needed by then, at the earliest */

static int64_t
bound_time(best_t *best, int64_t due)
{
    ngx_uint_t  i;

    qsort(best->all, best->nall, sizeof(change_t), bound_compare);

    best->n = 0;

    for (i = 0; i < best->nall; i++) {
        if (best->all[i].due <= due) {
            best->sent[best->n].time = best_room(best, best->all[i].time);
            best->n++;
        }
    }

    return best->n ? best->sent[best->n - 1].time + STORM_TRIP / 2 : 0;
}


/* those that are needed by a time cannot all be in time: one is so late */

static int64_t
bound_slowest(best_t *best)
{
    int64_t     late, due;
    ngx_uint_t  i;

    late = 0;

    for (i = 0; i < best->storm->n; i++) {
        due = best->storm->webhooks[i].since;

        if (best->storm->webhooks[i].time == due
            && best->storm->webhooks[i].level == CRITICAL)
        {
            late = ngx_max(late, bound_time(best, due) - due);
        }
    }

    return late;
}


void
bound_latest(ilert_t *ilert)
{
    best_t       best;
    change_t     change;
    ngx_uint_t   i;

    best_begin(&best, ilert);

    for (i = 0; i < best.storm->conf.hosts; i++) {
        change = *best_first(&best, &best.hosts[i]);
        change.due = change.time;
        bound_add(&best, &change);
    }

    ilert->first = bound_time(&best, NEVER);
    ilert->slowest = bound_slowest(&best);

    best.nall = 0;

    for (i = 0; i < best.storm->conf.hosts; i++) {
        bound_add(&best, &best.hosts[i].changes[best.hosts[i].n - 1]);
    }

    /* these are not urgent */

    best.rate -= best.reserve;

    ilert->truth = bound_time(&best, NEVER) - best.storm->end;
    ilert->requests = 2 * best.storm->conf.hosts;

    best_end(&best);
}


/* for the first CRITICALs all is needed that their hosts were before */

void
bound_repeats(ilert_t *ilert)
{
    best_t       best;
    ngx_uint_t   i, n;

    best_begin(&best, ilert);
    best_due(&best);

    for (i = 0; i < best.storm->conf.hosts; i++) {
        n = 0;

        do {
            bound_add(&best, &best.hosts[i].changes[n]);
        } while (best_level(&best, &best.hosts[i].changes[n++]) != CRITICAL);
    }

    ilert->first = bound_time(&best, NEVER);
    best.nall = 0;

    for (i = 0; i < best.storm->conf.hosts; i++) {
        for (n = 0; n < best.hosts[i].n; n++) {
            bound_add(&best, &best.hosts[i].changes[n]);
        }
    }

    ilert->slowest = bound_slowest(&best);
    ilert->truth = bound_time(&best, NEVER) - best.storm->end;
    ilert->requests = best.storm->changes;

    best_end(&best);
}
