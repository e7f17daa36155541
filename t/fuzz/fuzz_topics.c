
/*
 * libFuzzer changes answers of Kapacitor's API.  Each one is read as a list of
 * topics, and as the events of a topic, at once and in pieces:
 *
 *     -  in pieces it has the same elements, and the same error, as at once;
 *     -  what is taken is JSON; what is "not JSON" or "incomplete" is none;
 *     -  strings are valid UTF-8, and a time is what its text says;
 *     -  the reader takes less than twenty times the memory of the answer;
 *     -  a state becomes a webhook that is strict JSON, is taken, and says the
 *        same.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor.h"
#include "ngx_http_ilert_kapacitor_time.h"
#include "ngx_http_ilert_text.h"
#include "ngx_http_ilert_topics.h"

#include "fuzz.h"


#define LITTLE  65536   /* the smallest answer may take so many bytes */


/* what has been read: a digest of the elements, and the error */

typedef struct {
    uint32_t     digest;
    ngx_uint_t   elements;
    ngx_int_t    rc;
    const char  *error;
} outcome_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void test(ngx_str_t *text, ngx_uint_t events, ngx_pool_t *pool);
static outcome_t read_all(ngx_str_t *text, ngx_uint_t events, uint32_t seed,
    ngx_http_ilert_topics_handler_pt handler, ngx_pool_t *pool);
static ngx_int_t count(ngx_http_ilert_topics_t *topics,
    ngx_http_ilert_topics_element_t *el);
static ngx_int_t look(ngx_http_ilert_topics_t *topics,
    ngx_http_ilert_topics_element_t *el);
static void test_webhook(ngx_http_ilert_topics_element_t *el,
    ngx_uint_t none);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    text;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(1024, &fuzz_log);
    check(pool != NULL);

    text.data = (u_char *) data;
    text.len = size;

    test(&text, 0, pool);
    test(&text, 1, pool);

    ngx_destroy_pool(pool);

    return 0;
}


static void
test(ngx_str_t *text, ngx_uint_t events, ngx_pool_t *pool)
{
    uint32_t   seed;
    outcome_t  all, pieces;

    seed = fuzz_hash(text) | 1;

    fuzz_allocated = 0;

    all = read_all(text, events, 0, count, pool);

    check(fuzz_allocated <= 20 * text->len + LITTLE);

    pieces = read_all(text, events, seed, look, pool);

    check(pieces.digest == all.digest);
    check(pieces.elements == all.elements);
    check(pieces.rc == all.rc);
    check(pieces.error == all.error
          || (all.error && strcmp(pieces.error, all.error) == 0));

    if (all.rc == NGX_OK) {
        check(all.error == NULL);
        check(fuzz_is_json(text, NGX_HTTP_ILERT_JSON_MAX_DEPTH + 2, 0));
        return;
    }

    check(all.error != NULL);

    if (strcmp(all.error, "not JSON") == 0
        || strcmp(all.error, "incomplete") == 0)
    {
        check(!fuzz_is_json(text, NGX_HTTP_ILERT_JSON_MAX_DEPTH, 0));
    }
}


/*
 * Reads an answer, with a seed in pieces of random sizes, most of them small.
 * Each is a copy, so that nothing can be read behind it or later.
 */

static outcome_t
read_all(ngx_str_t *text, ngx_uint_t events, uint32_t seed,
    ngx_http_ilert_topics_handler_pt handler, ngx_pool_t *pool)
{
    size_t                    at, n;
    u_char                   *copy;
    ngx_int_t                 rc;
    outcome_t                 outcome;
    ngx_http_ilert_topics_t   topics;

    memset(&outcome, 0, sizeof(outcome_t));

    check(ngx_http_ilert_topics_init(&topics, events, handler, &outcome, pool)
          == NGX_OK);

    rc = NGX_OK;

    for (at = 0; at < text->len && rc == NGX_OK; at += n) {
        n = text->len - at;

        if (seed) {
            seed = seed * 1664525 + 1013904223;
            n = ngx_min(n, 1 + (seed >> 16) % (seed >> 30 ? 9 : 3000));
        }

        copy = malloc(n);
        check(copy != NULL);
        memcpy(copy, text->data + at, n);

        rc = ngx_http_ilert_topics_read(&topics, copy, n);

        free(copy);
    }

    outcome.rc = ngx_http_ilert_topics_end(&topics);
    outcome.error = topics.error;

    check(rc == NGX_OK || outcome.rc == NGX_ERROR);

    ngx_http_ilert_topics_close(&topics);

    return outcome;
}


static ngx_int_t
count(ngx_http_ilert_topics_t *topics, ngx_http_ilert_topics_element_t *el)
{
    outcome_t  *outcome = topics->data;

    outcome->elements++;

    outcome->digest = outcome->digest * 31
                      + fuzz_hash(&el->id)
                      + 3 * fuzz_hash(&el->message)
                      + 5 * fuzz_hash(&el->details)
                      + 7 * fuzz_hash(&el->time)
                      + 11 * fuzz_hash(&el->duration)
                      + 13 * (uint32_t) el->ns
                      + 17 * (uint32_t) el->collected
                      + 19 * (uint32_t) el->level;

    return NGX_OK;
}


static ngx_int_t
look(ngx_http_ilert_topics_t *topics, ngx_http_ilert_topics_element_t *el)
{
    int64_t  ns;

    (void) count(topics, el);

    check(fuzz_is_utf8(&el->id));

    if (el->time.data == NULL) {
        check(el->id.len > 0);
        return NGX_OK;
    }

    check(fuzz_is_utf8(&el->message));
    check(fuzz_is_utf8(&el->details));
    check(fuzz_is_utf8(&el->time));
    check(fuzz_is_utf8(&el->duration));
    check(el->level <= NGX_HTTP_ILERT_CRITICAL);

    if (ngx_http_ilert_kapacitor_parse_ns(&el->time, &ns) == NGX_OK) {
        check(el->ns == ns && ns != INT64_MIN);

    } else {
        check(el->ns == INT64_MIN);
    }

    test_webhook(el, 0);
    test_webhook(el, 1);

    return NGX_OK;
}


static void
test_webhook(ngx_http_ilert_topics_element_t *el, ngx_uint_t none)
{
    ngx_str_t                  body, error;
    ngx_pool_t                *pool;
    ngx_http_ilert_webhook_t   wh;

    pool = ngx_create_pool(1024, &fuzz_log);
    check(pool != NULL);

    check(ngx_http_ilert_topics_webhook(el, NGX_HTTP_ILERT_WARNING, none,
                                        &body, pool)
          == NGX_OK);

    check(fuzz_is_json(&body, NGX_HTTP_ILERT_JSON_MAX_DEPTH + 6, 0));

    if (!fuzz_is_json(&body, NGX_HTTP_ILERT_JSON_MAX_DEPTH, 0)) {

        /* A dump that is nested so deeply is none of Kapacitor's. */

        ngx_destroy_pool(pool);
        return;
    }

    check(ngx_http_ilert_kapacitor_parse(&wh, &body, &error, pool) == NGX_OK);

    check(ngx_http_ilert_text_same(&wh.id, &el->id));
    check(ngx_http_ilert_text_same(&wh.message, &el->message));
    check(ngx_http_ilert_text_same(&wh.details, &el->details));
    check(ngx_http_ilert_text_same(&wh.time, &el->time));
    check(wh.level == el->level);
    check(ngx_http_ilert_kapacitor_ns(&wh) == el->ns);
    check((wh.previous_level.data == NULL) == none);
    check(wh.dump == (wh.series.nelts > 0));

    if (wh.row) {
        check(wh.trigger->first_row == wh.trigger->last_row);
        check(wh.nvalues == wh.trigger->columns.nelts);
    }

    ngx_destroy_pool(pool);
}
