
/*
 * bench DIR [EVENTS [KEYS]]: events a second that are accepted, 15 a commit,
 * and taken off, 100 a commit, with bodies of 1268 bytes; the keys come in
 * order, and shuffled.
 *
 * bench DIR heard [EVENTS [KEYS]]: the same, with what is heard of an id.
 *
 * bench DIR status [EVENTS [KEYS]]: the time of a query while so many wait, of
 * ten sources.
 */


#include "store_test.h"

#include <sys/resource.h>


#define BENCH_ACCEPTS  15
#define BENCH_TAKES    100
#define BENCH_BODY     1268
#define BENCH_SOURCES  10
#define BENCH_QUERIES  201


static ngx_uint_t  bench_heard;


static double
cpu(void)
{
    struct rusage  ru;

    getrusage(RUSAGE_SELF, &ru);

    return ru.ru_utime.tv_sec + ru.ru_stime.tv_sec
           + (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}


static void
report(const char *what, ngx_uint_t n, double start, double used)
{
    double         wall;
    struct rusage  ru;

    wall = seconds() - start;
    used = cpu() - used;

    getrusage(RUSAGE_SELF, &ru);

    printf("%-28s %8.0f/s  %6.1f us of CPU each, %ld MB at most\n", what,
           n / wall, used / n * 1e6, ru.ru_maxrss / 1024);
    fflush(stdout);
}


static void
bench_accept(test_t *t, ngx_uint_t events, ngx_uint_t keys, ngx_uint_t shuffle,
    ngx_uint_t batch, const char *what)
{
    char         key[64];
    double       start, used;
    uint64_t     k;
    event_t     *ev;
    ngx_uint_t   n;
    static char  body[BENCH_BODY + 1];

    memset(body, 'x', BENCH_BODY);

    start = seconds();
    used = cpu();

    for (n = 0; n < events; n++) {
        k = n % keys;

        if (shuffle) {
            k = (k * 2654435761u) % keys;
        }

        sprintf(key, "cpu:host=server%08llu,cpu=total",
                (unsigned long long) k);

        ev = accept_event(t, "ops", key, ALERT, body);

        if (bench_heard) {
            ngx_str_set(&ev->heard.place, "/kapacitor");
            ngx_str_set(&ev->heard.task, "cpu_alert");
            ev->heard.id = ev->key;
            ev->heard.level = CRITICAL;
            ev->heard.time = ++bench_heard;
            ev->heard.digest = bench_heard;
        }

        if (n % batch == batch - 1) {
            run(t);
        }
    }

    run(t);

    if (what) {
        report(what, events, start, used);
    }
}


static void
bench_drain(test_t *t, ngx_uint_t max, const char *what)
{
    double      start, used;
    event_t    *ev;
    ngx_uint_t  n;

    start = seconds();
    used = cpu();

    for (n = 0; n < max; /* void */ ) {
        take(t, "ops", BENCH_TAKES, 0);

        if (run(t) != OK || taken(t, 0) == NULL) {
            break;
        }

        while ((ev = taken(t, 0))) {
            verdict(t, ev, DONE);
            n++;
        }
    }

    report(what, n, start, used);

    run(t);
}


static double
thread_time(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static int
cmp_times(const void *one, const void *two)
{
    const double  *a = one, *b = two;

    return (*a > *b) - (*a < *b);
}


/* of the thread; what it is of a second is its share if each second has one */

static void
bench_query(test_t *t, const char *what, const char *source, const char *key,
    ngx_uint_t urgent)
{
    double      times[BENCH_QUERIES];
    query_t    *q;
    ngx_uint_t  n;

    for (n = 0; n < BENCH_QUERIES; n++) {
        q = query(t, source, key);
        q->urgent = urgent;

        times[n] = thread_time();
        run(t);
        times[n] = thread_time() - times[n];

        if (!q->ok) {
            printf("%s: no answer\n", what);
            return;
        }
    }

    qsort(times, BENCH_QUERIES, sizeof(double), cmp_times);

    printf("%-28s %8.0f us, %.0f at least, %.0f at most; %.3f%% of a second\n",
           what, times[BENCH_QUERIES / 2] * 1e6, times[0] * 1e6,
           times[BENCH_QUERIES - 1] * 1e6, times[BENCH_QUERIES / 2] * 100);
    fflush(stdout);
}


/* of each source some alerts are open, and there are some dead letters */

static int
bench_status(test_t *t, ngx_uint_t events, ngx_uint_t keys)
{
    char         source[16], key[64];
    event_t     *ev;
    ngx_uint_t   n, i;
    static char  body[BENCH_BODY + 1];

    memset(body, 'x', BENCH_BODY);

    for (n = 0; n < events; n++) {
        sprintf(source, "source %d", (int) (n % BENCH_SOURCES));
        sprintf(key, "cpu:host=server%08d,cpu=total", (int) (n % keys));

        ev = accept_event(t, source, key, n % 5 ? ALERT : RESOLVE, body);
        ev->said.level = n % 3 + 1;

        if (n % 1000 == 999) {
            run(t);
            t->now++;
        }
    }

    for (n = 0; n < BENCH_SOURCES; n++) {
        sprintf(source, "source %d", (int) n);

        for (i = 0; i < 10; i++) {
            take(t, source, 20, 0);
            run(t);

            while ((ev = taken(t, 0))) {
                verdict(t, ev, i ? DONE : DEAD);
            }

            run(t);
        }
    }

    printf("%s events of %s alerts wait, %s are open\n",
           sql(t, "SELECT count(*) FROM event"),
           sql(t, "SELECT count(*) FROM alert WHERE head > 0"),
           sql(t, "SELECT count(*) FROM alert WHERE opened > 0"));

    budget(t, "key", 100, 10 * SECOND);

    bench_query(t, "query of all", "", NULL, 0);
    bench_query(t, "query of what is urgent", "", NULL, 1);
    bench_query(t, "query of a source", "source 3", NULL, 0);
    bench_query(t, "query of an alert", "source 3",
                "cpu:host=server00000003,cpu=total", 0);

    teardown(t);

    return 0;
}


int
bench(int argc, char **argv)
{
    test_t      t;
    ngx_uint_t  events, keys, status;

    sqlite3_snprintf(sizeof(test_dir), test_dir, "%s", argv[0]);

    status = (argc > 1 && strcmp(argv[1], "status") == 0);
    bench_heard = (argc > 1 && strcmp(argv[1], "heard") == 0);
    argc -= status + bench_heard;
    argv += status + bench_heard;

    events = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    keys = argc > 2 ? strtoul(argv[2], NULL, 10) : events;

    setup(&t, "bench");
    t.store.max_size = 100LL * 1024 * 1024 * 1024;

    if (status) {
        return bench_status(&t, events, keys);
    }

    bench_accept(&t, 20000, 2000, 0, 1, "accept, 1 a commit");
    bench_drain(&t, ~0, "drain of them, 2000 keys");
    bench_accept(&t, events, keys, 0, BENCH_ACCEPTS, "accept, 15 a commit");
    bench_drain(&t, events, "drain, keys in order");

    bench_accept(&t, events, keys, 1, 1000, NULL);
    bench_drain(&t, ngx_min(events, 200000), "drain, keys shuffled");

    teardown(&t);

    return 0;
}
