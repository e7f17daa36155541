
/*
 * bench DIR [EVENTS [KEYS]]: events a second that are accepted, 15 a commit,
 * and taken off, 100 a commit, with bodies of 1268 bytes; the keys come in
 * order, and shuffled.
 */


#include "store_test.h"

#include <sys/resource.h>


#define BENCH_ACCEPTS  15
#define BENCH_TAKES    100
#define BENCH_BODY     1268


static double
seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


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

        accept_event(t, "ops", key, ALERT, body);

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


int
bench(int argc, char **argv)
{
    test_t      t;
    ngx_uint_t  events, keys;

    sqlite3_snprintf(sizeof(test_dir), test_dir, "%s", argv[0]);

    events = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    keys = argc > 2 ? strtoul(argv[2], NULL, 10) : events;

    setup(&t, "bench");
    t.store.max_size = 100LL * 1024 * 1024 * 1024;

    bench_accept(&t, 20000, 2000, 0, 1, "accept, 1 a commit");
    bench_drain(&t, ~0, "drain of them, 2000 keys");
    bench_accept(&t, events, keys, 0, BENCH_ACCEPTS, "accept, 15 a commit");
    bench_drain(&t, events, "drain, keys in order");

    bench_accept(&t, events, keys, 1, 1000, NULL);
    bench_drain(&t, ngx_min(events, 200000), "drain, keys shuffled");

    teardown(&t);

    return 0;
}
