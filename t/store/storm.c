
/*
 * A storm, in seconds instead of hours: what Kapacitor sends, what ilert
 * makes of it, and who is between them.
 *
 *     storm DIR [hosts=500] [minutes=30] [rate=50] [reserve=5] [foreign=0]
 *         [phase=0] [seed=1] [crash=MS] [jump_at=MS] [jump=MS] [SENDER ...]
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
    ngx_uint_t      bound;          /* it sends nothing */
} sender_t;


/* Kapacitor */

void
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
    ngx_uint_t  i, warnings, flap, good, level, last, stays;

    time = rnd(30 * SECOND);
    recovers = (storm->conf.minutes - 1) * 60 * SECOND + rnd(120 * SECOND);
    stays = (storm->conf.stay && rnd(100) < storm->conf.stay);

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

    if (stays) {
        storm_add(storm, time, host, CRITICAL);

    } else if (last != NGX_HTTP_ILERT_OK) {
        storm_add(storm, time, host, NGX_HTTP_ILERT_OK);
    }
}


void
storm_fail(storm_t *storm, ngx_uint_t host, ngx_uint_t level, int64_t from,
    int64_t to)
{
    int64_t  time;

    for (time = from; time < to; time += STORM_EVERY) {
        storm_add(storm, time, host, level);
    }

    storm_add(storm, time, host, NGX_HTTP_ILERT_OK);
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
    ngx_uint_t  i;

    storm_empty(storm, conf);

    rnd_seed(conf->seed);

    for (i = 0; i < conf->hosts; i++) {
        storm_host(storm, i);
    }

    storm_sort(storm);
}


void
storm_empty(storm_t *storm, storm_conf_t *conf)
{
    memset(storm, 0, sizeof(storm_t));
    storm->conf = *conf;
}


void
storm_sort(storm_t *storm)
{
    int64_t     *since, at;
    webhook_t   *w;
    ngx_uint_t   i, hosts, *level;

    hosts = storm->conf.hosts + storm->conf.probes;

    for (i = storm->conf.hosts; i < hosts; i++) {
        at = storm->conf.probe_at
             + (i - storm->conf.hosts) * storm->conf.probe_every;
        storm_fail(storm, i, CRITICAL, at, at + 600 * SECOND);
    }

    qsort(storm->webhooks, storm->n, sizeof(webhook_t), storm_compare);

    level = calloc(hosts, sizeof(ngx_uint_t));
    since = calloc(hosts, sizeof(int64_t));

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
    send_store(ilert, storm_policy(OFF));
}


static void
send_repeats(ilert_t *ilert)
{
    send_store(ilert, storm_policy(REPEATS));
}


static void
send_latest(ilert_t *ilert)
{
    send_store(ilert, storm_policy(LATEST));
}


static void
send_delay(ilert_t *ilert)
{
    send_store(ilert, storm_digest(0, 0, 120 * SECOND));
}


static void
send_low(ilert_t *ilert)
{
    send_store(ilert, storm_digest(10, NGX_HTTP_ILERT_MEMBERS_LOW, 0));
}


static void
send_low_delay(ilert_t *ilert)
{
    send_store(ilert, storm_digest(10, NGX_HTTP_ILERT_MEMBERS_LOW,
                                   120 * SECOND));
}


static void
send_later(ilert_t *ilert)
{
    send_store(ilert, storm_digest(10, NGX_HTTP_ILERT_MEMBERS_LATER, 0));
}


static void
send_none(ilert_t *ilert)
{
    send_store(ilert, storm_digest(10, NGX_HTTP_ILERT_MEMBERS_NONE, 0));
}


static void
send_none_delay(ilert_t *ilert)
{
    send_store(ilert, storm_digest(10, NGX_HTTP_ILERT_MEMBERS_NONE,
                                   120 * SECOND));
}


static sender_t  waits = { "waits", NULL, NULL, 0 };

static sender_t  senders[] = {
    { "naive", "first in, first out", send_naive, 0 },
    { "agent", "ilert's agent", send_agent, 0 },
    { "off", "`coalesce off`", send_off, 0 },
    { "repeats", "`coalesce repeats`", send_repeats, 0 },
    { "best_repeats", "optimum", send_best_repeats, 0 },
    { "bound_repeats", "bound", bound_repeats, 1 },
    { "latest", "`coalesce latest`", send_latest, 0 },
    { "best_latest", "optimum", send_best_latest, 0 },
    { "bound_latest", "bound", bound_latest, 1 },
    { "delay", "`latest`, `resolve_delay 2m`", send_delay, 0 },
    { "later", "`digest 10 members=later`", send_later, 0 },
    { "low", "`digest 10`", send_low, 0 },
    { "low_delay", "the same, `resolve_delay 2m`", send_low_delay, 0 },
    { "none", "`digest 10 members=none`", send_none, 0 },
    { "none_delay", "the same, `resolve_delay 2m`", send_none_delay, 0 },
    { NULL, NULL, NULL, 0 }
};


/* in seconds, or in minutes if that is long */

static void
print_time(int64_t time)
{
    if (time == STORM_NEVER) {
        printf(" | %9s", "never");

    } else if (time < 1000 * SECOND) {
        printf(" | %7.1f s", time / 1000.0);

    } else {
        printf(" | %5.1f min", time / 60000.0);
    }
}


static void
print_figures(sender_t *sender, ilert_t *ilert)
{
    printf("| %-29s | %8d | %6d | %5d", sender->text, (int) ilert->requests,
           (int) ilert->limited, (int) ilert->pages);

    print_time(ilert->median);
    print_time(ilert->worst);
    print_time(ilert->known == STORM_NEVER
               ? STORM_NEVER : ngx_max(ilert->known - ilert->failed, 0));
    print_time(ilert->truth);

    printf(" | %9.0f | %9.0f | %3d |\n", ilert->missing / 60000.0,
           ilert->nothing / 60000.0, (int) (ilert->phantoms + ilert->lost));
    fflush(stdout);
}


/* what is only known as a bound */

static void
print_bound(sender_t *sender, ilert_t *ilert)
{
    printf("| %-29s | %8d |        |      ", sender->text,
           (int) ilert->requests);

    printf(" |          ");
    print_time(ilert->slowest);
    printf(" |          ");
    print_time(ilert->truth);
    printf(" |           |           |     |\n");
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
    option(reserve)
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
    conf.reserve = 5;
    conf.seed = 1;

    for (i = 1; i < argc; i++) {
        storm_option(&conf, argv[i]);
    }

    storm_begin(&storm, &conf);

    printf("%d webhooks of %d hosts, %d changes of level, %d requests a minute"
           "\n\n", (int) storm.n, (int) conf.hosts, (int) storm.changes,
           (int) (conf.rate - conf.foreign));

    printf("| %-29s | %8s | %6s | %5s | %9s | %9s | %9s | %9s | %9s | %9s "
           "| %3s |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
           "", "requests", "429", "pages", "median", "slowest", "all", "truth",
           "not shown", "nothing", "bad");
    fflush(stdout);

    for (sender = senders; sender->name; sender++) {

        if (!is_wanted(sender, argc, argv)) {
            continue;
        }

        ilert_begin(&ilert, &storm);
        sender->send(&ilert);
        ilert_end(&ilert);

        if (sender->bound) {
            print_bound(sender, &ilert);

        } else {
            print_figures(sender, &ilert);
        }

        ilert_free(&ilert);
    }

    storm_free(&storm);

    printf("\nmedian, slowest: from a host's first CRITICAL till it is shown, "
           "or named by a digest\n"
           "all: from the last failure until something is shown of all hosts\n"
           "truth: from the last recovery until ilert shows the truth\n"
           "not shown, nothing: minutes of hosts, CRITICAL and not shown, or "
           "shown and OK\n"
           "bad: phantoms, and events that were given up\n");

    if (is_wanted(&waits, argc, argv)) {
        storm_waits();
    }

    return test_failures != 0;
}
