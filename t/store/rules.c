
/* the rules themselves, which know neither a store nor a clock */


#include "store_test.h"


#define GO        NGX_HTTP_ILERT_GO
#define HOLD      NGX_HTTP_ILERT_HOLD
#define DROP      NGX_HTTP_ILERT_DROP

#define REPEAT    (300 * SECOND)
#define LEVELS    "OIWC"


typedef ngx_http_ilert_said_t   said_t;
typedef ngx_http_ilert_shown_t  shown_t;


/*
 * What is shown or said, in short: an ALERT is the first letter of its level
 * (O, I, W, C), R is a RESOLVE, A an ACCEPT, M a COMMENT; "-" and "+" are the
 * priorities LOW and HIGH, "=" is what was found to be a repeat; a digit is
 * the message of an ALERT that nothing will resolve, and "a" to "e" are the
 * severities from 1 to 5.  Nothing is known of "?", others may have told of
 * "*", and "R" is resolved.
 */

static said_t
said_by(const char *s)
{
    said_t       said;
    const char  *level;

    memset(&said, 0, sizeof(said_t));

    level = strchr(LEVELS, *s);

    if (level) {
        said.type = ALERT;
        said.level = level - LEVELS;

    } else {
        said.type = (*s == 'R') ? RESOLVE : (*s == 'A') ? ACCEPT : COMMENT;
    }

    while (*++s) {
        if (*s == '=') {
            said.repeat = 1;

        } else if (*s >= '1' && *s <= '9') {
            said.message = *s - '0';

        } else if (*s >= 'a' && *s <= 'e') {
            said.severity = *s - 'a' + 1;

        } else {
            said.priority = (*s == '-') ? NGX_HTTP_ILERT_LOW
                                        : NGX_HTTP_ILERT_HIGH;
        }
    }

    said.received = NOW;

    return said;
}


static shown_t
shown_by(const char *s)
{
    said_t   said;
    shown_t  shown;

    memset(&shown, 0, sizeof(shown_t));

    if (*s == '?' || *s == '*') {
        shown.shows = (*s == '?') ? NGX_HTTP_ILERT_SHOWS_UNKNOWN
                                  : NGX_HTTP_ILERT_SHOWS_ANYTHING;
        return shown;
    }

    said = said_by(s);

    shown.shows = (said.type == ALERT) ? NGX_HTTP_ILERT_SHOWS_OPEN
                                       : NGX_HTTP_ILERT_SHOWS_RESOLVED;
    shown.level = said.level;
    shown.priority = said.priority;
    shown.severity = said.severity;
    shown.lowered = (said.type == ALERT
                     && said.priority == NGX_HTTP_ILERT_LOW);
    shown.told = NOW;
    shown.message = said.message;

    return shown;
}


static ngx_http_ilert_policy_t
policy_of(ngx_uint_t coalesce)
{
    ngx_http_ilert_policy_t  policy;

    memset(&policy, 0, sizeof(policy));

    policy.coalesce = coalesce;
    policy.repeat = REPEAT;

    return policy;
}


/*
 * A row for each that may be shown, a digit for each ALERT: levels from OK to
 * CRITICAL, of no priority, LOW, and HIGH.
 */

static void
test_urgency(void)
{
    char         shown_text[4], said_text[4], what[32];
    said_t       said;
    shown_t      shown;
    ngx_uint_t   i, n, level, priority;
    const char  *wanted;

    static const char  *table[][2] = {

        /* it is not open: what it was does not matter */

        { "?",  "220 220 220 020" },
        { "*",  "220 220 220 020" },
        { "R",  "220 220 220 020" },
        { "R+", "220 220 220 020" },

        /* raised to CRITICAL, to HIGH, or neither */

        { "O",  "330 330 330 030" },
        { "O-", "330 330 330 030" },
        { "O+", "333 333 333 030" },
        { "I",  "330 330 330 030" },
        { "I-", "330 330 330 030" },
        { "I+", "333 333 333 030" },
        { "W",  "330 330 330 030" },
        { "W-", "330 330 330 030" },
        { "W+", "333 333 333 030" },

        /* it is CRITICAL, but that of LOW has woken nobody */

        { "C",  "330 330 330 330" },
        { "C-", "330 330 330 030" },
        { "C+", "333 333 333 333" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        sqlite3_snprintf(sizeof(shown_text), shown_text, "%s", table[i][0]);
        shown = shown_by(shown_text);
        wanted = table[i][1];

        for (n = 0; n < 12; n++) {
            level = n / 3;
            priority = n % 3;

            sqlite3_snprintf(sizeof(said_text), said_text, "%c%s",
                             LEVELS[level], priority == 0 ? ""
                                            : priority == 1 ? "-" : "+");
            said = said_by(said_text);

            sqlite3_snprintf(sizeof(what), what, "%s after %s", said_text,
                             shown_text);
            check_int_at(__FILE__, __LINE__, what,
                         ngx_http_ilert_rules_urgency(&shown, &said),
                         wanted[n + level] - '0');
        }

        /* whatever else they are */

        for (n = 0; n < 12; n++) {
            said = said_by("R");
            said.level = n / 3;
            said.priority = n % 3;
            check_int(ngx_http_ilert_rules_urgency(&shown, &said), 1);

            said.type = ACCEPT;
            check_int(ngx_http_ilert_rules_urgency(&shown, &said), 3);

            said.type = COMMENT;
            check_int(ngx_http_ilert_rules_urgency(&shown, &said), 3);
        }
    }
}


static void
test_told(void)
{
    said_t       said;
    shown_t      shown, was;
    ngx_uint_t   i, n;

    static const char  *shows[] = { "?", "*", "R", "W", "C+", "C1" };
    static const char  *says[] = { "I", "W-", "C", "C+", "C=", "C2", "W1=",
                                   "Ca", "I-e" };

    for (i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {

        for (n = 0; n < sizeof(says) / sizeof(says[0]); n++) {
            shown = shown_by(shows[i]);
            said = said_by(says[n]);
            ngx_http_ilert_rules_told(&shown, &said, NOW + 5);

            check_int(shown.shows, NGX_HTTP_ILERT_SHOWS_OPEN);
            check_int(shown.level, said.level);
            check_int(shown.priority, said.priority);
            check_int(shown.severity, said.severity);
            check_int(shown.message, said.message);
            check_int(shown.told, NOW + 5);
        }

        shown = shown_by(shows[i]);
        said = said_by("R-");
        ngx_http_ilert_rules_told(&shown, &said, NOW + 5);

        check_int(shown.shows, NGX_HTTP_ILERT_SHOWS_RESOLVED);
        check_int(shown.level, NGX_HTTP_ILERT_OK);
        check_int(shown.priority, NGX_HTTP_ILERT_LOW);
        check_int(shown.severity, 0);
        check_int(shown.message, 0);
        check_int(shown.told, NOW + 5);

        /* these say nothing of what is open */

        for (n = 0; n < 2; n++) {
            shown = was = shown_by(shows[i]);
            said = said_by(n ? "A+" : "M+");
            ngx_http_ilert_rules_told(&shown, &said, NOW + 5);
            check(memcmp(&shown, &was, sizeof(shown_t)) == 0);
        }
    }
}


/* by "off", "repeats", and "latest" */

static void
test_replaces(void)
{
    char                      what[48];
    said_t                    waits, said;
    ngx_uint_t                i, n;
    ngx_http_ilert_policy_t   policy;

    static const struct {
        const char  *waits;
        const char  *said;
        const char  *wanted;
    } table[] = {

        /* says the same */

        { "C",  "C",  "011" },
        { "W-", "W-", "011" },
        { "I+", "I+", "011" },
        { "R",  "R",  "011" },
        { "R-", "R+", "011" },

        /* another level, or priority */

        { "C",  "W",  "001" },
        { "W",  "C",  "001" },
        { "I",  "O",  "001" },
        { "C",  "C+", "001" },
        { "C-", "C",  "001" },
        { "C+", "C-", "001" },

        /* another type */

        { "C",  "R",  "001" },
        { "R",  "C",  "001" },
        { "O",  "R",  "001" },
        { "R",  "O",  "001" },

        /* a repeat that has been held: all that is newer is better */

        { "C=", "C",  "011" },
        { "C=", "C+", "011" },
        { "C=", "W",  "011" },
        { "W=", "C",  "011" },
        { "C=", "R",  "011" },

        /* neither is one of these nor goes over one */

        { "A",  "A",  "000" },
        { "M",  "M",  "000" },
        { "A",  "C",  "000" },
        { "M",  "R",  "000" },
        { "C",  "A",  "000" },
        { "R",  "M",  "000" },
        { "C=", "M",  "000" },
        { "C=", "A",  "000" },

        /* of what nothing will resolve, only the same is told but once */

        { "C1",  "C1",  "011" },
        { "C1+", "C1+", "011" },
        { "C1",  "C2",  "000" },
        { "C1",  "W1",  "000" },
        { "C1",  "C1+", "000" },
        { "C1",  "C",   "000" },
        { "C1",  "R",   "000" },
        { "C1",  "M",   "000" },
        { "C1=", "C1",  "011" },
        { "C1=", "C2",  "011" },
        { "C1=", "R",   "011" },
        { "C",   "C1",  "001" },
        { "C=",  "C1",  "011" },
        { "R",   "C1",  "001" },

        /* another severity is a change */

        { "Ca",  "Ca",  "011" },
        { "Ca",  "Cb",  "001" },
        { "C",   "Ca",  "001" },
        { "Ca=", "Cb",  "011" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        waits = said_by(table[i].waits);
        said = said_by(table[i].said);

        for (n = OFF; n <= LATEST; n++) {
            policy = policy_of(n);

            sqlite3_snprintf(sizeof(what), what, "%s for %s, %d",
                             table[i].said, table[i].waits, (int) n);
            check_int_at(__FILE__, __LINE__, what,
                         ngx_http_ilert_rules_replaces(&policy, &waits,
                                                       &said),
                         table[i].wanted[n] - '0');
        }
    }
}


/*
 * It goes (g), is held as a repeat (h), or by a delay (w), or is dropped (d),
 * by "off", "repeats", and "latest".
 */

static void
test_judge(void)
{
    char                      what[48], got;
    int64_t                   until;
    said_t                    said, next;
    shown_t                   shown;
    ngx_uint_t                i, n;
    ngx_http_ilert_policy_t   policy;

    static const struct {
        const char  *shown;
        const char  *said;
        const char  *next;
        const char  *wanted;
    } table[] = {

        /* nothing is known: all is said */

        { "?",  "C",  "",  "ggg" },
        { "?",  "O",  "",  "ggg" },
        { "?",  "R",  "",  "ggg" },
        { "?",  "C+", "",  "ggg" },
        { "*",  "C",  "",  "ggg" },
        { "*",  "R",  "",  "ggg" },

        /*
         * a repeat again, if it may have been sent; not if the alert may be
         * over by others, for it would open it
         */

        { "?",  "C=", "",  "ggg" },
        { "*",  "C=", "",  "gdd" },
        { "R",  "C=", "",  "gdd" },

        /* what is resolved is not resolved, but it is opened */

        { "R",  "R",  "",  "gdd" },
        { "R",  "R+", "",  "gdd" },
        { "R+", "R",  "",  "gdd" },
        { "R",  "O",  "",  "ggg" },
        { "R",  "W",  "",  "ggg" },

        /* what is open is resolved, and each change is said */

        { "C",  "R",  "",  "ggg" },
        { "O",  "R",  "",  "ggg" },
        { "C",  "W",  "",  "ggg" },
        { "W",  "C",  "",  "ggg" },
        { "I",  "O",  "",  "ggg" },
        { "C",  "C+", "",  "ggg" },
        { "C+", "C",  "",  "ggg" },
        { "C",  "C-", "",  "ggg" },
        { "W",  "C=", "",  "ggg" },

        /* what is the same waits for its time, if nothing waits for it */

        { "C",  "C",  "",  "ghh" },
        { "C",  "C=", "",  "ghh" },
        { "W-", "W-", "",  "ghh" },
        { "O+", "O+", "",  "ghh" },
        { "C",  "C",  "M", "gdd" },
        { "C",  "C",  "A", "gdd" },
        { "C",  "C",  "W", "gdd" },
        { "C",  "C=", "R", "gdd" },

        /* of states only the last one is of interest to "latest" */

        { "?",  "C",  "R", "ggd" },
        { "*",  "C",  "R", "ggd" },
        { "?",  "R",  "C", "ggd" },
        { "R",  "W",  "C", "ggd" },
        { "W",  "C",  "W", "ggd" },
        { "C",  "R",  "C", "ggd" },
        { "R",  "R",  "C", "gdd" },

        /* over these nothing is merged */

        { "?",  "C",  "M", "ggg" },
        { "?",  "R",  "A", "ggg" },
        { "W",  "C",  "M", "ggg" },
        { "R",  "R",  "M", "gdd" },

        /* of what nothing will resolve, each message is news */

        { "?",   "C1",  "",   "ggg" },
        { "R",   "C1",  "",   "ggg" },
        { "C",   "C1",  "",   "ggg" },
        { "C2",  "C1",  "",   "ggg" },
        { "C2",  "C1=", "",   "ggg" },
        { "C1",  "W1",  "",   "ggg" },
        { "C1+", "C1",  "",   "ggg" },
        { "C1",  "C1",  "",   "ghh" },
        { "C1",  "C1=", "",   "ghh" },
        { "C1",  "C",   "",   "ghh" },
        { "R",   "C1=", "",   "gdd" },
        { "?",   "C1",  "C2", "ggg" },
        { "?",   "C1",  "R",  "ggg" },
        { "C2",  "C1",  "C3", "ggg" },
        { "C2",  "C1",  "R",  "ggg" },
        { "C1",  "C1",  "C2", "gdd" },
        { "C1",  "R",   "C1", "ggd" },
        { "C",   "W",   "C1", "ggd" },

        /* another severity is a change */

        { "Ca",  "Ca",  "",   "ghh" },
        { "Ca",  "Cb",  "",   "ggg" },
        { "Ca",  "C",   "",   "ggg" },
        { "C",   "Cb=", "",   "ggg" },
        { "R",   "Ca",  "",   "ggg" },

        { "?",  "A",  "",  "ggg" },
        { "R",  "A",  "R", "ggg" },
        { "C",  "M",  "C", "ggg" },
        { "C",  "M",  "M", "ggg" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        shown = shown_by(table[i].shown);
        next.type = 0;

        if (table[i].next[0]) {
            next = said_by(table[i].next);
        }

        for (n = OFF; n <= LATEST; n++) {
            policy = policy_of(n);
            said = said_by(table[i].said);
            until = 0;

            got = "ghwd"[ngx_http_ilert_rules_judge(&policy, &shown, &said,
                                                   next.type, NOW + 1,
                                                   &until)];

            sqlite3_snprintf(sizeof(what), what, "%s after %s, then \"%s\", "
                             "%d: %c", table[i].said, table[i].shown,
                             table[i].next, (int) n, got);

            if (got != table[i].wanted[n]) {
                fail_at(__FILE__, __LINE__, "judged", what);
            }

            if (got == 'h' && (until != NOW + REPEAT || !said.repeat)) {
                fail_at(__FILE__, __LINE__, "until", what);
            }

            /* of another level it is none */

            if (n != OFF && got == 'g'
                && shown.shows == NGX_HTTP_ILERT_SHOWS_OPEN)
            {
                check(!said.repeat);
            }
        }
    }
}


/* a repeat that ilert was told at NOW, and that was received then */

static ngx_uint_t
judge_at(int64_t now, int64_t told, int64_t received, int64_t resolve_after,
    int64_t *until)
{
    said_t                    said;
    shown_t                   shown;
    ngx_uint_t                n;
    ngx_http_ilert_policy_t   policy;

    policy = policy_of(REPEATS);
    policy.resolve_after = resolve_after;

    shown = shown_by("C");
    shown.told = told;

    said = said_by("C");
    said.received = received;

    *until = 0;

    n = ngx_http_ilert_rules_judge(&policy, &shown, &said, 0, now, until);

    /* whether it is time or not */

    check(said.repeat);

    return n;
}


static void
test_judge_time(void)
{
    int64_t  until;

    check_int(judge_at(NOW, NOW, NOW, 0, &until), HOLD);
    check_int(until, NOW + REPEAT);
    check_int(judge_at(NOW + REPEAT - 1, NOW, NOW, 0, &until), HOLD);
    check_int(until, NOW + REPEAT);
    check_int(judge_at(NOW + REPEAT, NOW, NOW, 0, &until), GO);
    check_int(judge_at(NOW + DAY, NOW, NOW, 0, &until), GO);

    /* a clock that was set back: a stamp of the future is now */

    check_int(judge_at(NOW, NOW + DAY, NOW + DAY, 0, &until), HOLD);
    check_int(until, NOW + REPEAT);

    /* ended by "resolve_after", which is not to wait for it */

    check_int(judge_at(NOW + 50, NOW, NOW + 40, 2 * REPEAT, &until), HOLD);
    check_int(until, NOW + REPEAT);
    check_int(judge_at(NOW + 50, NOW, NOW + 40, 100, &until), HOLD);
    check_int(until, NOW + 140);
    check_int(judge_at(NOW + 139, NOW, NOW + 40, 100, &until), HOLD);
    check_int(until, NOW + 140);
    check_int(judge_at(NOW + 140, NOW, NOW + 40, 100, &until), DROP);
    check_int(judge_at(NOW + DAY, NOW, NOW + 40, 100, &until), DROP);
    check_int(judge_at(NOW, NOW, NOW + DAY, 100, &until), HOLD);
    check_int(until, NOW + 100);
}


/* at "now" of what waits since NOW; and when its place there began */

static ngx_uint_t
turn_of(ngx_uint_t urgency, int64_t window, int64_t now, int64_t *place)
{
    int64_t     since;
    ngx_uint_t  turn;

    since = NOW;
    turn = ngx_http_ilert_rules_turn(urgency, 0, &since, window, now);
    *place = since - NOW;

    return turn;
}


static void
test_turn(void)
{
    int64_t     place;
    ngx_uint_t  u, t;

    for (u = 0; u < NGX_HTTP_ILERT_REPEATS; u++) {
        t = u ? NGX_HTTP_ILERT_TURN_LESSER + u : NGX_HTTP_ILERT_TURN_CRITICAL;

        check_int(turn_of(u, 60000, NOW, &place), t);
        check_int(turn_of(u, 60000, NOW + 300000, &place), t);
        check_int(place, 0);
        check_int(turn_of(u, 1000, NOW + 5000, &place), t);
        check_int(turn_of(u, 60000, NOW - DAY, &place), t);
        check_int(place, 0);

        /* aged: before all lesser ones, but after all that is urgent */

        t = u ? NGX_HTTP_ILERT_TURN_AGED : NGX_HTTP_ILERT_TURN_CRITICAL;

        check_int(turn_of(u, 60000, NOW + 300001, &place), t);
        check_int(place, u ? 300000 : 0);
        check_int(turn_of(u, 60000, NOW + DAY, &place), t);
        check_int(place, u ? 300000 : 0);
        check_int(turn_of(u, 1000, NOW + 5001, &place), t);
        check_int(place, u ? 5000 : 0);

        /* an event of a digest goes before all others */

        place = NOW;
        check_int(ngx_http_ilert_rules_turn(u, 1, &place, 60000, NOW + DAY),
                  NGX_HTTP_ILERT_TURN_DIGEST);
        check_int(place, NOW);
    }

    /* a repeat is no news: an update, however long it waits */

    u = NGX_HTTP_ILERT_REPEATS;
    t = NGX_HTTP_ILERT_TURN_LESSER + NGX_HTTP_ILERT_UPDATES;

    check_int(turn_of(u, 60000, NOW, &place), t);
    check_int(turn_of(u, 60000, NOW + DAY, &place), t);
    check_int(place, 0);

    check(NGX_HTTP_ILERT_TURN_DIGEST < NGX_HTTP_ILERT_TURN_CRITICAL);
    check(NGX_HTTP_ILERT_TURN_CRITICAL < NGX_HTTP_ILERT_TURN_AGED);
    check(NGX_HTTP_ILERT_TURN_AGED
          < NGX_HTTP_ILERT_TURN_LESSER + NGX_HTTP_ILERT_RESOLVES);
}


/* how many requests each kind leaves free */

static void
test_leaves(void)
{
    ngx_uint_t  i;

    static struct {
        ngx_uint_t  rate, reserve, kept;
        ngx_uint_t  all, member, lesser, repeat;
    } cases[] = {
        { 50, 5, 0, 0, 0, 5, 25 },
        { 50, 0, 0, 0, 0, 0, 25 },
        { 50, 40, 0, 0, 0, 40, 40 },
        { 50, 49, 0, 0, 0, 49, 49 },

        /* an open digest: there are no repeats */

        { 50, 5, 10, 0, 10, 10, 50 },
        { 50, 20, 10, 0, 10, 20, 50 },
        { 5, 1, 2, 0, 2, 2, 5 },

        /* half, rounded up, is left for news, unless that were all */

        { 3, 1, 0, 0, 0, 1, 1 },
        { 2, 1, 0, 0, 0, 1, 1 },
        { 1, 0, 0, 0, 0, 0, 0 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_int(ngx_http_ilert_rules_leaves(NGX_HTTP_ILERT_SPENDS_ALL,
                                              cases[i].rate, cases[i].reserve,
                                              cases[i].kept), cases[i].all);
        check_int(ngx_http_ilert_rules_leaves(NGX_HTTP_ILERT_SPENDS_MEMBER,
                                              cases[i].rate, cases[i].reserve,
                                              cases[i].kept), cases[i].member);
        check_int(ngx_http_ilert_rules_leaves(NGX_HTTP_ILERT_SPENDS_LESSER,
                                              cases[i].rate, cases[i].reserve,
                                              cases[i].kept), cases[i].lesser);
        check_int(ngx_http_ilert_rules_leaves(NGX_HTTP_ILERT_SPENDS_REPEAT,
                                              cases[i].rate, cases[i].reserve,
                                              cases[i].kept), cases[i].repeat);
    }
}


/* when the next one goes: "next" and "last" count from NOW, in ms */

static void
test_spread(void)
{
    int64_t     at;
    ngx_uint_t  i;

    static struct {
        ngx_uint_t  left, leaves, rate;
        int64_t     window, next, last, at;
    } cases[] = {

        /* up to half of it at once */

        { 50, 5, 50, 60000, 60000, 0, -NOW },
        { 26, 5, 50, 60000, 60000, 0, -NOW },

        /* 20 over a minute: 21 gaps, the last of which ends with "next" */

        { 25, 5, 50, 60000, 60000, 0, 2858 },
        { 24, 5, 50, 60000, 60000, 2858, 2858 + 2858 },
        { 6, 5, 50, 60000, 60000, 54286, 57143 },

        /* one soon: but not faster than the rate allows */

        { 25, 5, 50, 60000, 10000, 0, 1334 },
        { 25, 5, 50, 60000, 1000, 0, 1000 },
        { 25, 5, 50, 60000, 30000, 20000, 20000 + 1334 },

        /* none for long: it may go at once */

        { 25, 5, 50, 60000, 10000, -50000, -50000 + 2858 },
        { 25, 0, 50, 60000, 60000, -NOW, -NOW + (NOW + 60000 + 25) / 26 },

        /* other rates, and what is kept for a digest */

        { 25, 10, 50, 60000, 60000, 0, 3750 },
        { 350, 70, 700, 60000, 60000, 0, 214 },
        { 350, 70, 700, 60000, 6000, 0, 96 },
        { 5, 1, 10, 1000, 1000, 0, 200 },
        { 5, 1, 10, 1000, 500, 0, 112 },
        { 2, 1, 4, 1000, 900, 0, 450 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        at = ngx_http_ilert_rules_spread(cases[i].left, cases[i].leaves,
                                         cases[i].rate, cases[i].window,
                                         NOW + cases[i].next,
                                         NOW + cases[i].last);
        check_int(at - NOW, cases[i].at);
    }
}


/*
 * So many wait, and nothing else is sent: how long it takes, and that no
 * window has more than they may use, whatever the rate and the reserve are.
 */

static void
test_spread_all(void)
{
    int64_t     now, next, last, at[200];
    ngx_uint_t  rate, reserve, n, first, left;

    for (rate = 2; rate <= 60; rate++) {
        for (reserve = 0; reserve < rate; reserve += 3) {

            first = 0;
            last = 0;
            now = NOW;

            for (n = 0; n < 2 * rate; /* void */ ) {

                while (first < n && at[first] + 60000 <= now) {
                    first++;
                }

                left = rate - (n - first);

                if (left <= reserve) {
                    now = at[n + reserve - rate] + 60000;
                    continue;
                }

                next = (first < n) ? at[first] + 60000 : now + 60000;
                next = ngx_http_ilert_rules_spread(left, reserve, rate, 60000,
                                                   next, last);

                if (next <= now) {
                    last = now;
                    at[n++] = now;
                    continue;
                }

                /* never later than the next slot, and so never for ever */

                check(next <= at[first] + 60000);
                now = next;
            }

            /* the first ones go at once, and no window is left unused */

            check(at[ngx_min(rate - rate / 2, rate - reserve) - 1] == NOW);
            check(now < NOW + (int64_t) (1 + (2 * rate - 1) / (rate - reserve))
                              * 60000);

            for (n = rate - reserve; n < 2 * rate; n++) {
                check(at[n] >= at[n + reserve - rate] + 60000);
            }
        }
    }
}


static void
test_limited(void)
{
    check_int(ngx_http_ilert_rules_limited(0, 60000), 10000);
    check_int(ngx_http_ilert_rules_limited(1, 60000), 20000);
    check_int(ngx_http_ilert_rules_limited(2, 60000), 30000);
    check_int(ngx_http_ilert_rules_limited(3, 60000), 30000);
    check_int(ngx_http_ilert_rules_limited(1000000, 60000), 30000);

    check_int(ngx_http_ilert_rules_limited(0, 1000), 166);
    check_int(ngx_http_ilert_rules_limited(1, 1000), 332);
    check_int(ngx_http_ilert_rules_limited(100, 1000), 500);
}


/*
 * A line of what comes: a letter for an event of that alert that is refused,
 * in upper case if it had been refused with all of its source, and "+" for one
 * that is taken; and what becomes of them: "d" a dead letter, "k" it is kept,
 * "." nothing of these.
 */

static void
test_refused(void)
{
    int                         i, k, again;
    char                        said[32];
    ngx_http_ilert_refusals_t   refusals;

    static struct {
        const char  *comes;
        const char  *becomes;
    } cases[] = {
        { "a", "d" },
        { "abcd", "dddd" },
        { "abcde", "ddddk" },
        { "abcdef", "ddddkk" },
        { "abcdeabA", "ddddkkkk" },

        /* a single alert is at fault, or a few are */

        { "aaaaaaaaaa", "dddddddddd" },
        { "abcdabcdabcd", "dddddddddddd" },
        { "abcdabcdabcde", "ddddddddddddk" },

        /* one that is taken shows that not everything is refused */

        { "abcd+e", "dddd.d" },
        { "a+b+c+d+e+f", "d.d.d.d.d.d" },
        { "abcd+abcde", "dddd.ddddk" },
        { "+abcde", ".ddddk" },

        /* also when all had been: what is refused again is at fault */

        { "abcde+A", "ddddk.d" },
        { "abcde+ABCDE", "ddddk.ddddd" },
        { "abcdef+ABCDEFghij", "ddddkk.dddddddddd" },
        { "abcde+ABCDEfghij", "ddddk.dddddddddk" },
        { "abcde+AfghijB", "ddddk.dddddkk" },
        { "abcde++f", "ddddk..d" }
    };

    for (i = 0; i < (int) (sizeof(cases) / sizeof(cases[0])); i++) {

        memset(&refusals, 0, sizeof(refusals));

        for (k = 0; cases[i].comes[k]; k++) {

            if (cases[i].comes[k] == '+') {
                check_int(ngx_http_ilert_rules_taken(&refusals),
                          k && cases[i].comes[k - 1] != '+'
                          && cases[i].becomes[k - 1] != '.');
                check_int(refusals.n, 0);
                said[k] = '.';
                continue;
            }

            again = (cases[i].comes[k] < 'a');

            said[k] = ngx_http_ilert_rules_refused(&refusals,
                                                   cases[i].comes[k] | 32,
                                                   again)
                      ? 'd' : 'k';

            check_int(ngx_http_ilert_rules_refuses_all(&refusals),
                      said[k] == 'k');
            check(refusals.n <= NGX_HTTP_ILERT_REFUSALS);
        }

        said[k] = '\0';

        check_str(said, cases[i].becomes);
    }
}


/*
 * With "resolve_delay": a RESOLVE is held (w), by "off", "repeats", "latest".
 * In "said" an "f" is one that was freed, an "o" an operator's, an "s" one
 * after silence.
 */

#define DELAY  (120 * SECOND)


static said_t
delayed_by(const char *s)
{
    char    text[8], *p;
    said_t  said;

    strcpy(text, s);

    p = text + strcspn(text, "fos");
    *p = '\0';

    said = said_by(text);
    said.since = NOW;
    said.freed = (s[p - text] == 'f');
    said.own = (s[p - text] == 'o') ? NGX_HTTP_ILERT_OWN_ORDER
               : (s[p - text] == 's') ? NGX_HTTP_ILERT_OWN_SILENT : 0;

    return said;
}


static void
test_delay(void)
{
    char                      what[48], got;
    int64_t                   until;
    said_t                    said, next;
    shown_t                   shown;
    ngx_uint_t                i, n;
    ngx_http_ilert_policy_t   policy;

    static const struct {
        const char  *shown;
        const char  *said;
        const char  *next;
        const char  *wanted;
    } table[] = {

        /* whatever ilert may show */

        { "?",  "R",  "",  "www" },
        { "*",  "R",  "",  "www" },
        { "C",  "R",  "",  "www" },
        { "C",  "R",  "M", "www" },

        /* but for one that need not go, or must */

        { "R",  "R",  "",  "ddd" },
        { "C",  "Rf", "",  "ggg" },
        { "C",  "Ro", "",  "ggg" },
        { "R",  "Ro", "",  "ggg" },
        { "R",  "Ro", "R", "ggg" },
        { "C",  "Rs", "",  "ggg" },
        { "R",  "Rs", "",  "ddd" },

        /* what is over, or bad again, before it was sent */

        { "?",  "C",  "R", "ddd" },
        { "R",  "C",  "R", "ddd" },
        { "W",  "C",  "R", "ddd" },
        { "C",  "R",  "C", "ddd" },
        { "?",  "R",  "C", "ddd" },
        { "C",  "Rf", "C", "ggd" },
        { "C",  "Ro", "C", "ggg" },

        /* as without it */

        { "?",  "C",  "",  "ggg" },
        { "?",  "C",  "W", "ggd" },
        { "C",  "C",  "",  "ghh" },
        { "C",  "C",  "M", "gdd" },
        { "C",  "M",  "R", "ggg" },
        { "R",  "C",  "",  "ggg" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        shown = shown_by(table[i].shown);
        next.type = 0;

        if (table[i].next[0]) {
            next = said_by(table[i].next);
        }

        for (n = OFF; n <= LATEST; n++) {
            policy = policy_of(n);
            policy.resolve_delay = DELAY;
            said = delayed_by(table[i].said);
            until = 0;

            got = "ghwd"[ngx_http_ilert_rules_judge(&policy, &shown, &said,
                                                    next.type, NOW + 1,
                                                    &until)];

            sqlite3_snprintf(sizeof(what), what, "%s after %s, then \"%s\", "
                             "%d: %c", table[i].said, table[i].shown,
                             table[i].next, (int) n, got);

            if (got != table[i].wanted[n]) {
                fail_at(__FILE__, __LINE__, "judged", what);
            }

            if (got == 'w' && (until != NOW + DELAY || said.repeat)) {
                fail_at(__FILE__, __LINE__, "until", what);
            }
        }
    }
}


static void
test_delay_time(void)
{
    int64_t                   until;
    said_t                    said;
    shown_t                   shown;
    ngx_http_ilert_policy_t   policy;

    policy = policy_of(LATEST);
    policy.resolve_delay = DELAY;

    shown = shown_by("C");
    said = delayed_by("R");

    #define at(now)                                                           \
        ngx_http_ilert_rules_judge(&policy, &shown, &said, 0, now, &until)

    check_int(at(NOW), NGX_HTTP_ILERT_DELAY);
    check_int(at(NOW + DELAY - 1), NGX_HTTP_ILERT_DELAY);
    check_int(until, NOW + DELAY);
    check_int(at(NOW + DELAY), GO);
    check_int(at(NOW + DAY), GO);

    /* a stamp of the future is now */

    check_int(at(NOW - DAY), NGX_HTTP_ILERT_DELAY);
    check_int(until, NOW - DAY + DELAY);

    #undef at

    /* an operator's is not too old, whatever ilert shows */

    policy.max_age = 1;
    shown = shown_by("R");

    check(ngx_http_ilert_rules_expired(&policy, &shown, &said, NOW + DAY));

    said = delayed_by("Ro");

    check(!ngx_http_ilert_rules_expired(&policy, &shown, &said, NOW + DAY));
}


static void
test_delay_replaces(void)
{
    char                      what[48];
    said_t                    waits, said;
    ngx_uint_t                i, n;
    ngx_http_ilert_policy_t   policy;

    static const struct {
        const char  *waits;
        const char  *said;
        const char  *wanted;
    } table[] = {

        /* these cancel out */

        { "C",  "R",  "111" },
        { "R",  "C",  "111" },
        { "W-", "Rs", "111" },
        { "C",  "Ro", "111" },

        /* but not with one that is to go */

        { "Rf", "C",  "001" },
        { "Ro", "C",  "000" },
        { "Ro", "R",  "000" },
        { "Ro", "Ro", "111" },
        { "R",  "Ro", "011" },

        /* as without it */

        { "C",  "C",  "011" },
        { "C",  "W",  "001" },
        { "R",  "R",  "011" },
        { "M",  "R",  "000" },
        { "R",  "M",  "000" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        waits = delayed_by(table[i].waits);
        said = delayed_by(table[i].said);

        for (n = OFF; n <= LATEST; n++) {
            policy = policy_of(n);
            policy.resolve_delay = DELAY;

            sqlite3_snprintf(sizeof(what), what, "%s for %s, %d",
                             table[i].said, table[i].waits, (int) n);
            check_int_at(__FILE__, __LINE__, what,
                         ngx_http_ilert_rules_replaces(&policy, &waits,
                                                       &said),
                         table[i].wanted[n] - '0');
        }
    }

    /* traps are events of their own, nothing ends them */

    policy = policy_of(REPEATS);
    policy.resolve_delay = DELAY;
    waits = said_by("C");
    waits.message = 1;
    said = said_by("R");

    check(!ngx_http_ilert_rules_replaces(&policy, &waits, &said));
}


/*
 * Which ALERTs page only if the alert is opened again: a row for what ilert
 * was told, in turn, and a digit for each of "C C+ W+ C- W W- R".
 */

static void
test_raises(void)
{
    char         got[8], text[32], *p, *last;
    said_t       said;
    shown_t      shown;
    ngx_uint_t   i, n;

    static const char  *says[] = { "C", "C+", "W+", "C-", "W", "W-", "R" };

    static const char  *table[][2] = {

        { "",          "0000000" },
        { "W",         "0000000" },
        { "C",         "0000000" },
        { "W+",        "0000000" },
        { "W-",        "1110000" },
        { "C-",        "1110000" },
        { "I- W-",     "1110000" },

        /* whatever was told later */

        { "W- W",      "1110000" },
        { "C W-",      "0000000" },
        { "C+ W- W-",  "0000000" },
        { "W- C",      "0110000" },
        { "W- C+",     "0000000" },

        /* it is over, and opens again */

        { "W- R",      "0000000" },
        { "W- R C",    "0000000" },
        { "C R W-",    "1110000" },
        { "W- R C W-", "0000000" },

        /* if nobody knows, it may be open as LOW */

        { "W- ?",      "1110000" },
        { "W- ? W-",   "1110000" },
        { "W- ? W",    "1110000" },
        { "C ? W-",    "1110000" },
        { "C ?",       "0000000" },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        memset(&shown, 0, sizeof(shown));

        strcpy(text, table[i][0]);

        for (p = strtok_r(text, " ", &last); p;
             p = strtok_r(NULL, " ", &last))
        {
            if (*p == '?') {
                shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
                continue;
            }

            said = said_by(p);
            ngx_http_ilert_rules_told(&shown, &said, NOW);
        }

        for (n = 0; n < sizeof(says) / sizeof(says[0]); n++) {
            said = said_by(says[n]);
            got[n] = '0' + ngx_http_ilert_rules_raises(&shown, &said);
        }

        got[n] = '\0';

        if (strcmp(got, table[i][1]) != 0) {
            fail_at(__FILE__, __LINE__, table[i][0], got);
        }
    }

    /* of events of ours only a digest's */

    shown = shown_by("W-");
    said = said_by("C+");
    said.own = NGX_HTTP_ILERT_OWN_REOPEN;
    check(!ngx_http_ilert_rules_raises(&shown, &said));
    said.own = NGX_HTTP_ILERT_OWN_DIGEST;
    check(ngx_http_ilert_rules_raises(&shown, &said));
}


/* ilert was told nothing of an alert: doubted, began, now, in seconds */

static void
test_untold(void)
{
    char        what[48];
    ngx_uint_t  i;

    static const struct {
        int64_t     doubted;
        int64_t     began;
        int64_t     now;
        ngx_uint_t  wanted;
    } table[] = {
        { 1000, 1061, 1061, 1 },
        { 1000, 1061, 9000, 1 },
        { 1000, 1060, 9000, 0 },
        { 1000, 1000, 9000, 0 },
        { 1000, 999,  9000, 0 },

        /* Kapacitor's clock is ahead, or ours was set back */

        { 1000, 9000, 1061, 1 },
        { 1000, 9000, 1060, 0 },
        { 1000, 1061, 900,  0 },

        /* nothing is known */

        { 0,    1061, 1061, 0 },
        { 1000, 0,    9000, 0 },
        { 0,    0,    9000, 0 },
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        sqlite3_snprintf(sizeof(what), what, "%d, %d, %d",
                         (int) table[i].doubted, (int) table[i].began,
                         (int) table[i].now);

        check_int_at(__FILE__, __LINE__, what,
                     ngx_http_ilert_rules_untold(table[i].doubted * SECOND,
                                                 table[i].began * SECOND,
                                                 table[i].now * SECOND),
                     table[i].wanted);
    }
}


test_case_t  rule_cases[] = {
    { "rules: urgency", test_urgency },
    { "rules: told", test_told },
    { "rules: replaces", test_replaces },
    { "rules: judge", test_judge },
    { "rules: judge, by the time", test_judge_time },
    { "rules: turn", test_turn },
    { "rules: leaves", test_leaves },
    { "rules: spread", test_spread },
    { "rules: spread, whatever the rate is", test_spread_all },
    { "rules: limited", test_limited },
    { "rules: untold", test_untold },
    { "rules: refused", test_refused },
    { "rules: delay", test_delay },
    { "rules: delay, by the time", test_delay_time },
    { "rules: delay, replaces", test_delay_replaces },
    { "rules: raises", test_raises },
    { NULL, NULL }
};
