
/* the rules of a digest, by a table, and the events that it sends */


#include "store_test.h"
#include "ngx_http_ilert_digest.h"
#include "ngx_http_ilert_event_digest.h"


typedef ngx_http_ilert_digest_t         digest_t;
typedef ngx_http_ilert_digest_policy_t  digest_policy_t;
typedef ngx_http_ilert_digest_list_t    list_t;
typedef ngx_http_ilert_digest_member_t  member_t;


/*
 * What happens to a digest of N = 3, interval 15 s, as a line of steps.  Each
 * one is a time in seconds, a letter, and what comes of it:
 *
 *     a   an alert opens that the digest has not named: "+" by itself, "-" not
 *     n   one that it has named
 *     c   a change, u a CRITICAL that is not named
 *     d   is an event due? "!", "-" for never, or the time when it is
 *     t   an event has been made
 *     eN  does it end, with N left? "!", "-", or the time when it does
 *     o   is it open? "+" or "-"
 */

static void
test_rules(void)
{
    char             got[32], what[64], op;
    int              n;
    digest_t         digest;
    int64_t          until, left, now;
    long             seconds;
    ngx_uint_t       i, yes;
    const char      *s, *begin;
    digest_policy_t  policy;

    static const struct {
        ngx_uint_t   members;
        const char  *steps;
    } table[] = {

        /* three in a minute go by themselves, the fourth opens it */

        { 0, "0a+ 1a+ 2a+ 2o- 3a- 3o+ 3d! 3t 3d-" },
        { 0, "0a+ 1a+ 2a+ 60a+ 60o- 60a- 60o+" },
        { 0, "0a+ 30a+ 59a+ 61a+ 89a- 89o+" },

        /* strangers: again three in a minute, but none that is named */

        { 0, "0a+ 0a+ 0a+ 1a- 1t 30a- 60n- 60a+ 60a+ 60n- 60a+ 61a- 120a+" },

        /* the interval begins with the first change */

        { 0, "0a+ 0a+ 0a+ 1a- 1d! 1t 5c 5d20 10c 19d20 20d! 20t 20d- 90d-" },

        /* a CRITICAL at once: the first three, then one each 5 s */

        { 0, "0a+ 0a+ 0a+ 1a- 1u 1d! 1t 2u 2d! 2t 3u 3d! 3t 4u 4d6 5d6 6d!"
             " 6t 7u 7d11 11d! 11t" },

        /* or at the end of the interval, if that is sooner */

        { 0, "0a+ 0a+ 0a+ 1a- 1u 1d! 1t 1u 1d! 1t 1u 1d! 1t 1c 1d16 2u 2d6" },

        /* after a time all tokens are back, and no more */

        { 0, "0a+ 0a+ 0a+ 1a- 1u 1t 1u 1t 1u 1t 600u 600d! 600t 600u 600d!"
             " 600t 600u 600d! 600t 600u 600d605" },

        /* an event that is not urgent takes none */

        { 0, "0a+ 0a+ 0a+ 1a- 1d! 1t 1c 16t 16u 16t 16u 16t 16u 16d! 16t"
             " 16u 16d21" },

        /* it ends when all is calm for two minutes: N/2 may wait */

        { 0, "0a+ 0a+ 0a+ 1a- 1t 5e2- 9e1129 100e1129 129e1!" },
        { 1, "0a+ 0a+ 0a+ 1a- 1t 9e0129 100e2- 110e1230 230e0!" },

        /* with members=none nothing may be left */

        { 2, "0a+ 0a+ 0a+ 1a- 1t 9e1- 9e0129 100e1- 110e0230 230e0!" },

        /* nothing is open: nothing ends, and nothing is due */

        { 0, "0e0- 0d- 0a+ 0c 0d- 0e0- 0o-" },

        /* the clock is set back: an hour counts as now, no time is lost */

        { 0, "3600a+ 3600a+ 3600a+ 3601a- 3601t 3602c 0a- 0d15 59a- 60a+" }
    };

    memset(&policy, 0, sizeof(policy));

    policy.n = 3;
    policy.interval = 15 * SECOND;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        memset(&digest, 0, sizeof(digest));
        policy.members = table[i].members;

        for (s = table[i].steps; *s; s += strspn(s, " ")) {

            begin = s;
            until = 0;
            yes = 0;
            left = 0;

            seconds = strtol(s, (char **) &s, 10);
            now = NOW + seconds * SECOND;
            op = *s++;

            if (op == 'e') {
                left = *s++ - '0';
            }

            n = strcspn(s, " ");

            switch (op) {

            case 'a':
            case 'n':
                yes = ngx_http_ilert_digest_alone(&digest, &policy, op == 'n',
                                                  now);
                strcpy(got, yes ? "+" : "-");
                break;

            case 'c':
            case 'u':
                ngx_http_ilert_digest_change(&digest,
                                             op == 'u'
                                             ? NGX_HTTP_ILERT_DIGEST_UNNAMED
                                             : 0, now);
                strcpy(got, "");
                break;

            case 't':
                ngx_http_ilert_digest_told(&digest, now);
                strcpy(got, "");
                break;

            case 'o':
                strcpy(got, digest.opened ? "+" : "-");
                break;

            default: /* 'd', 'e' */
                yes = (op == 'd')
                      ? ngx_http_ilert_digest_due(&digest, &policy, now,
                                                  &until)
                      : ngx_http_ilert_digest_ends(&digest, &policy, left,
                                                   now, &until);
                sqlite3_snprintf(sizeof(got), got, "%lld",
                                 (until - NOW) / SECOND);

                if (yes || until == 0) {
                    strcpy(got, yes ? "!" : "-");
                }
            }

            sqlite3_snprintf(sizeof(what), what, "%.*s gives %s in row %d",
                             (int) (s + n - begin), begin, got, (int) i);

            if (strlen(got) != (size_t) n || memcmp(got, s, n) != 0) {
                fail_at(__FILE__, __LINE__, what, table[i].steps);
            }

            s += n;
        }
    }
}


/* which digest has named an alert, with which level */

static void
test_named(void)
{
    digest_t  digest, later;
    int64_t   named;

    memset(&digest, 0, sizeof(digest));

    check_int(ngx_http_ilert_digest_named(&digest, 0), 0);

    digest.opened = NOW;
    later = digest;
    later.opened++;

    named = ngx_http_ilert_digest_named_as(&digest, CRITICAL);

    check_int(ngx_http_ilert_digest_named(&digest, named), CRITICAL);
    check_int(ngx_http_ilert_digest_named(&later, named), 0);
    check_int(ngx_http_ilert_digest_named(&digest, 0), 0);
    check_int(ngx_http_ilert_digest_named(&digest, -1), 0);

    digest.opened = 0;

    check_int(ngx_http_ilert_digest_named(&digest, named), 0);
    check_int(ngx_http_ilert_digest_named(&digest, CRITICAL), 0);
}


/* the events */

static ngx_pool_t  *pool;
static member_t     members[3000];
static char         body[1024 * 1024];


static ngx_str_t
str(const char *s)
{
    ngx_str_t  value;

    value.data = ngx_palloc(pool, strlen(s) + 1);
    value.len = strlen(s);

    memcpy(value.data, s, value.len);

    return value;
}


/* adds "n" alerts of a level; %d is their number */

static void
add_members(list_t *list, ngx_uint_t n, ngx_uint_t level, const char *key,
    const char *summary, ngx_uint_t fresh)
{
    char        text[1024];
    member_t   *member;

    list->members = members;
    list->bad[level] += n;

    while (n--) {
        member = &members[list->nmembers++];

        memset(member, 0, sizeof(member_t));

        sqlite3_snprintf(sizeof(text), text, key, (int) list->nmembers);
        member->key = str(text);
        sqlite3_snprintf(sizeof(text), text, summary, (int) list->nmembers);
        member->summary = str(text);

        member->level = level;
        member->begun = list->now - 200 * SECOND;
        member->fresh = fresh;
    }
}


static list_t
new_list(ngx_uint_t updates)
{
    list_t  list;

    memset(&list, 0, sizeof(list_t));

    list.source = str("operations");
    list.updates = updates;
    list.opened = NOW - 3725 * SECOND;
    list.now = NOW;

    return list;
}


/* makes the body, which gets a zero, and checks what any body has to be */

static const char *
body_of(list_t *list, ngx_uint_t type, ngx_uint_t priority,
    ngx_uint_t passthrough, size_t max_size)
{
    size_t                   i;
    ngx_uint_t               depth, quoted;
    ngx_http_ilert_event_t   ev;

    memset(&ev, 0, sizeof(ev));

    ev.type = type;
    ev.priority = priority;

    if (ngx_http_ilert_event_digest_key(&list->source, &ev.alert_key, pool)
        != NGX_OK
        || ngx_http_ilert_event_digest(&ev, list, passthrough, max_size, pool)
           != NGX_OK)
    {
        return NULL;
    }

    check(ev.body.len <= max_size);
    check(ev.body.len < sizeof(body));

    memcpy(body, ev.body.data, ev.body.len);
    body[ev.body.len] = '\0';

    /* brackets match, and the text ends where it should */

    depth = 0;
    quoted = 0;

    for (i = 0; i < ev.body.len; i++) {

        if (quoted) {
            check((u_char) body[i] >= ' ');

            if (body[i] == '\\') {
                i++;

            } else if (body[i] == '"') {
                quoted = 0;
            }

            continue;
        }

        quoted = (body[i] == '"');

        if (strchr("{[", body[i])) {
            depth++;

        } else if (strchr("}]", body[i])) {
            depth--;
            check((depth == 0) == (i == ev.body.len - 1));
        }
    }

    check_int(depth, 0);
    check_int(quoted, 0);

    return body;
}


static ngx_uint_t
count(const char *text, const char *what)
{
    ngx_uint_t  n;

    for (n = 0; (text = strstr(text, what)) != NULL; n++) {
        text += strlen(what);
    }

    return n;
}


static void
test_bodies(void)
{
    list_t  list;

    pool = ngx_create_pool(1024, NULL);

    list = new_list(0);
    add_members(&list, 2, CRITICAL, "cpu:host=web_%d", "%d * 3 < [7]", 1);
    add_members(&list, 1, WARNING, "disk`%d", "", 1);

    check_str(body_of(&list, ALERT, NGX_HTTP_ILERT_HIGH, 0, 65536),
              "{\"eventType\":\"ALERT\",\"summary\":\"Digest of operations: "
              "3 alerts are bad: 2 CRITICAL, 1 WARNING\",\"details\":\""
              "**CRITICAL**: 2\\n"
              "\\n- `cpu:host=web_1` 3m: 1 \\\\* 3 \\\\< \\\\[7\\\\]"
              "\\n- `cpu:host=web_2` 3m: 2 \\\\* 3 \\\\< \\\\[7\\\\]"
              "\\n\\n**WARNING**: 1\\n\\n- ``disk`3`` 3m\","
              "\"alertKey\":\"ilert-digest:operations\","
              "\"priority\":\"HIGH\"}");

    /* what is new is named, and the list is in a comment, too */

    list = new_list(1);
    add_members(&list, 1, CRITICAL, "old", "was", 0);
    add_members(&list, 7, CRITICAL, "new%d", "is", 1);

    check_str(body_of(&list, ALERT, 0, 0, 65536),
              "{\"eventType\":\"ALERT\",\"summary\":\"Digest of operations: "
              "7 new: CRITICAL new2, new3, new4, new5, new6, and 2 more; "
              "8 alerts are bad: 8 CRITICAL\",\"details\":\""
              "**CRITICAL**: 8\\n\\n- `old` 3m: was"
              "\\n- `new2` 3m, new: is\\n- `new3` 3m, new: is"
              "\\n- `new4` 3m, new: is\\n- `new5` 3m, new: is"
              "\\n- `new6` 3m, new: is\\n- `new7` 3m, new: is"
              "\\n- `new8` 3m, new: is\","
              "\"alertKey\":\"ilert-digest:operations\","
              "\"comments\":[{\"creator\":\"nginx\",\"content\":\""
              "**CRITICAL**: 8\\n\\n- `old` 3m: was"
              "\\n- `new2` 3m, new: is\\n- `new3` 3m, new: is"
              "\\n- `new4` 3m, new: is\\n- `new5` 3m, new: is"
              "\\n- `new6` 3m, new: is\\n- `new7` 3m, new: is"
              "\\n- `new8` 3m, new: is\"}]}");

    list = new_list(1);

    check_str(body_of(&list, ALERT, NGX_HTTP_ILERT_LOW, 0, 4096),
              "{\"eventType\":\"ALERT\",\"summary\":\"Digest of operations: "
              "nothing new; no alert is bad\","
              "\"alertKey\":\"ilert-digest:operations\","
              "\"priority\":\"LOW\"}");

    check_str(body_of(&list, RESOLVE, 0, 0, 4096),
              "{\"eventType\":\"RESOLVE\",\"summary\":\"Digest of operations "
              "is over after 1h2m; no alert is bad\","
              "\"alertKey\":\"ilert-digest:operations\"}");

    /* of Kapacitor's form the details are HTML */

    list = new_list(1);
    add_members(&list, 1, WARNING, "a<b>&%d", "<script>", 0);

    check_str(body_of(&list, ALERT, 0, 1, 4096),
              "{\"id\":\"ilert-digest:operations\",\"message\":\"Digest of "
              "operations: nothing new; 1 alert is bad: 1 WARNING\","
              "\"details\":\"<pre>WARNING: 1\\n\\n- a&lt;b&gt;&amp;1 3m: "
              "&lt;script&gt;</pre>\",\"time\":\"2025-06-15T12:00:00Z\","
              "\"duration\":0,\"level\":\"WARNING\","
              "\"data\":{\"series\":null}}");

    check(strstr(body_of(&list, RESOLVE, 0, 1, 4096), "\"level\":\"OK\""));

    ngx_destroy_pool(pool);
}


/* What does not fit: first the messages go, then what is less urgent. */

static void
test_sizes(void)
{
    list_t       list;
    size_t       size;
    ngx_uint_t   i, html, named, brief;
    const char  *text;

    static const size_t  sizes[] = { 4096, 8192, 16384, 65536, 262144 };

    for (i = 0; i < 4 * sizeof(sizes) / sizeof(sizes[0]); i++) {

        pool = ngx_create_pool(1024, NULL);
        html = i & 1;
        size = sizes[i / 4];

        list = new_list(i & 2);
        add_members(&list, 800, CRITICAL, "cpu:host=web%04d.example.com",
                    "CPU of \"%d\" is \\ 95%% \x01 \xff used", 1);
        add_members(&list, 1200, WARNING, "disk:host=web%04d.example.com",
                    "", 1);

        text = body_of(&list, ALERT, NGX_HTTP_ILERT_HIGH, html, size);
        check(text != NULL);

        for (named = 0; named < 2000 && members[named].named; named++) {
            /* void */
        }

        for (brief = 0; brief < named && !members[brief].brief; brief++) {
            /* void */
        }

        if (size == 65536) {
            check_int(named, 2000);
            check(brief > 0 && brief < 800);
            check(strstr(text, "disk:host=web2000.example.com") != NULL);
            check(strstr(text, "more\"") == NULL);

        } else if (size < 65536) {
            check(named < 2000);
            check(strstr(text, " more") != NULL);

        } else {
            check_int(named, 2000);
            check_int(brief, 2000);
        }

        check(strlen(text) > size - size / 8 - 1200 || named == 2000);

        /* with two lists, or only one: no key is named twice in a list */

        check(count(text, "web0001") <= 1 + (i & 2) + (i & 2) / 2);

        ngx_destroy_pool(pool);
    }

    /* names and keys that hardly fit */

    pool = ngx_create_pool(1024, NULL);

    list = new_list(1);
    list.source.len = 4000;
    list.source.data = ngx_palloc(pool, 4000);
    memset(list.source.data, '\x01', 4000);

    memset(body, '`', 3999);
    body[3999] = '\0';

    list.members = members;
    list.nmembers = 1;
    list.bad[CRITICAL] = 1;

    memset(&members[0], 0, sizeof(member_t));

    members[0].key = str(body);
    members[0].level = CRITICAL;
    members[0].begun = NOW;

    check(body_of(&list, ALERT, 0, 0, 4096) != NULL);
    check(body_of(&list, ALERT, 0, 1, 4096) != NULL);
    check(body_of(&list, ALERT, 0, 0, 65536) != NULL);
    check_int(members[0].named, 1);

    ngx_destroy_pool(pool);
}


static void
test_lower(void)
{
    ngx_str_t   from, to;
    ngx_int_t   rc;
    ngx_uint_t  i;

    static const char  *table[][2] = {
        { "{\"eventType\":\"ALERT\"}",
          "{\"priority\":\"LOW\",\"eventType\":\"ALERT\"}" },
        { "{\"a\":1,\"priority\":\"HIGH\",\"b\":[{\"priority\":\"HIGH\"}]}",
          "{\"a\":1,\"priority\":\"LOW\",\"b\":[{\"priority\":\"HIGH\"}]}" },
        { "{\"priority\":\"LOW\"}", "{\"priority\":\"LOW\"}" },
        { "{\"summary\":\"{,\\\"priority\\\":\\\"HIGH\\\"\",\"c\":{}}",
          "{\"priority\":\"LOW\",\"summary\":\"{,\\\"priority\\\":"
          "\\\"HIGH\\\"\",\"c\":{}}" },
        { " { \"priority\" : null , \"x\" : 1 } ",
          " { \"priority\" : \"LOW\" , \"x\" : 1 } " },
        { "", NULL },
        { "{}", NULL },
        { "[]", NULL },
        { "{\"a\":1", NULL }
    };

    pool = ngx_create_pool(1024, NULL);

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        from = str(table[i][0]);
        rc = ngx_http_ilert_event_lower(&from, &to, pool);

        check_int(rc, table[i][1] ? NGX_OK : NGX_DECLINED);

        if (rc == NGX_OK && table[i][1]) {
            memcpy(body, to.data, to.len);
            body[to.len] = '\0';
            check_str(body, table[i][1]);
        }
    }

    ngx_destroy_pool(pool);
}


test_case_t  digest_rule_cases[] = {
    { "digest: rules", test_rules },
    { "digest: named", test_named },
    { "digest: bodies", test_bodies },
    { "digest: sizes", test_sizes },
    { "digest: lower", test_lower },
    { NULL, NULL }
};
