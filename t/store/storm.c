
/*
 * A storm, in seconds instead of hours: what Kapacitor sends, what ilert
 * makes of it, and who is between them.
 *
 *     storm DIR [hosts=500] [minutes=30] [rate=50] [foreign=0] [phase=0]
 *         [seed=1] [crash=MS] [jump_at=MS] [jump=MS] [SENDER ...]
 *
 * The hosts of a rack fail within 30 seconds and are evaluated every 10
 * seconds: a webhook at each while it is not OK, and one when it is OK again.
 * A third of them is WARNING for a while first, a tenth flaps: each minute it
 * is OK for an evaluation or two.  All recover within two minutes, about
 * "minutes" later.
 *
 * ilert takes "rate" requests in each window of a minute, of which others use
 * the first "foreign" ones.  The windows begin at any phase.
 */


#include "storm.h"


#define AGENT_BATCH    50
#define AGENT_TRIES    100
#define AGENT_CLEAN    500
#define AGENT_IDLE     5000
#define AGENT_LONGEST  60000


typedef struct {
    const char     *name;
    const char     *text;
    void          (*send)(ilert_t *ilert);
} sender_t;


/* Kapacitor */

static void
storm_add(storm_t *storm, int64_t time, ngx_uint_t host, ngx_uint_t level)
{
    webhook_t  *w;

    if (storm->n % 4096 == 0) {
        storm->webhooks = realloc(storm->webhooks,
                                  (storm->n + 4096) * sizeof(webhook_t));
    }

    w = &storm->webhooks[storm->n++];

    w->time = time;
    w->host = host;
    w->level = level;
}


static void
storm_host(storm_t *storm, ngx_uint_t host)
{
    int64_t     time, recovers;
    ngx_uint_t  i, warnings, flap, good, level, last;

    time = rnd(30 * SECOND);
    recovers = (storm->conf.minutes - 1) * 60 * SECOND + rnd(120 * SECOND);

    warnings = (host % 3 == 0) ? 3 + rnd(10) : 0;
    flap = (host % 10 == 1) ? rnd(6) : 6;
    good = 0;
    last = NGX_HTTP_ILERT_OK;

    for (i = 0; time < recovers; i++) {

        if (i % 6 == flap && i > warnings) {
            good = 1 + rnd(2);
        }

        if (good) {
            good--;
            level = NGX_HTTP_ILERT_OK;

        } else {
            level = (i < warnings) ? WARNING : CRITICAL;
        }

        if (level != NGX_HTTP_ILERT_OK || last != NGX_HTTP_ILERT_OK) {
            storm_add(storm, time, host, level);
        }

        last = level;
        time += STORM_EVERY;
    }

    if (last != NGX_HTTP_ILERT_OK) {
        storm_add(storm, time, host, NGX_HTTP_ILERT_OK);
    }
}


static int
storm_compare(const void *one, const void *two)
{
    const webhook_t  *a = one, *b = two;

    if (a->time != b->time) {
        return (a->time > b->time) ? 1 : -1;
    }

    return (a->host > b->host) ? 1 : -1;
}


void
storm_begin(storm_t *storm, storm_conf_t *conf)
{
    int64_t     *since;
    webhook_t   *w;
    ngx_uint_t   i, *level;

    memset(storm, 0, sizeof(storm_t));
    storm->conf = *conf;

    rnd_seed(conf->seed);

    for (i = 0; i < conf->hosts; i++) {
        storm_host(storm, i);
    }

    qsort(storm->webhooks, storm->n, sizeof(webhook_t), storm_compare);

    level = calloc(conf->hosts, sizeof(ngx_uint_t));
    since = calloc(conf->hosts, sizeof(int64_t));

    for (i = 0; i < storm->n; i++) {
        w = &storm->webhooks[i];

        if (level[w->host] != w->level) {
            level[w->host] = w->level;
            since[w->host] = w->time;
            storm->changes++;
        }

        w->since = since[w->host];
    }

    storm->end = storm->webhooks[storm->n - 1].time;

    free(level);
    free(since);
}


void
storm_free(storm_t *storm)
{
    free(storm->webhooks);
}


int64_t
storm_trip(storm_t *storm, ngx_uint_t request)
{
    uint32_t  n;

    n = (request + storm->conf.seed) * 2654435761u;

    return STORM_TRIP * 6 / 10 + (n >> 16) % (STORM_TRIP * 8 / 10);
}


/* ilert */

void
ilert_begin(ilert_t *ilert, storm_t *storm)
{
    memset(ilert, 0, sizeof(ilert_t));

    ilert->storm = storm;
    ilert->hosts = calloc(storm->conf.hosts, sizeof(shown_host_t));
}


void
ilert_free(ilert_t *ilert)
{
    free(ilert->hosts);
    free(ilert->used);
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


static void
ilert_alert(ilert_t *ilert, ngx_uint_t webhook, int64_t time)
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

    if (!host->open) {
        host->changed = time;
    }

    host->open = 1;
    host->level = w->level;
}


ngx_uint_t
ilert_request(ilert_t *ilert, ngx_uint_t webhook, int64_t time)
{
    uint16_t      *used;
    webhook_t     *w;
    shown_host_t  *host;

    ilert->requests++;

    used = ilert_window(ilert, time);

    if (*used >= ilert->storm->conf.rate) {
        ilert->limited++;
        return 0;
    }

    (*used)++;

    w = &ilert->storm->webhooks[webhook];
    host = &ilert->hosts[w->host];

    if (w->level != NGX_HTTP_ILERT_OK) {
        ilert_alert(ilert, webhook, time);
        return 1;
    }

    if (host->open) {
        host->open = 0;
        host->changed = time;

    } else {
        ilert->repeats++;
    }

    host->resolved = webhook + 1;

    return 1;
}


/* what is known of each at the end is that it is OK */

void
ilert_end(ilert_t *ilert)
{
    int64_t     time;
    ngx_uint_t  i;

    time = ilert->storm->end;

    for (i = 0; i < ilert->storm->conf.hosts; i++) {
        ilert->phantoms += ilert->hosts[i].open;
        time = ngx_max(time, ilert->hosts[i].changed);
    }

    ilert->truth = ngx_max(ilert->truth, time - ilert->storm->end);
}


/* one at a time, in order of arrival, and five seconds later again */

void
send_naive(ilert_t *ilert)
{
    int64_t      time, trip;
    storm_t     *storm;
    ngx_uint_t   i, taken;

    storm = ilert->storm;
    time = 0;

    for (i = 0; i < storm->n; i++) {
        time = ngx_max(time, storm->webhooks[i].time);

        do {
            trip = storm_trip(storm, ilert->requests);
            taken = ilert_request(ilert, i, time + trip / 2);
            time += taken ? trip : trip + 5 * SECOND;
        } while (!taken);
    }
}


/*
 * As ilagent 0.9.0: batches of what came first, one request at a time; what
 * fails is left for a later batch, and the next event goes.
 */

void
send_agent(ilert_t *ilert)
{
    int64_t        time, pause, trip;
    storm_t       *storm;
    uint32_t      *queue;
    ngx_uint_t     i, n, batch, left, failed;
    unsigned char *tries;

    storm = ilert->storm;

    queue = malloc(storm->n * sizeof(uint32_t));
    tries = calloc(storm->n, 1);

    n = 0;
    i = 0;
    time = 0;
    pause = AGENT_CLEAN;

    for ( ;; ) {

        while (i < storm->n && storm->webhooks[i].time <= time) {
            queue[n++] = i++;
        }

        if (n == 0 && i == storm->n) {
            break;
        }

        left = 0;
        failed = 0;

        for (batch = 0; batch < n && batch < AGENT_BATCH; batch++) {
            trip = storm_trip(storm, ilert->requests);

            if (!ilert_request(ilert, queue[batch], time + trip / 2)) {
                failed = 1;

                if (++tries[queue[batch]] == AGENT_TRIES) {
                    ilert->lost++;

                } else {
                    queue[left++] = queue[batch];
                }
            }

            time += trip;
        }

        memmove(&queue[left], &queue[batch], (n - batch) * sizeof(uint32_t));
        n -= batch - left;

        pause = failed ? ngx_min(pause * 2, AGENT_LONGEST)
                       : batch ? AGENT_CLEAN : AGENT_IDLE;
        time += pause;
    }

    free(queue);
    free(tries);
}


static void
send_off(ilert_t *ilert)
{
    send_store(ilert, OFF);
}


static void
send_repeats(ilert_t *ilert)
{
    send_store(ilert, REPEATS);
}


static void
send_latest(ilert_t *ilert)
{
    send_store(ilert, LATEST);
}


static sender_t  senders[] = {
    { "naive", "first in, first out", send_naive },
    { "agent", "ilert's agent", send_agent },
    { "off", "`coalesce off`", send_off },
    { "repeats", "`coalesce repeats`", send_repeats },
    { "best_repeats", "optimum", send_best_repeats },
    { "bound_repeats", "bound", bound_repeats },
    { "latest", "`coalesce latest`", send_latest },
    { "best_latest", "optimum", send_best_latest },
    { "bound_latest", "bound", bound_latest },
    { NULL, NULL, NULL }
};


static void
print_minutes(int64_t time)
{
    printf(" | %8.1f", time / 60000.0);
}


static void
print_figures(sender_t *sender, ilert_t *ilert)
{
    printf("| %-19s | %8d | %6d", sender->text, (int) ilert->requests,
           (int) ilert->limited);

    print_minutes(ilert->first);
    print_minutes(ilert->slowest);
    print_minutes(ilert->truth);

    printf(" | %3d |\n", (int) (ilert->phantoms + ilert->lost));
    fflush(stdout);
}


static ngx_uint_t
is_wanted(sender_t *sender, int argc, char **argv)
{
    int         i;
    ngx_uint_t  others;

    others = 0;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], sender->name) == 0) {
            return 1;
        }

        others |= (strchr(argv[i], '=') == NULL);
    }

    return !others;
}


static void
storm_option(storm_conf_t *conf, const char *arg)
{
    int64_t  n;

    n = strchr(arg, '=') ? strtoll(strchr(arg, '=') + 1, NULL, 10) : 0;

#define option(name)                                                          \
    if (strncmp(arg, #name "=", sizeof(#name)) == 0) {                        \
        conf->name = n;                                                       \
    }

    option(hosts)
    option(minutes)
    option(rate)
    option(foreign)
    option(phase)
    option(seed)
    option(crash)
    option(jump_at)
    option(jump)
}


int
storm(int argc, char **argv)
{
    int            i;
    ilert_t        ilert;
    storm_t        storm;
    sender_t      *sender;
    storm_conf_t   conf;

    sqlite3_snprintf(sizeof(test_dir), test_dir, "%s", argv[0]);

    vfs_init();

    memset(&conf, 0, sizeof(storm_conf_t));
    conf.hosts = 500;
    conf.minutes = 30;
    conf.rate = 50;
    conf.seed = 1;

    for (i = 1; i < argc; i++) {
        storm_option(&conf, argv[i]);
    }

    storm_begin(&storm, &conf);

    printf("%d webhooks of %d hosts, %d changes of level, %d requests a minute"
           "\n\n", (int) storm.n, (int) conf.hosts, (int) storm.changes,
           (int) (conf.rate - conf.foreign));

    printf("| %-19s | %8s | %6s | %8s | %8s | %8s | %3s |\n"
           "|---|---|---|---|---|---|---|\n", "", "requests", "429",
           "CRITICAL", "slowest", "truth", "bad");
    fflush(stdout);

    for (sender = senders; sender->name; sender++) {

        if (!is_wanted(sender, argc, argv)) {
            continue;
        }

        ilert_begin(&ilert, &storm);
        sender->send(&ilert);
        ilert_end(&ilert);

        print_figures(sender, &ilert);
        ilert_free(&ilert);
    }

    storm_free(&storm);

    printf("\nCRITICAL: minutes until ilert knows it of the last host\n"
           "slowest: minutes from CRITICAL till ilert knows, at most\n"
           "truth: minutes from the last recovery until ilert shows the truth"
           "\nbad: phantoms, and events that were given up\n");

    return test_failures != 0;
}
