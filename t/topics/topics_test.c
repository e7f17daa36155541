
/*
 * Reads Kapacitor's answers with the module's reader, and makes webhooks of
 * them.  It is loaded by an nginx, whose functions it uses, before that does
 * anything (LD_PRELOAD), and ends it.  Orders come from the standard input,
 * each a line and so many bytes:
 *
 *     topics PIECE LEN 0          read a list of topics, in pieces of PIECE
 *     events PIECE LEN TOPIC      read the events of a topic, of "-" any
 *     webhook PIECE LEN 0         parse a webhook
 *     event MAX LEN 0             map a webhook, as one that was lost
 *     fail N LEN 0                read events; the handler fails at the Nth
 *     time COUNT LEN 0            read events COUNT times, and measure
 *
 * The answer to an order is any number of lines, each an object of JSON.  The
 * last one says {"end":"ok"}, or else has an error.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/resource.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_kapacitor.h"
#include "ngx_http_ilert_topics.h"


static void test_run(void) __attribute__((constructor));
static int test_order(char *name, size_t number, char *topic, ngx_str_t *text);
static void test_read(ngx_uint_t events, size_t piece, char *topic,
    ngx_str_t *text, ngx_uint_t fail);
static ngx_int_t test_element(ngx_http_ilert_topics_t *topics,
    ngx_http_ilert_topics_element_t *el);
static void test_parse(ngx_str_t *text, size_t max);
static void test_time(size_t count, ngx_str_t *text);
static ngx_int_t test_nothing(ngx_http_ilert_topics_t *topics,
    ngx_http_ilert_topics_element_t *el);
static void test_print(const char *name, ngx_str_t *text);
static void test_number(const char *name, int64_t n);
static void test_end(const char *text);


static ngx_log_t    test_log;
static ngx_pool_t  *test_pool;
static ngx_uint_t   test_fail;      /* the element whose handler fails, or 0 */


static void
test_run(void)
{
    char       line[256], name[16], topic[128];
    size_t     number, len;
    ngx_str_t  text;

    ngx_pagesize = 4096;

    while (fgets(line, sizeof(line), stdin)) {

        if (sscanf(line, "%15s %zu %zu %127s", name, &number, &len, topic)
            != 4)
        {
            _exit(2);
        }

        /* exactly as large: what is read behind it is found by a sanitizer */

        text.len = len;
        text.data = malloc(len);

        if (text.data == NULL || fread(text.data, 1, len, stdin) != len) {
            _exit(2);
        }

        test_pool = ngx_create_pool(4096, &test_log);

        if (test_pool == NULL || !test_order(name, number, topic, &text)) {
            _exit(2);
        }

        ngx_destroy_pool(test_pool);
        free(text.data);
        fflush(stdout);
    }

    _exit(0);
}


static int
test_order(char *name, size_t number, char *topic, ngx_str_t *text)
{
    if (strcmp(name, "topics") == 0) {
        test_read(0, number, "-", text, 0);

    } else if (strcmp(name, "events") == 0) {
        test_read(1, number, topic, text, 0);

    } else if (strcmp(name, "fail") == 0) {
        test_read(1, 7, "-", text, number);

    } else if (strcmp(name, "webhook") == 0) {
        test_parse(text, 0);

    } else if (strcmp(name, "event") == 0) {
        test_parse(text, number);

    } else if (strcmp(name, "time") == 0) {
        test_time(number, text);

    } else {
        return 0;
    }

    return 1;
}


/* The pieces are copies, each as large as it is. */

static void
test_read(ngx_uint_t events, size_t piece, char *topic, ngx_str_t *text,
    ngx_uint_t fail)
{
    u_char                   *copy;
    size_t                    at, n;
    ngx_int_t                 rc;
    ngx_http_ilert_topics_t   topics;

    test_fail = fail;
    rc = NGX_OK;

    if (ngx_http_ilert_topics_init(&topics, events, test_element, &test_pool,
                                   test_pool)
        != NGX_OK)
    {
        _exit(2);
    }

    if (strcmp(topic, "-") != 0) {
        topics.topic.data = (u_char *) topic;
        topics.topic.len = strlen(topic);
    }

    for (at = 0; at < text->len && rc == NGX_OK; at += n) {
        n = ngx_min(piece, text->len - at);

        copy = malloc(n);
        memcpy(copy, text->data + at, n);

        rc = ngx_http_ilert_topics_read(&topics, copy, n);

        free(copy);
    }

    if (rc != NGX_OK
        && ngx_http_ilert_topics_read(&topics, (u_char *) " ", 1) != NGX_ERROR)
    {
        test_end("an error was forgotten");
        return;
    }

    if (ngx_http_ilert_topics_end(&topics) == NGX_OK) {
        test_end((rc == NGX_OK && topics.error == NULL) ? "ok" : "mistaken");

    } else {
        test_end(topics.error ? topics.error : "failed");
    }

    ngx_http_ilert_topics_close(&topics);
    ngx_http_ilert_topics_close(&topics);
}


static ngx_int_t
test_element(ngx_http_ilert_topics_t *topics,
    ngx_http_ilert_topics_element_t *el)
{
    ngx_str_t    body;
    ngx_pool_t  *pool;

    if (topics->data != &test_pool) {
        _exit(2);
    }

    if (test_fail && --test_fail == 0) {
        return NGX_ERROR;
    }

    printf("{");
    test_print("id", &el->id);

    if (el->time.data == NULL) {
        test_number("collected", el->collected);
        printf("\"topic\":true}\n");
        return NGX_OK;
    }

    test_print("message", &el->message);
    test_print("details", &el->details);
    test_print("time", &el->time);
    test_print("duration", &el->duration);
    test_number("ns", el->ns);
    test_print("level", &ngx_http_ilert_level_names[el->level]);

    pool = ngx_create_pool(4096, &test_log);

    if (ngx_http_ilert_topics_webhook(el, NGX_HTTP_ILERT_WARNING, 0, &body,
                                      pool)
        != NGX_OK)
    {
        _exit(2);
    }

    test_print("body", &body);

    if (ngx_http_ilert_topics_webhook(el, NGX_HTTP_ILERT_OK, 1, &body, pool)
        != NGX_OK)
    {
        _exit(2);
    }

    test_print("first", &body);

    ngx_destroy_pool(pool);

    printf("\"topic\":false}\n");

    return NGX_OK;
}


/* Parses a webhook; with "max" it is mapped, too, to an event so large. */

static void
test_parse(ngx_str_t *text, size_t max)
{
    u_char                     digest[17];
    ngx_str_t                  error, name;
    ngx_http_ilert_event_t     ev;
    ngx_http_ilert_mapping_t   mapping;
    ngx_http_ilert_webhook_t   wh;

    if (ngx_http_ilert_kapacitor_parse(&wh, text, &error, test_pool)
        != NGX_OK)
    {
        printf("{");
        test_print("error", &error);
        printf("\"end\":\"refused\"}\n");
        return;
    }

    printf("{");
    test_print("key", &wh.key);
    test_print("name", &wh.name);
    test_print("task", &wh.task);
    test_print("group", &wh.group);
    test_print("server", &wh.server);
    test_print("odd", &wh.odd);
    test_number("ns", ngx_http_ilert_kapacitor_ns(&wh));

    name.data = digest;
    name.len = ngx_sprintf(digest, "%016xL",
                           ngx_http_ilert_kapacitor_digest(&wh))
               - digest;
    test_print("digest", &name);

    if (max) {
        ngx_memzero(&ev, sizeof(ngx_http_ilert_event_t));
        ngx_memzero(&mapping, sizeof(ngx_http_ilert_mapping_t));
        ngx_str_null(&name);

        wh.reconciled = 1;

        ngx_http_ilert_event_type(&ev, &wh, &name);

        if (ngx_http_ilert_event_key(&ev, &wh, &name, max, &error, test_pool)
            != NGX_OK
            || ngx_http_ilert_event_map(&ev, &wh, &mapping, max, test_pool)
               != NGX_OK)
        {
            _exit(2);
        }

        test_print("event", &ev.body);
    }

    printf("\"test\":%d}\n", wh.test);
    test_end("ok");
}


static void
test_time(size_t count, ngx_str_t *text)
{
    size_t                    i, at, n;
    uint64_t                  us, longest, all;
    struct timespec           begin, end;
    struct rusage             before, after;
    ngx_http_ilert_topics_t   topics;

    longest = 0;
    all = 0;

    getrusage(RUSAGE_SELF, &before);

    for (i = 0; i < count; i++) {
        if (ngx_http_ilert_topics_init(&topics, 1, test_nothing, NULL,
                                       test_pool)
            != NGX_OK)
        {
            _exit(2);
        }

        for (at = 0; at < text->len; at += n) {
            n = ngx_min(65536, text->len - at);

            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);

            if (ngx_http_ilert_topics_read(&topics, text->data + at, n)
                != NGX_OK)
            {
                _exit(2);
            }

            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);

            us = (end.tv_sec - begin.tv_sec) * 1000000
                 + (end.tv_nsec - begin.tv_nsec) / 1000;
            all += us;
            longest = ngx_max(longest, us);
        }

        if (ngx_http_ilert_topics_end(&topics) != NGX_OK) {
            _exit(2);
        }

        ngx_http_ilert_topics_close(&topics);
    }

    getrusage(RUSAGE_SELF, &after);

    printf("{");
    test_number("us", all / count);
    test_number("longest_us", longest);
    test_number("kilobytes", after.ru_maxrss - before.ru_maxrss);
    printf("\"end\":\"ok\"}\n");
}


static ngx_int_t
test_nothing(ngx_http_ilert_topics_t *topics,
    ngx_http_ilert_topics_element_t *el)
{
    return NGX_OK;
}


static void
test_print(const char *name, ngx_str_t *text)
{
    u_char                        *p;
    size_t                         size;
    ngx_http_ilert_json_writer_t   w;

    if (text->data == NULL) {
        return;
    }

    size = 2 + text->len + ngx_escape_json(NULL, text->data, text->len);

    p = malloc(size);

    w.pos = p;
    w.last = p + size;
    w.full = 0;

    ngx_http_ilert_json_string(&w, text);

    printf("\"%s\":", name);
    fwrite(p, 1, w.pos - p, stdout);
    printf(",");

    free(p);
}


static void
test_number(const char *name, int64_t n)
{
    printf("\"%s\":%lld,", name, (long long) n);
}


static void
test_end(const char *text)
{
    ngx_str_t  end;

    end.data = (u_char *) text;
    end.len = strlen(text);

    printf("{");
    test_print("end", &end);
    printf("\"last\":true}\n");
}
