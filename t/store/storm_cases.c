
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
    conf.reserve = (conf.rate + 9) / 10;
    conf.seed = 1 + rnd(1000000);
    conf.phase = rnd(STORM_WINDOW);

    return conf;
}


static void
begin(storm_conf_t conf, ngx_uint_t coalesce)
{
    storm_begin(&the_storm, &conf);

    ilert_begin(&got, &the_storm);
    send_store(&got, storm_policy(coalesce));
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


/* the storm of the benchmark: a dozen pages, and every CRITICAL is named */

static void
digest_storm(ngx_uint_t members, int64_t delay)
{
    storm_conf_t  conf;

    conf = conf_of(500, 30);
    conf.seed = 1;

    storm_begin(&the_storm, &conf);
    ilert_begin(&got, &the_storm);
    send_store(&got, storm_digest(10, members, delay));
    ilert_end(&got);

    check_int(got.phantoms, 0);
    check_int(got.limited, 0);
    check(got.worst <= 6 * SECOND);
    check(got.known - got.failed <= 5 * SECOND);
    check(got.missing <= 210 * MINUTE);

    printf("# %d requests, %d pages, %.0f minutes not shown, %.0f for nothing,"
           " truth after %.0f s\n", (int) got.requests, (int) got.pages,
           got.missing / 60000.0, got.nothing / 60000.0, got.truth / 1000.0);
}


static void
test_digest_none(void)
{
    digest_storm(NGX_HTTP_ILERT_MEMBERS_NONE, 0);
    check(got.pages <= 11);
    check(got.requests <= 175);
    check(got.nothing <= 250 * MINUTE);
    check(got.truth <= 35 * SECOND);
    ilert_free(&got);
    storm_free(&the_storm);
}


static void
test_digest_low(void)
{
    digest_storm(NGX_HTTP_ILERT_MEMBERS_LOW, 0);
    check(got.pages <= 25);
    ilert_free(&got);
    storm_free(&the_storm);
}


/* at most one page for each host */

static void
test_delay(void)
{
    storm_conf_t  conf;

    conf = conf_of(500, 30);
    conf.seed = 1;

    storm_begin(&the_storm, &conf);
    ilert_begin(&got, &the_storm);
    send_store(&got, storm_digest(0, 0, 120 * SECOND));
    ilert_end(&got);

    check_int(got.phantoms, 0);
    check(got.pages <= conf.hosts);

    ilert_free(&got);
    storm_free(&the_storm);
}


/*
 * Small storms with digests, delays, and reserves, at random: some of the
 * hosts stay bad.  Times are of hosts that are CRITICAL for the first time:
 * urgent ones do not wait for the others, and a digest names what it keeps
 * back.
 */

static void
random_policy(ngx_http_ilert_policy_t *policy)
{
    *policy = *storm_policy(LATEST);

    policy->resolve_delay = rnd(2) ? rnd(120) * SECOND : 0;

    if (rnd(4)) {
        policy->digest.n = 2 + rnd(9);
        policy->digest.interval = (5 + rnd(15)) * SECOND;
        policy->digest.members = rnd(3);
    }
}


static void
random_check(ngx_http_ilert_policy_t *policy)
{
    storm_conf_t  *conf;

    conf = &the_storm.conf;

    /* what it shows in the end is so, with nobody called for nothing */

    check_int(got.phantoms, 0);
    check(got.pages <= 2 * the_storm.changes);

    if (conf->jump_at == 0) {

        /* times are those of arrival: that of a request is in its trip */

        check(ilert_most(&got, STORM_WINDOW) <= conf->rate);
        check_int(got.limited, 0);
    }

    if (conf->crash || conf->jump_at) {
        return;
    }

    /* without one they wait for each other */

    if (policy->digest.n) {
        check(got.probe_worst <= 6 * SECOND);
        check(got.worst <= 6 * SECOND);
    }
}


static void
random_storm(ngx_uint_t n)
{
    storm_conf_t             conf;
    ngx_http_ilert_policy_t  policy;

    memset(&conf, 0, sizeof(storm_conf_t));

    conf.hosts = 30 + rnd(70);
    conf.minutes = 2 + rnd(4);
    conf.rate = 40 + rnd(30);
    conf.reserve = 3 + rnd(5);
    conf.phase = rnd(STORM_WINDOW);
    conf.stay = rnd(2) ? rnd(20) : 0;
    conf.probes = 8;
    conf.probe_at = 30 * SECOND + rnd(MINUTE);
    conf.probe_every = 30 * SECOND;
    conf.seed = 1 + rnd(1000000);
    conf.strict = 1;

    if (n % 4 == 1) {
        conf.crash = rnd(6 * MINUTE);

    } else if (n % 8 == 3) {
        conf.jump_at = rnd(6 * MINUTE);
        conf.jump = -(int64_t) rnd(60) * MINUTE;
    }

    random_policy(&policy);

    storm_begin(&the_storm, &conf);
    ilert_begin(&got, &the_storm);
    send_store(&got, &policy);
    ilert_end(&got);

    random_check(&policy);

    if (test_failures) {
        printf("# hosts=%d minutes=%d rate=%d reserve=%d phase=%d seed=%u"
               " crash=%d jump_at=%d jump=%d stay=%d; delay=%d digest=%d"
               " interval=%d members=%d; requests=%d phantoms=%d wrong=%d"
               " worst=%d probe=%d most=%d\n",
               (int) conf.hosts, (int) conf.minutes, (int) conf.rate,
               (int) conf.reserve, (int) conf.phase, conf.seed,
               (int) conf.crash, (int) conf.jump_at, (int) conf.jump,
               (int) conf.stay, (int) policy.resolve_delay,
               (int) policy.digest.n, (int) policy.digest.interval,
               (int) policy.digest.members, (int) got.requests,
               (int) got.phantoms, (int) got.wrong, (int) got.worst,
               (int) got.probe_worst, (int) ilert_most(&got, STORM_WINDOW));
    }

    ilert_free(&got);
    storm_free(&the_storm);
}


static void
test_random(void)
{
    at_random(40, random_storm);
}


test_case_t  storm_cases[] = {
    { "storm: latest", test_latest },
    { "storm: repeats", test_repeats },
    { "storm: off", test_off },
    { "storm: phases of ilert's windows", test_phases },
    { "storm: others use the key", test_foreign },
    { "storm: killed", test_crash },
    { "storm: the clock is set", test_jumps },
    { "storm: digest, members=none", test_digest_none },
    { "storm: digest, members=low", test_digest_low },
    { "storm: resolve_delay", test_delay },
    { "storm: small ones at random", test_random },
    { NULL, NULL }
};
