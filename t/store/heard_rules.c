
/* the rules of what was heard, by tables */


#include "store_test.h"
#include "ngx_http_ilert_heard_rules.h"


#define NO_TIME  NGX_HTTP_ILERT_STORE_NO_TIME

/* ms, and ns, of times that are single digits */

#define MS(n)    (NOW + (n) * SECOND)
#define NS(n)    (MS(n) * 1000000)


typedef ngx_http_ilert_store_known_t      known_t;
typedef ngx_http_ilert_store_heard_t      heard_t;
typedef ngx_http_ilert_store_state_t      state_t;
typedef ngx_http_ilert_store_topic_t      topic_t;
typedef ngx_http_ilert_store_kapacitor_t  kapacitor_t;


static const char  levels[] = "OIWC";


/*
 * A level and a time in short: "C5" is CRITICAL at 5, and "C-" one without
 * a time.
 */

static ngx_uint_t
level_of(const char *s)
{
    return strchr(levels, *s) - levels;
}


static int64_t
time_of(const char *s)
{
    return (s[1] == '-') ? NO_TIME : NS(s[1] - '0');
}


/* and what is remembered: "i" was ignored, "a" has an alert; "" is nothing */

static known_t *
known_by(const char *s)
{
    static known_t  known;

    memset(&known, 0, sizeof(known_t));

    if (*s == '\0') {
        return NULL;
    }

    known.level = level_of(s);
    known.time = time_of(s);
    known.at = NOW;
    known.ignored = (strchr(s, 'i') != NULL);
    known.alert = (strchr(s, 'a') != NULL);

    return &known;
}


static heard_t
heard_by(const char *s)
{
    heard_t  heard;

    memset(&heard, 0, sizeof(heard_t));

    heard.level = level_of(s);
    heard.time = time_of(s);

    return heard;
}


static void
test_news(void)
{
    char         what[64];
    heard_t      heard;
    known_t     *known;
    ngx_uint_t   i, stale, copy;

    /* wanted: N, C, S, O; if it is no copy, "stale take" and drop; if it is */

    static const char  *table[][3] = {
        { "",    "C1", "NNNN" },
        { "",    "C-", "NNNN" },
        { "C5a", "C6", "NNNN" },
        { "C5a", "O6", "NNNN" },
        { "C5a", "C5", "NNCC" },
        { "C5a", "W4", "NSCC" },
        { "C5a", "C-", "NNNN" },
        { "C-a", "C1", "NNNN" },
        { "O5i", "C4", "NSCC" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        for (copy = 0; copy < 2; copy++) {

            for (stale = 0; stale < 2; stale++) {
                known = known_by(table[i][0]);
                heard = heard_by(table[i][1]);
                heard.digest = 7;

                if (known) {
                    known->ndigests = 2;
                    known->digests[0] = copy ? 7 : 8;
                    known->digests[1] = 9;
                }

                sprintf(what, "%s after \"%s\", %d %d", table[i][1],
                        table[i][0], (int) copy, (int) stale);
                check_int_at(__FILE__, __LINE__, what,
                             "NCSO"[ngx_http_ilert_heard_news(known, &heard,
                                                              stale)],
                             table[i][2][2 * copy + stale]);
            }
        }
    }
}


static void
test_repairs(void)
{
    char         what[64];
    heard_t      heard, was;
    known_t     *known;
    ngx_uint_t   i;

    /* what is remembered, what it was when Kapacitor was asked, and wanted */

    static const char  *table[][3] = {
        { "",     "",   "N" },
        { "",     "C5", "O" },
        { "C5a",  "",   "O" },
        { "C5a",  "C5", "N" },
        { "C5a",  "C4", "O" },
        { "C5a",  "C6", "O" },
        { "C5a",  "W5", "O" },
        { "C-a",  "C-", "N" },
        { "C-a",  "C5", "O" },
        { "C5i",  "C5", "N" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        known = known_by(table[i][0]);
        heard = heard_by("W1");
        heard.repair = 1;
        heard.digest = 7;

        if (known) {
            known->ndigests = 1;
            known->digests[0] = 7;
        }

        if (table[i][1][0] == '\0') {
            heard.unheard = 1;

        } else {
            was = heard_by(table[i][1]);
            heard.was_time = was.time;
            heard.was_level = was.level;
        }

        sprintf(what, "\"%s\" was \"%s\"", table[i][0], table[i][1]);
        check_int_at(__FILE__, __LINE__, what,
                     "NCSO"[ngx_http_ilert_heard_news(known, &heard, 1)],
                     table[i][2][0]);
    }
}


/* what is remembered after a webhook, or a note */

static void
test_remember(void)
{
    heard_t      heard;
    known_t     *known;
    ngx_uint_t   i;

    /* what was, what comes, what is after it is taken, and noted, or "" */

    static const char  *table[][4] = {
        { "C5a",  "O6", "O6",  "O6" },
        { "C5a",  "O4", "O4",  "" },
        { "C5a",  "C5", "C5",  "C5" },
        { "C5a",  "W-", "W5",  "W5" },
        { "C-a",  "W-", "W-",  "W-" },
        { "C5i",  "C6", "C6",  "" },
        { "C5i",  "C-", "C5",  "" },
        { "C5i",  "W6", "W6",  "W6" },
        { "C5i",  "W4", "W4",  "" },
        { "C5ia", "W-", "W5",  "W5" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        heard = heard_by(table[i][1]);
        heard.digest = 7;

        known = known_by(table[i][0]);
        known->over = 1;
        ngx_http_ilert_heard_take(known, &heard, 3, NOW + 1);

        check_int(known->level, level_of(table[i][2]));
        check_int(known->time, time_of(table[i][2]));
        check_int(known->at, NOW + 1);
        check_int(known->alert, 3);
        check(!known->ignored && !known->over);
        check_int(known->ndigests, table[i][1][1] != '-');

        known = known_by(table[i][0]);
        check_int(ngx_http_ilert_heard_is_noted(known, &heard),
                  table[i][3][0] != '\0');

        if (table[i][3][0] == '\0') {
            continue;
        }

        known->over = 1;
        ngx_http_ilert_heard_note(known, &heard, NOW + 1);

        check_int(known->level, level_of(table[i][3]));
        check_int(known->time, time_of(table[i][3]));
        check_int(known->at, NOW + 1);
        check_int(known->alert, strchr(table[i][0], 'a') != NULL);
        check(known->ignored && !known->over);
        check_int(known->ndigests, 0);
    }

    check(ngx_http_ilert_heard_is_noted(NULL, &heard));
}


/* the last ones, and the last task that is known */

static void
test_digests(void)
{
    heard_t      heard;
    known_t     *known;
    ngx_uint_t   i, n;

    known = known_by("C1");

    for (i = 0; i < 40; i++) {
        heard = heard_by("C1");
        heard.digest = i;
        ngx_str_set(&heard.task, "cpu");

        if (i == 39) {
            heard.task.len = 0;
        }

        ngx_http_ilert_heard_take(known, &heard, 1, NOW);

        check_int(known->ndigests, ngx_min(i + 1, 16));

        for (n = 0; n < known->ndigests; n++) {
            check_int(known->digests[n], i + 1 - known->ndigests + n);
        }
    }

    check_int(known->task.len, 3);
}


static void
test_clashes(void)
{
    ngx_str_t  none, cpu, mem;

    ngx_str_null(&none);
    ngx_str_set(&cpu, "cpu");
    ngx_str_set(&mem, "mem");

    check(ngx_http_ilert_heard_clashes(&cpu, &mem));
    check(!ngx_http_ilert_heard_clashes(&cpu, &cpu));
    check(!ngx_http_ilert_heard_clashes(&none, &cpu));
    check(!ngx_http_ilert_heard_clashes(&cpu, &none));
}


static void
test_learns(void)
{
    state_t      state;
    known_t     *known;
    ngx_str_t    topic;
    ngx_uint_t   i;

    static struct {
        const char  *known;
        const char  *task;
        const char  *state;
        const char  *topic;
        int          learns;
    } table[] = {
        { "",    "",    "C5", "ops", 0 },
        { "C5a", "",    "C5", "ops", 1 },
        { "O5a", "",    "O5", "ops", 1 },
        { "C5a", "",    "W5", "ops", 0 },
        { "C5a", "",    "C6", "ops", 0 },
        { "C5a", "",    "C4", "ops", 0 },
        { "C-a", "",    "C4", "ops", 0 },

        /* of what is ignored, and stays so, the first time is remembered */

        { "C5i", "",    "C5", "ops", 1 },
        { "C5i", "",    "C6", "ops", 1 },
        { "C5i", "",    "C4", "ops", 0 },
        { "C5i", "",    "O6", "ops", 0 },

        /* the topic of a task is that task's */

        { "C5a", "",    "C5", "main:cpu:alert2", 1 },
        { "C5a", "cpu", "C5", "main:cpu:alert2", 1 },
        { "C5a", "cpu", "C5", "main:mem:alert2", 0 },
        { "C5a", "cpu", "C5", "main:cpu2:alert2", 0 },
        { "C5a", "cp",  "C5", "main:cpu:alert2", 0 },
        { "C5a", "cpu", "C5", "main:cpu", 0 },
        { "C5a", "cpu", "C5", "main:", 0 },
        { "C5a", "cpu", "C5", "main", 1 },
        { "C5a", "cpu", "C5", "ops", 1 },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        known = known_by(table[i].known);

        memset(&state, 0, sizeof(state_t));
        state.level = level_of(table[i].state);
        state.time = time_of(table[i].state);

        topic.data = (u_char *) table[i].topic;
        topic.len = strlen(table[i].topic);

        if (known) {
            known->task.data = (u_char *) table[i].task;
            known->task.len = strlen(table[i].task);
        }

        check_int_at(__FILE__, __LINE__, table[i].topic,
                     ngx_http_ilert_heard_learns(known, &state, &topic, 0),
                     table[i].learns);
        check(!ngx_http_ilert_heard_learns(known, &state, &topic, 1));
    }
}


static void
test_look(void)
{
    int                         n;
    char                        what[64];
    state_t                     state;
    known_t                    *known;
    ngx_uint_t                  i;
    ngx_http_ilert_heard_at_t   at;

    /*
     * What is remembered, the state, and the answer: A, N, or D; of a topic
     * that takes part, of one that does not, and if the id is another one's.
     */

    static const char  *table[][3] = {

        /* nothing: 2 may have been forgotten, the database is of 4 */

        { "",     "C1", "NNN" },
        { "",     "C2", "NNN" },
        { "",     "C3", "DND" },
        { "",     "I5", "DND" },
        { "",     "O1", "DND" },
        { "",     "O3", "DND" },
        { "",     "O4", "NNN" },
        { "",     "O5", "NNN" },

        /* it is what was heard last */

        { "C5a",  "C5", "AAA" },
        { "O5a",  "O5", "AAA" },
        { "C5i",  "C5", "AAA" },
        { "C5i",  "C4", "AAA" },
        { "C5i",  "C6", "AAA" },
        { "C-a",  "C6", "AAA" },

        /* it is older */

        { "C5a",  "C4", "NNN" },
        { "C5a",  "O4", "NNN" },
        { "O5a",  "C4", "NNN" },
        { "O5a",  "O4", "NNN" },
        { "C5i",  "W4", "NNN" },

        /* it is newer */

        { "C5a",  "C6", "DNN" },
        { "C5a",  "W6", "DNN" },
        { "C5a",  "O6", "DNN" },
        { "O5a",  "C6", "DNN" },
        { "O5a",  "O6", "NNN" },
        { "C5i",  "W6", "DNN" },
        { "C5i",  "O6", "NNN" },
        { "C5ia", "O6", "DNN" },
        { "O5i",  "W6", "DNN" },
        { "C-a",  "W6", "DNN" },
        { "C-a",  "O6", "DNN" },

        /* another level at the same time */

        { "C5a",  "W5", "DNN" },
        { "C5a",  "O5", "DNN" },
        { "O5a",  "C5", "DNN" },
        { "C5i",  "O5", "NNN" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        for (n = 0; n < 3; n++) {
            known = known_by(table[i][0]);

            memset(&state, 0, sizeof(state_t));
            state.level = level_of(table[i][1]);
            state.time = time_of(table[i][1]);

            memset(&at, 0, sizeof(at));
            at.resolved = 1;
            at.learned = (n != 1);
            at.foreign = (n == 2);
            at.yielded = NS(2);
            at.made = MS(4);
            at.now = MS(9);

            sprintf(what, "%s after \"%s\", %d", table[i][1], table[i][0], n);
            check_int_at(__FILE__, __LINE__, what,
                         "AND"[ngx_http_ilert_heard_look(known, &state, &at)],
                         table[i][2][n]);
        }
    }

    /* an OK after an OK, when it is not known what ilert shows */

    memset(&state, 0, sizeof(state_t));
    state.time = NS(6);
    at.foreign = 0;
    at.learned = 1;
    at.resolved = 0;
    check_int(ngx_http_ilert_heard_look(known_by("O5a"), &state, &at),
              NGX_HTTP_ILERT_STORE_DIFFERS);
    check_int(ngx_http_ilert_heard_look(known_by("O5"), &state, &at),
              NGX_HTTP_ILERT_STORE_NO_MATTER);
    check_int(ngx_http_ilert_heard_look(known_by("O6a"), &state, &at),
              NGX_HTTP_ILERT_STORE_AGREES);
    at.resolved = 1;

    /* an id of which there is no record, however often it is heard */

    memset(&state, 0, sizeof(state_t));
    state.time = NS(5);
    state.level = level_of("C");
    state.id.len = NGX_HTTP_ILERT_STORE_TEXT;
    at.foreign = 0;
    at.learned = 1;
    check_int(ngx_http_ilert_heard_look(NULL, &state, &at),
              NGX_HTTP_ILERT_STORE_DIFFERS);
    state.id.len++;
    check_int(ngx_http_ilert_heard_look(NULL, &state, &at),
              NGX_HTTP_ILERT_STORE_NO_MATTER);

    /* an OK, when the database is no longer new, or not this release's */

    memset(&state, 0, sizeof(state_t));
    state.time = NS(1);
    at.foreign = 0;
    at.now = at.made + 7 * DAY - 1;
    check_int(ngx_http_ilert_heard_look(NULL, &state, &at),
              NGX_HTTP_ILERT_STORE_DIFFERS);
    at.now++;
    check_int(ngx_http_ilert_heard_look(NULL, &state, &at),
              NGX_HTTP_ILERT_STORE_NO_MATTER);
    at.made = 0;
    at.now = MS(4);
    check_int(ngx_http_ilert_heard_look(NULL, &state, &at),
              NGX_HTTP_ILERT_STORE_NO_MATTER);
}


static void
test_open(void)
{
    check(ngx_http_ilert_heard_is_open(known_by("C5a")));
    check(ngx_http_ilert_heard_is_open(known_by("I5")));
    check(ngx_http_ilert_heard_is_open(known_by("C5ia")));
    check(!ngx_http_ilert_heard_is_open(known_by("C5i")));
    check(!ngx_http_ilert_heard_is_open(known_by("O5a")));
}


static void
test_earlier(void)
{
    ngx_uint_t  i;

    /* when it was opened, the database was made, the first look was; ms */

    static const int  table[][4] = {
        { 5, 0, 0, 1 },
        { 5, 0, 5, 1 },
        { 5, 0, 4, 0 },
        { 0, 0, 5, 0 },
        { 5, 3, 0, 0 },
        { 5, 3, 9, 0 },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        check_int((int) ngx_http_ilert_heard_is_earlier(table[i][0],
                      table[i][1], (int64_t) table[i][2] * 1000000),
                  table[i][3]);
    }
}


static void
test_holds(void)
{
    int          n;
    char         what[64];
    topic_t      topic;
    known_t     *known;
    ngx_uint_t   i;
    kapacitor_t  kapacitors[2];

    /*
     * The record, with "o" for over; its topic, none, there, or gone; and
     * whether it is held if all are up, another one is down, its own is down.
     */

    static const char  *table[][3] = {
        { "C5a",  "-", "001" },
        { "C5a",  "t", "111" },
        { "C5a",  "g", "001" },
        { "C5ao", "t", "001" },
        { "C5i",  "t", "111" },
        { "O5a",  "-", "000" },
        { "O5a",  "t", "000" },
        { "O5a",  "g", "000" },
    };

    memset(kapacitors, 0, sizeof(kapacitors));
    ngx_str_set(&kapacitors[0].place, "/other");
    ngx_str_set(&kapacitors[1].place, "/kapacitor");

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        for (n = 0; n < 3; n++) {
            known = known_by(table[i][0]);
            known->over = (strchr(table[i][0], 'o') != NULL);
            ngx_str_set(&known->place, "/kapacitor");

            memset(&topic, 0, sizeof(topic_t));
            topic.gone = (table[i][1][0] == 'g') ? NOW : 0;

            kapacitors[0].up = (n != 1);
            kapacitors[1].up = (n != 2);

            sprintf(what, "%s of %s, %d", table[i][0], table[i][1], n);
            check_int_at(__FILE__, __LINE__, what,
                         ngx_http_ilert_heard_holds(known,
                                      table[i][1][0] == '-' ? NULL : &topic,
                                      kapacitors, 2),
                         table[i][2][n] - '0');
        }
    }

    known = known_by("C5a");
    check(!ngx_http_ilert_heard_holds(known, NULL, NULL, 0));
}


static void
test_goes(void)
{
    check(!ngx_http_ilert_heard_goes(known_by("O5"), 10, 20, NOW + 10));
    check(ngx_http_ilert_heard_goes(known_by("O5"), 10, 20, NOW + 11));
    check(!ngx_http_ilert_heard_goes(known_by("W5"), 10, 20, NOW + 20));
    check(ngx_http_ilert_heard_goes(known_by("W5"), 10, 20, NOW + 21));
    check(!ngx_http_ilert_heard_goes(known_by("W5"), 10, 20, NOW - 100));
}


test_case_t  heard_rule_cases[] = {
    { "what a webhook is after others", test_news },
    { "what a repair is after others", test_repairs },
    { "what is remembered", test_remember },
    { "the last digests", test_digests },
    { "whether tasks clash", test_clashes },
    { "whether a topic is learned", test_learns },
    { "what a state is", test_look },
    { "whether an id is open", test_open },
    { "whether Kapacitor holds an alert", test_holds },
    { "whether an earlier release opened an alert", test_earlier },
    { "what is heard long ago", test_goes },
    { NULL, NULL }
};
