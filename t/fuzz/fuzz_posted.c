
/*
 * libFuzzer changes ilert's own events, as other senders post them:
 *
 *     -  what is "not JSON" is none, and what is taken is, but for what is
 *        mended;
 *     -  an error is one line of valid UTF-8;
 *     -  the event that leaves is strict JSON, valid UTF-8, and has no
 *        integration key; if it came in again, it would leave as it is, and
 *        say the same;
 *     -  reading takes less than twenty times the memory of the body;
 *     -  hiding keys leaves JSON what it is.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_posted.h"
#include "ngx_http_ilert_text.h"

#include "fuzz.h"


#define LITTLE    65536     /* the smallest event may take so many bytes */
#define MAX_SIZE  65536     /* of an event that leaves */


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void test(ngx_str_t *body, ngx_pool_t *pool);
static ngx_int_t leaves(ngx_http_ilert_posted_t *posted,
    ngx_http_ilert_event_t *ev, ngx_str_t *error, ngx_pool_t *pool);
static void check_error(ngx_str_t *error);
static void check_again(ngx_http_ilert_event_t *ev, ngx_pool_t *pool);
static void check_hidden(ngx_str_t *body, ngx_pool_t *pool);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    body;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(1024, &fuzz_log);
    check(pool != NULL);

    body.data = (u_char *) data;
    body.len = size;

    test(&body, pool);
    check_hidden(&body, pool);

    ngx_destroy_pool(pool);

    return 0;
}


static void
test(ngx_str_t *body, ngx_pool_t *pool)
{
    ngx_int_t                rc;
    ngx_str_t                error;
    ngx_http_ilert_event_t   ev;
    ngx_http_ilert_posted_t  posted;

    fuzz_allocated = 0;

    rc = ngx_http_ilert_posted_parse(&posted, body, &error, pool);

    check(fuzz_allocated <= 20 * body->len + LITTLE);
    check(rc == NGX_OK || rc == NGX_DECLINED);

    if (rc == NGX_DECLINED) {
        check_error(&error);

        if (error.len >= 8 && memcmp(error.data, "not JSON", 8) == 0) {
            check(!fuzz_is_json(body, NGX_HTTP_ILERT_JSON_MAX_DEPTH, 1));
        }

        return;
    }

    check(fuzz_is_json(body, NGX_HTTP_ILERT_JSON_MAX_DEPTH, 1));

    rc = leaves(&posted, &ev, &error, pool);

    if (rc == NGX_DECLINED) {
        check_error(&error);
        return;
    }

    check(ev.body.len <= MAX_SIZE);
    check(fuzz_is_utf8(&ev.body));
    check(fuzz_is_json(&ev.body, NGX_HTTP_ILERT_JSON_MAX_DEPTH, 0));

    check_again(&ev, pool);
}


/* Makes the event that leaves.  Returns what posted_body() does. */

static ngx_int_t
leaves(ngx_http_ilert_posted_t *posted, ngx_http_ilert_event_t *ev,
    ngx_str_t *error, ngx_pool_t *pool)
{
    ngx_int_t  rc;

    memset(ev, 0, sizeof(ngx_http_ilert_event_t));

    ngx_str_set(&ev->id, "7533280274516307507");

    check(ngx_http_ilert_posted_says(posted, ev, pool) == NGX_OK);
    check(ev->alert_key.len > 0);

    rc = ngx_http_ilert_posted_body(posted, ev, MAX_SIZE, error, pool);

    check(rc == NGX_OK || rc == NGX_DECLINED);

    return rc;
}


static void
check_error(ngx_str_t *error)
{
    size_t  i;

    check(error->len > 0 && error->len <= NGX_HTTP_ILERT_TEXT_ERROR);
    check(fuzz_is_utf8(error));

    for (i = 0; i < error->len; i++) {
        check(error->data[i] >= ' ');
    }
}


static void
check_again(ngx_http_ilert_event_t *ev, ngx_pool_t *pool)
{
    ngx_str_t                error;
    ngx_http_ilert_event_t   again;
    ngx_http_ilert_posted_t  posted;

    check(ngx_http_ilert_posted_parse(&posted, &ev->body, &error, pool)
          == NGX_OK);
    check(posted.key.len == 0);
    check(posted.odd == NULL);

    check(leaves(&posted, &again, &error, pool) == NGX_OK);

    check(again.type == ev->type);
    check(again.level == ev->level);
    check(again.priority == ev->priority);
    check(again.severity == ev->severity);
    check(ngx_http_ilert_text_same(&again.alert_key, &ev->alert_key));
    check(ngx_http_ilert_text_same(&again.body, &ev->body));
}


static void
check_hidden(ngx_str_t *body, ngx_pool_t *pool)
{
    int        json;
    ngx_str_t  text;

    text.len = body->len;
    text.data = ngx_pnalloc(pool, body->len + 1);
    check(text.data != NULL);
    memcpy(text.data, body->data, body->len);

    json = fuzz_is_json(body, NGX_HTTP_ILERT_JSON_MAX_DEPTH, 0);

    ngx_http_ilert_posted_hide(&text);

    check(!json || fuzz_is_json(&text, NGX_HTTP_ILERT_JSON_MAX_DEPTH, 0));
}
