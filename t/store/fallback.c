
/*
 * The rules of another way out: "after" is 10 minutes, "every" an hour.
 */


#include "store_test.h"

#include "ngx_http_ilert_fallback_rules.h"


#define MINUTE  (60 * SECOND)
#define AFTER   (10 * MINUTE)
#define EVERY   (60 * MINUTE)

#define REST    NGX_HTTP_ILERT_FALLBACK_REST
#define TELL    NGX_HTTP_ILERT_FALLBACK_TELL
#define OVER    NGX_HTTP_ILERT_FALLBACK_OVER

typedef ngx_http_ilert_fallback_state_t  state_t;
typedef ngx_http_ilert_fallback_seen_t   seen_t;


/* what is seen of alerts that wait for so many seconds; -1 ends the list */

static void
test_see(void)
{
    seen_t      seen;
    ngx_uint_t  i, k;

    static struct {
        int         ages[4];
        ngx_uint_t  late;
        int         oldest;
        int         newest;
        ngx_uint_t  restless;
    } cases[] = {
        { { -1 }, 0, 0, 0, 0 },
        { { 0, 59, -1 }, 0, 0, 0, 0 },
        { { 60, -1 }, 0, 0, 0, 1 },
        { { 599, -1 }, 0, 0, 0, 1 },
        { { 600, -1 }, 1, 600, 600, 1 },
        { { 700, 3600, 10, -1 }, 2, 3600, 700, 2 },
        { { 3600, 700, 601, -1 }, 3, 3600, 601, 3 },

        /* the clock was set back */

        { { -3600, -1 }, 0, 0, 0, 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        memset(&seen, 0, sizeof(seen_t));

        for (k = 0; cases[i].ages[k] != -1; k++) {
            ngx_http_ilert_fallback_see(&seen, NOW - cases[i].ages[k] * SECOND,
                                        AFTER, NOW);
        }

        check_int(seen.late, cases[i].late);
        check_int(seen.restless, cases[i].restless);

        if (seen.late) {
            check_int(NOW - seen.since, cases[i].oldest * SECOND);
            check_int(NOW - seen.newest, cases[i].newest * SECOND);
        }
    }

    /* "after" is less than a minute */

    memset(&seen, 0, sizeof(seen_t));
    ngx_http_ilert_fallback_see(&seen, NOW - 9 * SECOND, 10 * SECOND, NOW);
    check_int(seen.restless, 0);
    ngx_http_ilert_fallback_see(&seen, NOW - 10 * SECOND, 10 * SECOND, NOW);
    check_int(seen.restless, 1);
    check_int(seen.late, 1);
}


/* minutes ago; -1: never */

static void
test_decide(void)
{
    state_t     state;
    seen_t      seen;
    ngx_uint_t  i, action;

    static struct {
        int         told;
        int         tried;
        ngx_uint_t  fails;
        ngx_uint_t  late;
        int         newest;     /* of what is late, if anything is */
        ngx_uint_t  restless;
        ngx_uint_t  action;
    } cases[] = {

        /* nothing, and what is not late */

        { -1, -1, 0, 0, 0, 0, REST },
        { -1, -1, 0, 0, 0, 3, REST },

        /* at once, then each hour */

        { -1, -1, 0, 1, 10, 1, TELL },
        { -1, -1, 0, 5, 300, 5, TELL },
        { 0, 0, 0, 1, 10, 1, REST },
        { 59, 59, 0, 1, 100, 1, REST },
        { 60, 60, 0, 1, 100, 1, TELL },
        { 600, 600, 0, 1, 700, 1, TELL },

        /* what has become late since: after ten minutes */

        { 9, 9, 0, 2, 12, 2, REST },
        { 10, 10, 0, 2, 19, 2, TELL },
        { 10, 10, 0, 2, 20, 2, REST },
        { 10, 10, 0, 2, 21, 2, REST },
        { 30, 30, 0, 2, 11, 2, TELL },

        /* over, when nothing has waited for a minute */

        { 5, 5, 0, 0, 0, 1, REST },
        { 5, 5, 0, 0, 0, 0, OVER },
        { 500, 500, 0, 0, 0, 0, OVER },

        /* tries that have failed: 1, 2, 4, ... 60 minutes */

        { -1, 0, 1, 1, 10, 1, REST },
        { -1, 1, 1, 1, 10, 1, TELL },
        { -1, 1, 2, 1, 10, 1, REST },
        { -1, 2, 2, 1, 10, 1, TELL },
        { -1, 31, 6, 1, 10, 1, REST },
        { -1, 32, 6, 1, 10, 1, TELL },
        { -1, 59, 7, 1, 10, 1, REST },
        { -1, 60, 7, 1, 10, 1, TELL },
        { -1, 60, 100000, 1, 10, 1, TELL },
        { 120, 1, 2, 1, 200, 1, REST },
        { 120, 2, 2, 1, 200, 1, TELL },
        { 20, 1, 2, 0, 0, 0, REST },
        { 20, 2, 2, 0, 0, 0, OVER },

        /* over before it was told */

        { -1, 1, 5, 0, 0, 0, REST },

        /* the clock was set back by an hour */

        { -60, -60, 0, 1, 10, 1, REST },
        { -60, -60, 0, 0, 0, 0, OVER },
        { -60, -60, 1, 1, 10, 1, REST }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        state.told = (cases[i].told == -1) ? 0
                                           : NOW - cases[i].told * MINUTE;
        state.tried = (cases[i].tried == -1) ? 0
                                             : NOW - cases[i].tried * MINUTE;
        state.fails = cases[i].fails;

        seen.late = cases[i].late;
        seen.newest = NOW - cases[i].newest * MINUTE;
        seen.since = seen.newest;
        seen.restless = cases[i].restless;

        action = ngx_http_ilert_fallback_decide(&state, &seen, AFTER, EVERY,
                                                NOW);

        if (action != cases[i].action) {
            printf("# case %d\n", (int) i);
        }

        check_int(action, cases[i].action);
        check(state.told <= NOW && state.tried <= NOW);

        if (cases[i].told == -1 && cases[i].late == 0) {
            check_int(state.fails, 0);
        }
    }
}


static void
test_done(void)
{
    state_t  state;

    memset(&state, 0, sizeof(state_t));

    ngx_http_ilert_fallback_done(&state, TELL, 0, NOW);
    check_int(state.told, 0);
    check_int(state.tried, NOW);
    check_int(state.fails, 1);

    ngx_http_ilert_fallback_done(&state, TELL, 0, NOW + 1);
    check_int(state.fails, 2);

    ngx_http_ilert_fallback_done(&state, TELL, 1, NOW + 2);
    check_int(state.told, NOW + 2);
    check_int(state.fails, 0);

    ngx_http_ilert_fallback_done(&state, OVER, 0, NOW + 3);
    check_int(state.told, NOW + 2);
    check_int(state.fails, 1);

    ngx_http_ilert_fallback_done(&state, OVER, 1, NOW + 4);
    check_int(state.told, 0);
    check_int(state.fails, 0);
}


/*
 * A day of an outage in steps of 10 seconds, with a way out that always fails,
 * or never does: how often it is tried.
 */

static void
test_day(void)
{
    int         tries, fails;
    int64_t     now;
    seen_t      seen;
    state_t     state;
    ngx_uint_t  action;

    for (fails = 0; fails < 2; fails++) {

        memset(&state, 0, sizeof(state_t));
        tries = 0;

        for (now = NOW; now < NOW + DAY; now += 10 * SECOND) {

            memset(&seen, 0, sizeof(seen_t));
            ngx_http_ilert_fallback_see(&seen, NOW, AFTER, now);

            action = ngx_http_ilert_fallback_decide(&state, &seen, AFTER,
                                                    EVERY, now);
            if (action == REST) {
                continue;
            }

            check_int(action, TELL);
            ngx_http_ilert_fallback_done(&state, action, !fails, now);
            tries++;
        }

        /* after 10 minutes, and then each hour; or 6 times more at first */

        check_int(tries, fails ? 29 : 24);
    }
}


test_case_t  fallback_cases[] = {
    { "fallback: what is late", test_see },
    { "fallback: what is told, and when", test_decide },
    { "fallback: what comes of it", test_done },
    { "fallback: a day", test_day },
    { NULL, NULL }
};
