
/*
 * How long the next CRITICAL waits, whatever was sent before it, and what
 * flaps cost: cases in which a few webhooks come at known times.
 */


#include "storm.h"


/* hosts of a case */

#define HOSTS    60

/* how long after what comes first the probes come, at random within this */

#define LATER    STORM_WINDOW
#define CASES    40


static void
waits_conf(storm_conf_t *conf)
{
    memset(conf, 0, sizeof(storm_conf_t));

    conf->hosts = HOSTS;
    conf->rate = 50;
    conf->reserve = 5;
    conf->seed = 1;
}


static int
waits_compare(const void *one, const void *two)
{
    const int64_t  *a = one, *b = two;

    return (*a > *b) - (*a < *b);
}


/*
 * "n" hosts recover, or are WARNING, at once, and so many fail within the next
 * minute, all at one moment.  Returns how long the last one has waited, and
 * how many people were called.
 */

static int64_t
waits_case(ngx_http_ilert_policy_t *policy, ngx_uint_t n, ngx_uint_t level,
    ngx_uint_t probes, int64_t after)
{
    int64_t       at, wait;
    ilert_t       ilert;
    storm_t       storm;
    ngx_uint_t    i;
    storm_conf_t  conf;

    waits_conf(&conf);

    at = 10 * STORM_WINDOW;

    conf.probes = probes;
    conf.probe_at = at + after;

    storm_empty(&storm, &conf);

    for (i = 0; i < n; i++) {

        if (level == WARNING) {
            storm_fail(&storm, i, WARNING, at, at + 5 * STORM_WINDOW);

        } else {
            storm_fail(&storm, i, CRITICAL, 0, at);
        }
    }

    storm_sort(&storm);

    ilert_begin(&ilert, &storm);
    send_store(&ilert, policy);
    ilert_end(&ilert);

    wait = ilert.probe_worst;

    ilert_free(&ilert);
    storm_free(&storm);

    return wait;
}


static void
waits_print(const char *what, int64_t *waits, ngx_uint_t n)
{
    qsort(waits, n, sizeof(int64_t), waits_compare);

    if (waits[n - 1] == STORM_NEVER) {
        printf(" | %s never", what);
        return;
    }

    printf(" | %6.1f / %5.1f s", waits[n / 2] / 1000.0,
           waits[n - 1] / 1000.0);
}


static void
waits_of(ngx_http_ilert_policy_t *policy, ngx_uint_t n, ngx_uint_t level,
    ngx_uint_t probes)
{
    int64_t     waits[CASES];
    ngx_uint_t  i;

    rnd_seed(1);

    for (i = 0; i < CASES; i++) {
        waits[i] = waits_case(policy, n, level, probes, 1000 + rnd(LATER));
    }

    waits_print("", waits, CASES);
}


/* one more host fails each half minute while those of the storm recover */

static void
waits_in_storm(ngx_http_ilert_policy_t *policy)
{
    ilert_t       ilert;
    storm_t       storm;
    storm_conf_t  conf;

    waits_conf(&conf);

    conf.hosts = 500;
    conf.minutes = 30;
    conf.probes = 20;
    conf.probe_at = 29 * STORM_WINDOW;
    conf.probe_every = 30 * SECOND;

    storm_begin(&storm, &conf);

    ilert_begin(&ilert, &storm);
    send_store(&ilert, policy);
    ilert_end(&ilert);

    printf(" | %6.1f / %5.1f s", ilert.probe_median / 1000.0,
           ilert.probe_worst / 1000.0);

    ilert_free(&ilert);
    storm_free(&storm);
}


/* one host, ten times within 20 seconds: requests, and people called */

static void
waits_flaps(ngx_http_ilert_policy_t *policy)
{
    ilert_t       ilert;
    storm_t       storm;
    ngx_uint_t    i;
    storm_conf_t  conf;

    waits_conf(&conf);

    conf.hosts = 1;

    storm_empty(&storm, &conf);

    for (i = 0; i < 10; i++) {
        storm_add(&storm, i * 2000, 0, CRITICAL);
        storm_add(&storm, i * 2000 + 1000, 0, NGX_HTTP_ILERT_OK);
    }

    storm_sort(&storm);

    ilert_begin(&ilert, &storm);
    send_store(&ilert, policy);
    ilert_end(&ilert);

    printf(" | %3d / %2d |\n", (int) ilert.requests, (int) ilert.pages);
    fflush(stdout);

    ilert_free(&ilert);
    storm_free(&storm);
}


static void
waits_row(const char *text, ngx_uint_t digest, ngx_uint_t members,
    int64_t delay)
{
    printf("| %-29s", text);

    waits_of(storm_digest(digest, members, delay), 50, CRITICAL, 1);
    waits_of(storm_digest(digest, members, delay), 50, CRITICAL, 5);
    waits_of(storm_digest(digest, members, delay), 60, WARNING, 1);
    waits_of(storm_digest(digest, members, delay), 60, WARNING, 5);
    waits_in_storm(storm_digest(digest, members, delay));
    waits_flaps(storm_digest(digest, members, delay));
}


void
storm_waits(void)
{
    printf("\nHow long a CRITICAL waits, median and worst, if 1 or 5 come "
           "within a minute after\n50 recoveries, 60 WARNINGs, or in the "
           "recovery of a storm of 500 hosts, one each\nhalf minute; and what "
           "ten flaps within 20 seconds cost: requests and pages\n\n"
           "| %-29s | %16s | %16s | %16s | %16s | %16s | %8s |\n"
           "|---|---|---|---|---|---|---|\n", "", "50 OK, 1", "50 OK, 5",
           "60 WARNING, 1", "60 WARNING, 5", "storm", "flaps");
    fflush(stdout);

    waits_row("`latest`", 0, 0, 0);
    waits_row("`resolve_delay 2m`", 0, 0, 120 * SECOND);
    waits_row("`digest 10`", 10, NGX_HTTP_ILERT_MEMBERS_LOW, 0);
    waits_row("`digest 10`, `resolve_delay`", 10, NGX_HTTP_ILERT_MEMBERS_LOW,
              120 * SECOND);
    waits_row("`digest 10 members=none`", 10, NGX_HTTP_ILERT_MEMBERS_NONE, 0);
    waits_row("the same, `resolve_delay 2m`", 10, NGX_HTTP_ILERT_MEMBERS_NONE,
              120 * SECOND);
}
