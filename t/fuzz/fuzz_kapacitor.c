
/*
 * libFuzzer changes captured webhooks.  Each one goes through the parser and
 * becomes an event, which is checked by another reader of JSON:
 *
 *     -  the parser refuses a text as "not JSON" if and only if it is none,
 *        and cannot be repaired; what it takes, repaired or not, is JSON;
 *     -  an error, and what is said to be odd, is one line of valid UTF-8;
 *     -  an event is strict JSON in valid UTF-8, is no larger than allowed,
 *        has the members that ilert must have, and has no name twice;
 *     -  its numbers are those of the webhook, digit for digit, but for
 *        a duration that was written in another way;
 *     -  all this is also true with a mapping made of pieces of the webhook;
 *     -  the parser takes less than twenty times the memory of the webhook;
 *     -  an event that fits a small limit is the same with a larger one.
 *
 * What does not begin with "{" is the details of an alert, and becomes
 * Markdown:
 *
 *     -  it is valid UTF-8 without control characters;
 *     -  it is at most three times as long as the details, and 64 bytes;
 *     -  no link in it runs a script.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_details.h"
#include "ngx_http_ilert_kapacitor.h"
#include "ngx_http_ilert_kapacitor_time.h"
#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_text.h"

#include "fuzz.h"
#include "strict_json.h"


#define NAMES    256    /* the most members that an object may have */
#define NUMBERS  64     /* only so many are looked for in the webhook */
#define LITTLE   8192   /* the smallest webhook may take so many bytes */


typedef struct {
    const unsigned char  *name;
    size_t                len;
} name_t;


typedef struct {
    ngx_str_t            *webhook;

    name_t                names[NAMES];         /* of the event's members */
    int                   nnames;
    int                   nnumbers;

    /*
     * The member of the event that is being read: the names in it, whether all
     * its values are strings or objects, and whether it says "truncated".
     */

    name_t                inner[NAMES];
    int                   ninner;
    unsigned              strings:1;
    unsigned              objects:1;
    unsigned              mark:1;

    unsigned              type:1;
    unsigned              summary:1;
    unsigned              truncated:1;
} event_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void test(ngx_str_t *body, ngx_pool_t *pool);
static void test_details(ngx_str_t *html, ngx_pool_t *pool);
static void test_links(ngx_str_t *text);
static void test_mapped(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_http_ilert_mapping_t *mapping,
    ngx_str_t *body, ngx_pool_t *pool);
static void make_mapping(ngx_http_ilert_mapping_t *mapping, ngx_str_t *body,
    ngx_pool_t *pool);
static void make_name(ngx_str_t *name, ngx_uint_t n, ngx_pool_t *pool);
static ngx_str_t piece(ngx_str_t *body, uint32_t *seed, ngx_pool_t *pool);
static void test_error(ngx_str_t *body, ngx_str_t *error);
static void test_line(ngx_str_t *line);
static int has_null(ngx_http_ilert_webhook_t *wh);
static void test_times(ngx_http_ilert_webhook_t *wh);
static void test_variables(ngx_http_ilert_webhook_t *wh, ngx_pool_t *pool);
static ngx_str_t variable_name(ngx_str_t *text, ngx_pool_t *pool);
static void test_event(ngx_http_ilert_event_t *ev, ngx_str_t *body,
    size_t max_size, event_t *event);
static void test_value(strict_json_t *json, strict_json_type_e type,
    const unsigned char *text, size_t len, const unsigned char *name,
    size_t name_len);
static void test_member(event_t *event, strict_json_type_e type,
    const unsigned char *text, size_t len, const unsigned char *name,
    size_t name_len);
static void test_number(event_t *event, const unsigned char *text,
    size_t len);
static void add_name(name_t *names, int *n, const unsigned char *name,
    size_t len);
static int is(const unsigned char *name, size_t len, const char *text);
static int is_json(ngx_str_t *text, int repairable);


static ngx_str_t  nanoseconds;  /* of the duration */


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    body;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(1024, &fuzz_log);
    check(pool != NULL);

    body.data = (u_char *) data;
    body.len = size;

    if (size && data[0] != '{') {
        check(ngx_http_ilert_text_valid(&body, pool) == NGX_OK);
        test_details(&body, pool);

    } else {
        test(&body, pool);
    }

    ngx_destroy_pool(pool);

    return 0;
}


static void
test_details(ngx_str_t *html, ngx_pool_t *pool)
{
    size_t     i;
    ngx_str_t  text;

    check(ngx_http_ilert_details_markdown(html, &text, pool) == NGX_OK);

    check(text.len <= 3 * html->len + 64);
    check(fuzz_is_utf8(&text));

    for (i = 0; i < text.len; i++) {
        check(text.data[i] >= ' ' || text.data[i] == '\n'
              || text.data[i] == '\t');
        check(text.data[i] != 0x7f);
    }

    test_links(&text);
}


/* In code there are no links, and a text with code is not looked at. */

static void
test_links(ngx_str_t *text)
{
    u_char  *p, *last;

    p = text->data;
    last = p + text->len;

    if (memmem(p, text->len, "```\n", 4) != NULL) {
        return;
    }

    for ( /* void */ ; last - p > 8; p++) {

        if (*p == '\\') {
            p++;

        } else if (ngx_strncasecmp(p, (u_char *) "<http", 5) == 0
                   || ngx_strncasecmp(p, (u_char *) "<ftp:", 5) == 0)
        {
            p = ngx_strlchr(p, last, '>');

            if (p == NULL) {
                return;
            }

        } else if (p[0] == ']' && p[1] == '(') {
            check(last - p < 13
                  || ngx_strncasecmp(p + 2, (u_char *) "javascript:", 11)
                     != 0);
            check(ngx_strncasecmp(p + 2, (u_char *) "data:", 5) != 0);
        }
    }
}


static void
test(ngx_str_t *body, ngx_pool_t *pool)
{
    ngx_int_t                  rc;
    ngx_str_t                  none, error;
    ngx_http_ilert_event_t     ev;
    ngx_http_ilert_mapping_t   mapping;
    ngx_http_ilert_webhook_t   wh;

    ngx_str_null(&none);
    ngx_str_null(&error);

    fuzz_allocated = 0;

    rc = ngx_http_ilert_kapacitor_parse(&wh, body, &error, pool);

    check(fuzz_allocated <= 20 * body->len + LITTLE);

    if (rc == NGX_DECLINED) {
        test_error(body, &error);
        return;
    }

    check(rc == NGX_OK);
    check(is_json(body, 1));
    check(is_json(&wh.body, 0));
    check(is_json(body, 0) || wh.odd.len);

    test_line(&wh.odd);

    if (wh.test) {
        return;
    }

    nanoseconds = wh.duration;

    test_times(&wh);

    test_variables(&wh, pool);

    check(wh.details_text.len <= 3 * wh.details.len + 64);

    ngx_memzero(&ev, sizeof(ngx_http_ilert_event_t));

    ngx_http_ilert_event_type(&ev, &wh, &none);

    check(ev.type == (wh.level == NGX_HTTP_ILERT_OK ? NGX_HTTP_ILERT_RESOLVE
                                                    : NGX_HTTP_ILERT_ALERT));

    rc = ngx_http_ilert_event_key(&ev, &wh, &none,
                                  NGX_HTTP_ILERT_EVENT_MIN_SIZE, &error, pool);

    if (rc == NGX_DECLINED) {
        check(error.len && fuzz_is_utf8(&error));
        return;
    }

    check(rc == NGX_OK);
    check(ev.alert_key.len && fuzz_is_utf8(&ev.alert_key));

    ngx_memzero(&mapping, sizeof(ngx_http_ilert_mapping_t));

    wh.reconciled = fuzz_hash(body) & 1;

    test_mapped(&ev, &wh, &mapping, body, pool);

    make_mapping(&mapping, body, pool);

    ev.key_cut = 0;
    rc = ngx_http_ilert_event_key(&ev, &wh,
                                  &mapping.values[NGX_HTTP_ILERT_ALERT_KEY],
                                  NGX_HTTP_ILERT_EVENT_MIN_SIZE, &error, pool);
    check(rc == NGX_OK);

    test_mapped(&ev, &wh, &mapping, body, pool);
}


static void
test_mapped(ngx_http_ilert_event_t *ev, ngx_http_ilert_webhook_t *wh,
    ngx_http_ilert_mapping_t *mapping, ngx_str_t *body, ngx_pool_t *pool)
{
    size_t      sizes[3];
    event_t     event;
    ngx_str_t   first;
    ngx_uint_t  i;

    sizes[0] = NGX_HTTP_ILERT_EVENT_MIN_SIZE;
    sizes[1] = sizes[0] + fuzz_hash(body) % 8192;
    sizes[2] = 65536;

    ngx_str_null(&first);

    for (i = 0; i < 3; i++) {
        check(ngx_http_ilert_event_map(ev, wh, mapping, sizes[i], pool)
              == NGX_OK);

        test_event(ev, body, sizes[i], &event);

        if (first.data) {
            check(ev->body.len == first.len
                  && memcmp(ev->body.data, first.data, first.len) == 0);

        } else if (!event.truncated) {
            first = ev->body;
        }
    }
}


/* Makes a mapping as mapping.c would: valid texts, and no name twice. */

static void
make_mapping(ngx_http_ilert_mapping_t *mapping, ngx_str_t *body,
    ngx_pool_t *pool)
{
    uint32_t                seed;
    ngx_uint_t              i, k, n;
    ngx_http_ilert_item_t  *item;
    ngx_http_ilert_list_t  *list;

    static ngx_str_t        priorities[] = {
        ngx_string("HIGH"), ngx_string("LOW"), ngx_null_string
    };

    seed = fuzz_hash(body) | 1;

    for (i = 0; i < NGX_HTTP_ILERT_MAPPING_VALUES; i++) {
        mapping->values[i] = piece(body, &seed, pool);
    }

    mapping->values[NGX_HTTP_ILERT_PRIORITY] = priorities[seed % 3];
    ngx_str_set(&mapping->values[NGX_HTTP_ILERT_SEVERITY], "3");

    for (i = NGX_HTTP_ILERT_LABELS; i < NGX_HTTP_ILERT_MAPPING_N; i++) {
        list = &mapping->lists[i - NGX_HTTP_ILERT_LABELS];

        n = (seed >> i) % 8;

        list->items = ngx_pcalloc(pool, (n + 1)
                                        * sizeof(ngx_http_ilert_item_t));
        check(list->items != NULL);

        for (k = 0; k < n; k++) {
            item = &list->items[list->nitems];

            item->values[0] = piece(body, &seed, pool);

            if (i != NGX_HTTP_ILERT_SERVICES && i != NGX_HTTP_ILERT_COMMENTS) {
                item->values[1] = piece(body, &seed, pool);
            }

            if (i == NGX_HTTP_ILERT_IMAGES) {
                item->values[2] = piece(body, &seed, pool);
            }

            if (i == NGX_HTTP_ILERT_LABELS
                || i == NGX_HTTP_ILERT_CUSTOM_DETAILS)
            {
                make_name(&item->values[0], k, pool);

                if (item->values[1].len == 0) {
                    ngx_str_set(&item->values[1], "?");
                }
            }

            if (item->values[0].len) {
                list->nitems++;
            }
        }
    }
}


/* Makes a name unique: it becomes one of ours, or gets a number in front. */

static void
make_name(ngx_str_t *name, ngx_uint_t n, ngx_pool_t *pool)
{
    u_char            *p;

    static ngx_str_t   ours[] = {
        ngx_string("id"), ngx_string("level"), ngx_string("tags"),
        ngx_string("fields"), ngx_string("rows"), ngx_string("truncated"),
        ngx_string("duration"), ngx_string("message")
    };

    if (name->len % 2) {
        *name = ours[n];
        return;
    }

    p = ngx_pnalloc(pool, name->len + 1);
    check(p != NULL);

    p[0] = '0' + n;
    memcpy(p + 1, name->data, name->len);

    name->data = p;
    name->len++;
}


/* Returns a piece of the body, of any length, but most often short. */

static ngx_str_t
piece(ngx_str_t *body, uint32_t *seed, ngx_pool_t *pool)
{
    size_t     start, len;
    ngx_str_t  text;

    *seed = *seed * 1664525 + 1013904223;

    start = (*seed >> 8) % body->len;
    len = body->len - start;

    if (*seed & 0x70000000) {
        len = ngx_min(len, (*seed >> 20) % 64);
    }

    text.data = body->data + start;
    text.len = len;

    check(ngx_http_ilert_text_valid(&text, pool) == NGX_OK);
    check(fuzz_is_utf8(&text));

    return text;
}


static void
test_error(ngx_str_t *body, ngx_str_t *error)
{
    static const char  not_json[] = "not JSON: ";

    check(error->len > 0);
    test_line(error);

    if (error->len > sizeof(not_json) - 1
        && memcmp(error->data, not_json, sizeof(not_json) - 1) == 0)
    {
        check(!is_json(body, 1));

    } else {
        check(is_json(body, 1));
    }
}


static void
test_line(ngx_str_t *line)
{
    size_t  i;

    check(line->len < 1024);
    check(fuzz_is_utf8(line));

    for (i = 0; i < line->len; i++) {
        check(line->data[i] >= ' ');
    }
}


/*
 * A field that is null has no value, and neither have other fields whose names
 * are the same for a variable.
 */

static int
has_null(ngx_http_ilert_webhook_t *wh)
{
    ngx_uint_t  i;

    for (i = 0; i < wh->nvalues; i++) {
        if (wh->values[i].data[0] == 'n') {
            return 1;
        }
    }

    /* A column for which the row has no value has none either. */

    return wh->nvalues < wh->trigger->columns.nelts;
}


/* A duration as it is written is the same when it is parsed again. */

static void
test_times(ngx_http_ilert_webhook_t *wh)
{
    u_char                           buf[64];
    int64_t                          ns, again;
    ngx_str_t                        text;
    ngx_http_ilert_kapacitor_time_t  time;

    if (ngx_http_ilert_kapacitor_parse_time(&wh->time, &time) == NGX_OK) {
        check(time.nsec < 1000000000);
        check(time.sec >= -62167219200 - 86400);
        check(time.sec <= 253402300800 + 86400);
    }

    if (ngx_http_ilert_kapacitor_parse_duration(&wh->duration, &ns)
        != NGX_OK)
    {
        return;
    }

    text.data = buf;
    text.len = ngx_http_ilert_kapacitor_write_duration(buf, ns) - buf;

    check(text.len <= NGX_HTTP_ILERT_KAPACITOR_DURATION_LEN);
    check(ngx_http_ilert_kapacitor_parse_duration(&text, &again) == NGX_OK);
    check(again == ns
          || (ns / 1000000000 != 0
              && again == ns / 1000000000 * 1000000000));
}


static void
test_variables(ngx_http_ilert_webhook_t *wh, ngx_pool_t *pool)
{
    ngx_int_t                 rc;
    ngx_str_t                *names, name, value;
    ngx_uint_t                i;
    ngx_keyval_t             *tags;
    ngx_http_ilert_series_t  *series;

    series = wh->trigger;

    if (series == NULL) {
        return;
    }

    names = series->columns.elts;

    for (i = 0; i < series->columns.nelts; i++) {
        name = variable_name(&names[i], pool);
        rc = ngx_http_ilert_kapacitor_field(wh, &name, &value, pool);

        if (rc == NGX_OK) {
            check(fuzz_is_utf8(&value));

        } else {
            check(rc == NGX_DECLINED);
            check(wh->row == NULL || i == series->time || has_null(wh));
        }
    }

    tags = series->tags.elts;

    for (i = 0; i < series->tags.nelts; i++) {
        name = variable_name(&tags[i].key, pool);

        check(ngx_http_ilert_kapacitor_tag(wh, &name, &value) == NGX_OK);
        check(fuzz_is_utf8(&value));
    }
}


/* Returns the NAME of $kapacitor_tag_NAME. */

static ngx_str_t
variable_name(ngx_str_t *text, ngx_pool_t *pool)
{
    u_char      ch;
    size_t      i, len;
    ngx_str_t   name;

    name.data = ngx_pnalloc(pool, text->len + 1);
    check(name.data != NULL);

    name.len = 0;

    for (i = 0; i < text->len; i += len) {
        len = strict_utf8(&text->data[i], text->data + text->len);
        check(len > 0);

        ch = text->data[i];

        if (ch >= 'A' && ch <= 'Z') {
            ch += 'a' - 'A';

        } else if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9'))) {
            ch = '_';
        }

        name.data[name.len++] = ch;
    }

    return name;
}


static void
test_event(ngx_http_ilert_event_t *ev, ngx_str_t *body, size_t max_size,
    event_t *event)
{
    strict_json_t  json;

    memset(event, 0, sizeof(event_t));
    event->webhook = body;
    event->strings = 1;
    event->objects = 1;

    memset(&json, 0, sizeof(strict_json_t));
    json.pos = ev->body.data;
    json.end = ev->body.data + ev->body.len;
    json.max_depth = 16;
    json.value = test_value;
    json.data = event;

    check(ev->body.len > 2 && ev->body.len <= max_size);
    check(ev->body.data[0] == '{');
    check(strict_json(&json));
    check(event->type && event->summary);
}


static void
test_value(strict_json_t *json, strict_json_type_e type,
    const unsigned char *text, size_t len, const unsigned char *name,
    size_t name_len)
{
    event_t  *event = json->data;

    if (json->depth == 1) {
        test_member(event, type, text, len, name, name_len);

        event->ninner = 0;
        event->strings = 1;
        event->objects = 1;
        return;
    }

    if (type == STRICT_JSON_NUMBER) {
        test_number(event, text, len);
    }

    if (json->depth == 2) {

        if (name) {
            add_name(event->inner, &event->ninner, name, name_len);
        }

        if (type != STRICT_JSON_STRING) {
            event->strings = 0;
        }

        if (type != STRICT_JSON_OBJECT) {
            event->objects = 0;
        }

        /* A member of the mapping, which is a string, may hide ours. */

        if (name && is(name, name_len, "\"truncated\"")) {
            event->mark = is(text, len, "true") || type == STRICT_JSON_STRING;
        }
    }
}


/* Checks a member of the event. */

static void
test_member(event_t *event, strict_json_type_e type,
    const unsigned char *text, size_t len, const unsigned char *name,
    size_t name_len)
{
    add_name(event->names, &event->nnames, name, name_len);

    if (is(name, name_len, "\"customDetails\"")) {
        check(type == STRICT_JSON_OBJECT);
        event->truncated = event->mark;
        return;
    }

    event->mark = 0;

    if (is(name, name_len, "\"labels\"")) {
        check(type == STRICT_JSON_OBJECT && event->ninner && event->strings);
        return;
    }

    if (is(name, name_len, "\"links\"") || is(name, name_len, "\"images\"")
        || is(name, name_len, "\"services\"")
        || is(name, name_len, "\"comments\""))
    {
        check(type == STRICT_JSON_ARRAY && len > 2 && event->objects);
        return;
    }

    if (is(name, name_len, "\"severity\"")) {
        check(is(text, len, "3"));
        return;
    }

    check(type == STRICT_JSON_STRING);
    check(len > 2);

    if (is(name, name_len, "\"eventType\"")) {
        check(is(text, len, "\"ALERT\"") || is(text, len, "\"RESOLVE\""));
        event->type = 1;

    } else if (is(name, name_len, "\"summary\"")) {
        event->summary = 1;

    } else if (is(name, name_len, "\"priority\"")) {
        check(is(text, len, "\"HIGH\"") || is(text, len, "\"LOW\""));

    } else {
        check(is(name, name_len, "\"alertKey\"")
              || is(name, name_len, "\"details\"")
              || is(name, name_len, "\"routingKey\""));
    }
}


static void
test_number(event_t *event, const unsigned char *text, size_t len)
{
    if (event->nnumbers++ < NUMBERS) {
        check(memmem(event->webhook->data, event->webhook->len, text, len)
              != NULL
              || (len == nanoseconds.len
                  && memcmp(text, nanoseconds.data, len) == 0));
    }
}


static void
add_name(name_t *names, int *n, const unsigned char *name, size_t len)
{
    int  i;

    check(name != NULL);

    for (i = 0; i < *n; i++) {
        check(names[i].len != len || memcmp(names[i].name, name, len) != 0);
    }

    check(*n < NAMES);

    names[*n].name = name;
    names[*n].len = len;
    (*n)++;
}


static int
is(const unsigned char *name, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(name, text, len) == 0;
}


static int
is_json(ngx_str_t *text, int repairable)
{
    return fuzz_is_json(text, NGX_HTTP_ILERT_JSON_MAX_DEPTH, repairable);
}
