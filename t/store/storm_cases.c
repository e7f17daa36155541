
/*
 * Storms through the store: what ilert shows at the end is what Kapacitor
 * knows, and what it takes to get there is compared with what is possible.
 * But for the large ones, that of the benchmark, they are by TEST_SEED, and
 * for all of them so is the phase.
 */


#include "storm.h"


#define MINUTE  (60 * SECOND)


static storm_t  the_storm;
static ilert_t  got;
static ilert_t  best;


/* of 500 hosts, or of ten times fewer with a tenth of the rate */

static storm_conf_t
conf_of(ngx_uint_t hosts, ngx_uint_t minutes)
{
    storm_conf_t  conf;

    memset(&conf, 0, sizeof(storm_conf_t));

    conf.hosts = hosts;
    conf.minutes = minutes;
    conf.rate = hosts / 10;
    conf.seed = 1 + rnd(1000000);
    conf.phase = rnd(STORM_WINDOW);

    return conf;
}


static void
begin(storm_conf_t conf, ngx_uint_t coalesce)
{
    storm_begin(&the_storm, &conf);

    ilert_begin(&got, &the_storm);
    send_store(&got, coalesce);
    ilert_end(&got);

    ilert_begin(&best, &the_storm);

    if (coalesce == LATEST) {
        send_best_latest(&best);

    } else {
        send_best_repeats(&best);
    }

    ilert_end(&best);
}


static void
end(void)
{
    check_int(got.phantoms, 0);

    if (test_failures) {
        printf("# hosts=%d minutes=%d rate=%d foreign=%d phase=%d seed=%u"
               " crash=%d jump_at=%d jump=%d\n",
               (int) the_storm.conf.hosts, (int) the_storm.conf.minutes,
               (int) the_storm.conf.rate, (int) the_storm.conf.foreign,
               (int) the_storm.conf.phase, the_storm.conf.seed,
               (int) the_storm.conf.crash, (int) the_storm.conf.jump_at,
               (int) the_storm.conf.jump);
    }

    ilert_free(&got);
    ilert_free(&best);
    storm_free(&the_storm);
}


static void
compare(const char *what, int64_t ours, int64_t optimum, double ratio)
{
    char  text[128];

    sqlite3_snprintf(sizeof(text), text, "%s: %lld, optimum %lld, %.3f", what,
                     ours, optimum, (double) ours / optimum);

    if (ours > optimum * ratio) {
        fail_at(__FILE__, __LINE__, text, NULL);
    }

    printf("# %s\n", text);
}


/*
 * The slowest one is of another order: an alert has its place by the first
 * event that waits, which may be a WARNING, the optimum by its CRITICAL.
 */

static void
compare_all(void)
{
    compare("requests", got.requests, best.requests, 1.1);
    compare("last first CRITICAL", got.first, best.first, 1.1);
    compare("slowest CRITICAL", got.slowest, best.slowest, 1.15);
    compare("truth", got.truth, best.truth, 1.1);

    check_int(got.limited, 0);

    /* one for each change of level, and repeats that are due */

    check(got.requests - got.repeats <= the_storm.changes);
    check(got.repeats <= the_storm.conf.hosts
                         * (the_storm.conf.minutes * MINUTE / STORM_REPEAT
                            + 1));
}


/*
 * With another seed a host that flaps may be OK whenever there is a request
 * left, or there may be none for some seconds when it recovers.
 */

static void
compare_roughly(void)
{
    check_int(got.limited, 0);
    check(got.requests * 10 <= best.requests * 11);
    check(got.first <= best.first + 4 * STORM_WINDOW);
    check(got.truth <= best.truth + 2 * STORM_WINDOW);
}


static void
test_latest(void)
{
    storm_conf_t  conf;

    conf = conf_of(500, 30);
    conf.seed = 1;

    begin(conf, LATEST);
    compare_all();

    /* windows that a CRITICAL of each host takes, and one */

    check(got.first <= (int64_t) (conf.hosts / conf.rate + 1) * STORM_WINDOW);
    end();
}


static void
test_repeats(void)
{
    storm_conf_t  conf;

    conf = conf_of(500, 30);
    conf.seed = 1;

    begin(conf, REPEATS);
    compare_all();
    end();
}


/* each webhook is a request, and the last one goes hours later */

static void
test_off(void)
{
    begin(conf_of(50, 14), OFF);
    check_int(got.limited, 0);
    check_int(got.requests, the_storm.n);
    check(got.truth > 3 * 60 * MINUTE);
    end();
}


static void
test_phases(void)
{
    ngx_uint_t    i;
    storm_conf_t  conf;

    for (i = 0; i < 6 && test_failures == 0; i++) {
        conf = conf_of(100, 14);
        conf.phase = i * STORM_WINDOW / 6;

        begin(conf, i % 2 ? LATEST : REPEATS);
        compare_roughly();
        end();
    }
}


/* others use half of each window, and do so first */

static void
test_foreign(void)
{
    ngx_uint_t    i;
    storm_conf_t  conf;

    for (i = REPEATS; i <= LATEST; i++) {
        conf = conf_of(200, 14);
        conf.foreign = conf.rate / 2;

        begin(conf, i);

        printf("# %d requests, %d answers of 429, truth after %.1f minutes,"
               " optimum %.1f\n", (int) got.requests, (int) got.limited,
               got.truth / 60000.0, best.truth / 60000.0);

        check(got.limited > 0);
        check(got.limited * 3 < got.requests);
        check(got.truth < best.truth * 2);
        end();
    }
}


/* killed in the middle of a window, with requests under way */

static void
test_crash(void)
{
    ngx_uint_t    i;
    storm_conf_t  conf;

    for (i = 0; i < 4 && test_failures == 0; i++) {
        conf = conf_of(100, 14);
        conf.crash = i * 5 * MINUTE + rnd(MINUTE);

        begin(conf, i % 2 ? LATEST : REPEATS);
        check_int(got.limited, 0);
        check(got.truth <= best.truth + 3 * STORM_WINDOW);
        end();
    }
}


/* a clock that is set forth knows of no window that has not passed */

static void
test_jumps(void)
{
    ngx_uint_t    i;
    storm_conf_t  conf;

    for (i = 0; i < 4 && test_failures == 0; i++) {
        conf = conf_of(100, 14);
        conf.jump_at = MINUTE + rnd(14 * MINUTE);
        conf.jump = (i / 2 ? 60 : -60) * MINUTE;

        begin(conf, i % 2 ? LATEST : REPEATS);

        if (conf.jump < 0) {
            check_int(got.limited, 0);

        } else {
            check(got.limited < 2 * 8);
        }

        check(got.truth <= best.truth + 4 * STORM_WINDOW);
        end();
    }
}


test_case_t  storm_cases[] = {
    { "storm: latest", test_latest },
    { "storm: repeats", test_repeats },
    { "storm: off", test_off },
    { "storm: phases of ilert's windows", test_phases },
    { "storm: others use the key", test_foreign },
    { "storm: killed", test_crash },
    { "storm: the clock is set", test_jumps },
    { NULL, NULL }
};
