
/*
 * An ilert that limits, and what it shows.  Of a host it shows what its own
 * alert says, or what the last event of the digest says of it, whichever is
 * worse.  What that was at each time is kept, and compared at the end with
 * what Kapacitor knew.
 */


#include "storm.h"


static ngx_uint_t
ilert_hosts(ilert_t *ilert)
{
    return ilert->storm->conf.hosts + ilert->storm->conf.probes;
}


void
ilert_begin(ilert_t *ilert, storm_t *storm)
{
    memset(ilert, 0, sizeof(ilert_t));

    ilert->storm = storm;
    ilert->hosts = calloc(ilert_hosts(ilert), sizeof(shown_host_t));
}


void
ilert_free(ilert_t *ilert)
{
    free(ilert->hosts);
    free(ilert->used);
    free(ilert->seen);
    free(ilert->times);
}


static uint16_t *
ilert_window(ilert_t *ilert, int64_t time)
{
    ngx_uint_t  n;

    n = (time + STORM_WINDOW - ilert->storm->conf.phase) / STORM_WINDOW;

    while (ilert->nwindows <= n) {

        if (ilert->nwindows % 1024 == 0) {
            ilert->used = realloc(ilert->used, (ilert->nwindows + 1024)
                                               * sizeof(uint16_t));
        }

        ilert->used[ilert->nwindows++] = ilert->storm->conf.foreign;
    }

    return &ilert->used[n];
}


static ngx_uint_t
ilert_takes(ilert_t *ilert, int64_t time)
{
    uint16_t  *used;

    if (ilert->requests % 4096 == 0) {
        ilert->times = realloc(ilert->times, (ilert->requests + 4096)
                                             * sizeof(int64_t));
    }

    ilert->times[ilert->requests++] = time;

    used = ilert_window(ilert, time);

    if (*used >= ilert->storm->conf.rate) {
        ilert->limited++;
        return 0;
    }

    (*used)++;

    return 1;
}


/* notes what is shown of a host from that time on */

static void
ilert_see(ilert_t *ilert, uint32_t host, int64_t time)
{
    seen_t        *seen;
    uint32_t       level;
    shown_host_t  *h;

    h = &ilert->hosts[host];

    level = h->open ? h->level : 0;
    level = ngx_max(level, h->listed);

    if (level == h->seen) {
        return;
    }

    if ((level == 0) != (h->seen == 0)) {
        h->changed = time;
    }

    h->seen = level;

    if (ilert->nseen % 4096 == 0) {
        ilert->seen = realloc(ilert->seen, (ilert->nseen + 4096)
                                           * sizeof(seen_t));
    }

    seen = &ilert->seen[ilert->nseen++];

    seen->time = time;
    seen->host = host;
    seen->level = level;
}


static void
ilert_alert(ilert_t *ilert, ngx_uint_t webhook, ngx_uint_t low, int64_t time)
{
    webhook_t     *w;
    shown_host_t  *host;

    w = &ilert->storm->webhooks[webhook];
    host = &ilert->hosts[w->host];

    if (webhook < host->resolved) {
        ilert->phantoms++;
    }

    if (host->open && host->level == w->level) {
        ilert->repeats++;
        return;
    }

    if (w->level == CRITICAL) {
        ilert->slowest = ngx_max(ilert->slowest, time - w->since);

        if (!host->was_critical) {
            host->was_critical = 1;
            ilert->first = ngx_max(ilert->first, time);
        }
    }

    if (!host->open && !low) {
        ilert->pages++;
    }

    host->open = 1;
    host->level = w->level;

    ilert_see(ilert, w->host, time);
}


ngx_uint_t
ilert_event(ilert_t *ilert, ngx_uint_t webhook, ngx_uint_t type,
    ngx_uint_t low, int64_t time)
{
    webhook_t     *w;
    shown_host_t  *host;

    if (!ilert_takes(ilert, time)) {
        return 0;
    }

    if (type == ALERT) {
        ilert_alert(ilert, webhook, low, time);
        return 1;
    }

    w = &ilert->storm->webhooks[webhook];
    host = &ilert->hosts[w->host];

    if (host->open) {
        host->open = 0;
        ilert_see(ilert, w->host, time);

    } else {
        ilert->repeats++;
    }

    /* one of the store's own goes before the event that it is made for */

    if (w->level == NGX_HTTP_ILERT_OK) {
        host->resolved = webhook + 1;
    }

    return 1;
}


ngx_uint_t
ilert_request(ilert_t *ilert, ngx_uint_t webhook, int64_t time)
{
    ngx_uint_t  level;

    level = ilert->storm->webhooks[webhook].level;

    return ilert_event(ilert, webhook,
                       level == NGX_HTTP_ILERT_OK ? RESOLVE : ALERT, 0, time);
}


/* the list of a digest: "**LEVEL**", and then keys that end with "host=N" */

static void
ilert_list(ilert_t *ilert, const char *p, const char *end)
{
    ngx_uint_t   n, level, at;
    const char  *name;

    level = 0;

    for ( /* void */ ; p + 2 < end; p++) {

        if (p[0] == '*' && p[1] == '*') {

            for (at = NGX_HTTP_ILERT_INFO; at <= CRITICAL; at++) {
                name = (const char *) ngx_http_ilert_level_names[at].data;

                if (strncmp(p + 2, name, strlen(name)) == 0) {
                    level = at;
                }
            }

        } else if (level && p + 5 < end && strncmp(p, "host=", 5) == 0) {
            n = strtoul(p + 5, NULL, 10);

            if (n >= ilert_hosts(ilert)) {
                fail_at(__FILE__, __LINE__, "a digest lists no host", p);
                return;
            }

            ilert->hosts[n].lists = level;
        }
    }
}


ngx_uint_t
ilert_digest(ilert_t *ilert, ngx_str_t *body, ngx_uint_t type, ngx_uint_t low,
    int64_t time)
{
    uint32_t      i;
    shown_host_t  *host;

    if (!ilert_takes(ilert, time)) {
        return 0;
    }

    ilert->digests++;

    if (type == ALERT && !ilert->digest && !low) {
        ilert->pages++;
    }

    ilert->digest = (type == ALERT);

    for (i = 0; i < ilert_hosts(ilert); i++) {
        ilert->hosts[i].lists = 0;
    }

    if (type == ALERT) {
        ilert_list(ilert, (char *) body->data,
                   (char *) body->data + body->len);
    }

    for (i = 0; i < ilert_hosts(ilert); i++) {
        host = &ilert->hosts[i];
        host->listed = host->lists;
        ilert_see(ilert, i, time);
    }

    return 1;
}


static int
ilert_compare(const void *one, const void *two)
{
    const seen_t  *a = one, *b = two;

    if (a->host != b->host) {
        return (a->host > b->host) ? 1 : -1;
    }

    return (a->time > b->time) - (a->time < b->time);
}


static int
ilert_compare_times(const void *one, const void *two)
{
    const int64_t  *a = one, *b = two;

    return (*a > *b) - (*a < *b);
}


/*
 * What was so of a host from "from" until "to": "is" by Kapacitor, "shown" at
 * ilert.
 */

static void
ilert_between(ilert_t *ilert, ngx_uint_t is, ngx_uint_t shown, int64_t from,
    int64_t to)
{
    if (is == CRITICAL && shown != CRITICAL) {
        ilert->missing += to - from;
    }

    if (is == NGX_HTTP_ILERT_OK && shown != NGX_HTTP_ILERT_OK) {
        ilert->nothing += to - from;
    }
}


/*
 * Goes through the life of a host: "is" has its webhooks, "seen" what was
 * shown.  Returns how long its first CRITICAL has waited until it was shown,
 * or -1 if it was none.
 */

static int64_t
ilert_life(ilert_t *ilert, uint32_t host, seen_t *is, ngx_uint_t nis,
    seen_t *seen, ngx_uint_t nseen)
{
    int64_t     now, then, critical, waited;
    ngx_uint_t  i, j, level, shown;

    i = 0;
    j = 0;
    level = 0;
    shown = 0;
    now = 0;
    critical = -1;
    waited = STORM_NEVER;

    while (i < nis || j < nseen) {

        then = (j == nseen || (i < nis && is[i].time <= seen[j].time))
               ? is[i].time : seen[j].time;

        if (host < ilert->storm->conf.hosts) {
            ilert_between(ilert, level, shown, now, then);
        }

        now = then;

        if (i < nis && is[i].time == now) {
            level = is[i++].level;

        } else {
            shown = seen[j++].level;
        }

        if (critical == -1 && level == CRITICAL) {
            critical = now;
        }

        if (critical != -1 && waited == STORM_NEVER && shown == CRITICAL) {
            waited = now - critical;
        }
    }

    ilert->wrong += (level != shown);
    ilert->bad += (level != NGX_HTTP_ILERT_OK);

    return (critical == -1) ? -1 : waited;
}


/* the first time at which anything is shown of a host */

static void
ilert_known(ilert_t *ilert, uint32_t host, int64_t failed, seen_t *seen,
    ngx_uint_t nseen)
{
    if (host >= ilert->storm->conf.hosts) {
        return;
    }

    ilert->failed = ngx_max(ilert->failed, failed);
    ilert->known = nseen ? ngx_max(ilert->known, seen->time) : STORM_NEVER;
}


/* the middle one and the largest one of "n" times */

static void
ilert_middle(int64_t *times, ngx_uint_t n, int64_t *median, int64_t *worst)
{
    if (n == 0) {
        return;
    }

    qsort(times, n, sizeof(int64_t), ilert_compare_times);

    *median = times[n / 2];
    *worst = times[n - 1];
}


static void
ilert_lives(ilert_t *ilert)
{
    seen_t      *is, *seen;
    storm_t     *storm;
    int64_t     *waits, wait;
    uint32_t     host;
    ngx_uint_t   i, n, k, nwaits;

    storm = ilert->storm;

    is = malloc((storm->n + 1) * sizeof(seen_t));
    waits = malloc(ilert_hosts(ilert) * sizeof(int64_t));

    for (i = 0; i < storm->n; i++) {
        is[i].time = storm->webhooks[i].time;
        is[i].host = storm->webhooks[i].host;
        is[i].level = storm->webhooks[i].level;
    }

    qsort(is, storm->n, sizeof(seen_t), ilert_compare);
    qsort(ilert->seen, ilert->nseen, sizeof(seen_t), ilert_compare);

    i = 0;
    nwaits = 0;
    seen = ilert->seen;

    for (host = 0; host < ilert_hosts(ilert); host++) {

        for (n = i; n < storm->n && is[n].host == host; n++) { /* void */ }

        for (k = 0; seen + k < ilert->seen + ilert->nseen
                    && seen[k].host == host; k++)
        {
            /* void */
        }

        if (n > i) {
            ilert_known(ilert, host, is[i].time, seen, k);
        }

        wait = ilert_life(ilert, host, &is[i], n - i, seen, k);

        if (wait != -1) {
            waits[nwaits++] = wait;
        }

        i = n;
        seen += k;

        if (host + 1 == storm->conf.hosts) {
            ilert_middle(waits, nwaits, &ilert->median, &ilert->worst);
            nwaits = 0;
        }
    }

    ilert_middle(waits, nwaits, &ilert->probe_median, &ilert->probe_worst);

    free(is);
    free(waits);
}


/* the most requests that came within so many ms */

ngx_uint_t
ilert_most(ilert_t *ilert, int64_t window)
{
    ngx_uint_t  i, first, most;

    qsort(ilert->times, ilert->requests, sizeof(int64_t), ilert_compare_times);

    first = 0;
    most = 0;

    for (i = 0; i < ilert->requests; i++) {

        while (ilert->times[first] <= ilert->times[i] - window) {
            first++;
        }

        most = ngx_max(most, i - first + 1);
    }

    return most;
}


/* what is known of each at the end is that it is OK */

void
ilert_end(ilert_t *ilert)
{
    int64_t     time;
    ngx_uint_t  i;

    time = ilert->storm->end;

    for (i = 0; i < ilert_hosts(ilert); i++) {
        time = ngx_max(time, ilert->hosts[i].changed);
    }

    ilert->truth = ngx_max(ilert->truth, time - ilert->storm->end);

    ilert_lives(ilert);

    ilert->phantoms += ilert->wrong;

    /* a digest stays open as long as something is bad, but not longer */

    ilert->phantoms += (ilert->digest && ilert->bad == 0);
}
