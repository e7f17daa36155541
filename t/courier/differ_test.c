
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>

#include "ngx_http_ilert_differ.h"

#include <stdio.h>


/* The tables of differences: when a webhook is lost, and names of topics. */


#define OK    NGX_HTTP_ILERT_OK
#define WARN  NGX_HTTP_ILERT_WARNING
#define CRIT  NGX_HTTP_ILERT_CRITICAL

#define NONE  INT64_MIN


static struct {
    const char                     *name;
    ngx_uint_t                      polls;
    ngx_uint_t                      absent;
    ngx_uint_t                      later;      /* found in a poll before */
    ngx_http_ilert_differ_facts_t   facts;      /* latest, taken, moved, up */
    ngx_uint_t                      lost;
} cases[] = {

    /* the difference has the time 100 */

    { "one poll says nothing", 1, 0, 0, { 200, 1, 0, 99999 }, 0 },
    { "all stands still", 2, 0, 0, { NONE, 0, 0, 0 }, 1 },
    { "events were collected, and none has come",
      2, 0, 0, { NONE, 0, 1, 0 }, 0 },
    { "an earlier webhook has come: ours is behind it",
      2, 0, 0, { 99, 1, 0, 0 }, 0 },
    { "one of the same time: a batch has many of these",
      2, 0, 0, { 100, 1, 1, 0 }, 0 },
    { "a later webhook has come", 2, 0, 0, { 101, 1, 1, 0 }, 1 },
    { "a later one, and nothing was collected", 2, 0, 0, { 101, 1, 0, 0 }, 1 },
    { "a later one had come before", 3, 0, 1, { 50, 1, 1, 0 }, 1 },
    { "ten polls, and webhooks wait", 10, 0, 0, { 99, 1, 1, 0 }, 0 },

    { "absent: two polls", 2, 1, 0, { NONE, 0, 0, 999999 }, 0 },
    { "absent: three polls, and less than a minute",
      3, 1, 0, { NONE, 0, 0, 59999 }, 0 },
    { "absent: three polls and a minute", 3, 1, 0, { NONE, 0, 0, 60000 }, 1 },
    { "absent: others come", 3, 1, 0, { 50, 1, 1, 60000 }, 1 },
};


static struct {
    ngx_uint_t   heard;
    ngx_uint_t   was;
    ngx_uint_t   level;
    ngx_uint_t   update;
} updates[] = {
    { 0, OK, CRIT, 0 },
    { 0, OK, OK, 1 },
    { 1, OK, CRIT, 0 },
    { 1, CRIT, OK, 0 },
    { 1, WARN, CRIT, 0 },
    { 1, CRIT, WARN, 0 },
    { 1, CRIT, CRIT, 1 },
};


/* Heard was WARNING, at 100. */

static struct {
    int64_t      time;
    ngx_uint_t   level;
    ngx_uint_t   learned;
    ngx_uint_t   there;
} others[] = {
    { 100, WARN, 0, 1 },
    { 100, WARN, 1, 1 },
    { 100, CRIT, 0, 0 },
    { 100, CRIT, 1, 1 },
    { 101, WARN, 0, 0 },
    { 101, CRIT, 1, 1 },
    { 99, WARN, 0, 0 },
    { 99, WARN, 1, 0 },
};


static struct {
    const char  *pattern;
    const char  *text;
    ngx_uint_t   matches;
} patterns[] = {
    { "ops", "ops", 1 },
    { "ops", "ops2", 0 },
    { "ops2", "ops", 0 },
    { "main:*", "main:cpu:alert2", 1 },
    { "main:*", "main:", 1 },
    { "main:*", "main", 0 },
    { "main:*:alert2", "main:cpu:alert2", 1 },
    { "main:*:alert2", "main:cpu:alert21", 0 },
    { "main:*:alert2", "main:a:alert2:alert2", 1 },
    { "*", "", 1 },
    { "*", "any", 1 },
    { "**a*", "bba", 1 },
    { "*a", "bab", 0 },
    { "a*b*c", "aXbXbXc", 1 },
    { "", "", 1 },
    { "", "a", 0 },
    { "a*", "*", 0 },
    { "a*c", "a*b", 0 },
};


/* What differ.c needs of nginx for its table, which is not tested here. */

volatile ngx_cycle_t  *ngx_cycle;


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return NULL;
}


void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    abort();
}


void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    abort();
}


void
ngx_md5_init(ngx_md5_t *ctx)
{
    abort();
}


void
ngx_md5_update(ngx_md5_t *ctx, const void *data, size_t size)
{
    abort();
}


void
ngx_md5_final(u_char result[16], ngx_md5_t *ctx)
{
    abort();
}


int
main(void)
{
    ngx_str_t                    pattern, text;
    ngx_uint_t                   i, good, failures;
    ngx_http_ilert_difference_t  d;
    ngx_http_ilert_store_state_t  state;

    failures = 0;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        ngx_memzero(&d, sizeof(ngx_http_ilert_difference_t));

        d.time = 100;
        d.polls = cases[i].polls;
        d.absent = cases[i].absent;
        d.later = cases[i].later;

        good = (ngx_http_ilert_differ_is_lost(&d, &cases[i].facts)
                == cases[i].lost);

        printf("%sok %s\n", good ? "" : "not ", cases[i].name);

        failures += !good;
    }

    for (i = 0; i < sizeof(updates) / sizeof(updates[0]); i++) {

        ngx_memzero(&d, sizeof(ngx_http_ilert_difference_t));

        d.heard = updates[i].heard;
        d.was_level = updates[i].was;
        d.level = updates[i].level;

        good = (ngx_http_ilert_differ_is_update(&d) == updates[i].update);

        printf("%sok an update or not: %lu\n", good ? "" : "not ",
               (unsigned long) i);

        failures += !good;
    }

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {

        ngx_memzero(&d, sizeof(ngx_http_ilert_difference_t));
        ngx_memzero(&state, sizeof(ngx_http_ilert_store_state_t));

        d.was_time = 100;
        d.was_level = WARN;

        state.time = others[i].time;
        state.level = others[i].level;

        good = (ngx_http_ilert_differ_is_there(&d, &state, others[i].learned)
                == others[i].there);

        printf("%sok in another topic or not: %lu\n", good ? "" : "not ",
               (unsigned long) i);

        failures += !good;
    }

    for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {

        pattern.data = (u_char *) patterns[i].pattern;
        pattern.len = ngx_strlen(pattern.data);
        text.data = (u_char *) patterns[i].text;
        text.len = ngx_strlen(text.data);

        good = (ngx_http_ilert_differ_matches(&pattern, &text)
                == patterns[i].matches);

        printf("%sok \"%s\" and \"%s\"\n", good ? "" : "not ",
               patterns[i].pattern, patterns[i].text);

        failures += !good;
    }

    return failures != 0;
}
