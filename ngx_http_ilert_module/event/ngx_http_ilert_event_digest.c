
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event_digest.h"
#include "ngx_http_ilert_event_write.h"
#include "ngx_http_ilert_text.h"


/*
 * The list has a part for each level, the most urgent one first.  A line of it
 * is an alert with its age and the summary of its last event; alerts whose
 * lines do not fit are in one paragraph behind the lines of their level, only
 * by their keys; and what does not fit even so is counted.
 *
 * ilert takes summary and details of an event only if this opens the alert.
 * Later events are shown in the log of the alert, with their summary and their
 * comments: so an event that updates has the list in a comment, and in details
 * as well if there is room for both.  Kapacitor's form has no comments.
 */


/*
 * bytes of a source's name in the alert key of its digest: more might not fit
 * the smallest event
 */

#define NGX_HTTP_ILERT_DIGEST_LONG_NAME  256

/* bytes of names that are shown: of the source, and of alerts in a summary */

#define NGX_HTTP_ILERT_DIGEST_NAME     128
#define NGX_HTTP_ILERT_DIGEST_KEY      60

/* new alerts that a summary names */

#define NGX_HTTP_ILERT_DIGEST_NAMES    5

/* bytes that are enough for a summary */

#define NGX_HTTP_ILERT_DIGEST_SUMMARY                                         \
    (NGX_HTTP_ILERT_DIGEST_NAME                                               \
     + NGX_HTTP_ILERT_DIGEST_NAMES * (NGX_HTTP_ILERT_DIGEST_KEY + 16) + 256)

/*
 * bytes that are enough for a heading without backticks, and for the last line
 * of the list
 */

#define NGX_HTTP_ILERT_DIGEST_HEADING  64

/*
 * bytes of an alert's key that are shown; the longest one takes half of an
 * event
 */

#define NGX_HTTP_ILERT_DIGEST_LONG_KEY 400

/* bytes of an event around its summary, its key, and its lists */

#define NGX_HTTP_ILERT_DIGEST_AROUND   256


static ngx_int_t ngx_http_ilert_event_digest_clean(
    ngx_http_ilert_digest_list_t *list, ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_event_digest_line(ngx_str_t *text, size_t max,
    ngx_pool_t *pool);
static u_char *ngx_http_ilert_event_digest_summary(u_char *p,
    ngx_http_ilert_event_t *ev, ngx_http_ilert_digest_list_t *list);
static u_char *ngx_http_ilert_event_digest_fresh(u_char *p,
    ngx_http_ilert_digest_list_t *list);
static u_char *ngx_http_ilert_event_digest_counts(u_char *p,
    ngx_http_ilert_digest_list_t *list);
static u_char *ngx_http_ilert_event_digest_age(u_char *p, int64_t ms);
static size_t ngx_http_ilert_event_digest_choose(
    ngx_http_ilert_digest_list_t *list, ngx_uint_t html, size_t room,
    u_char *buf);
static u_char *ngx_http_ilert_event_digest_member(u_char *p,
    ngx_http_ilert_digest_list_t *list,
    ngx_http_ilert_digest_member_t *member, ngx_uint_t html, ngx_uint_t brief);
static u_char *ngx_http_ilert_event_digest_brief(u_char *p,
    ngx_http_ilert_digest_member_t *member, ngx_uint_t html);
static u_char *ngx_http_ilert_event_digest_escape(u_char *p, ngx_str_t *text,
    ngx_uint_t html);
static u_char *ngx_http_ilert_event_digest_code(u_char *p, ngx_str_t *key);
static size_t ngx_http_ilert_event_digest_fence(ngx_str_t *key);
static u_char *ngx_http_ilert_event_digest_list(u_char *p,
    ngx_http_ilert_digest_list_t *list, ngx_uint_t html);
static u_char *ngx_http_ilert_event_digest_head(u_char *p,
    ngx_http_ilert_digest_list_t *list, ngx_uint_t level, ngx_uint_t html,
    ngx_uint_t brief);
static u_char *ngx_http_ilert_event_digest_foot(u_char *p,
    ngx_http_ilert_digest_list_t *list, ngx_uint_t html, ngx_uint_t brief);
static size_t ngx_http_ilert_event_digest_cost(u_char *from, u_char *to);
static ngx_int_t ngx_http_ilert_event_digest_write(ngx_http_ilert_event_t *ev,
    ngx_str_t *summary, ngx_str_t *details, ngx_str_t *comment, size_t size,
    ngx_pool_t *pool);


ngx_int_t
ngx_http_ilert_event_digest_key(ngx_str_t *source, ngx_str_t *key,
    ngx_pool_t *pool)
{
    ngx_str_t  name;

    name = *source;

    if (ngx_http_ilert_text_valid(&name, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    name.len = ngx_http_ilert_text_cut(&name,
                                       NGX_HTTP_ILERT_DIGEST_LONG_NAME);

    key->data = ngx_pnalloc(pool, sizeof("ilert-digest:") - 1 + name.len);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    key->len = ngx_sprintf(key->data, "ilert-digest:%V", &name) - key->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_event_digest(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_digest_list_t *list, ngx_uint_t passthrough,
    size_t max_size, ngx_pool_t *pool)
{
    size_t      used, room;
    u_char     *buf, summary_buf[NGX_HTTP_ILERT_DIGEST_SUMMARY];
    ngx_str_t   summary, details, comment;

    if (ngx_http_ilert_event_digest_clean(list, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    ev->level = NGX_HTTP_ILERT_OK;

    if (ev->type == NGX_HTTP_ILERT_ALERT) {

        ev->level = NGX_HTTP_ILERT_CRITICAL;

        while (ev->level > NGX_HTTP_ILERT_WARNING
               && list->bad[ev->level] == 0
               && ev->priority != NGX_HTTP_ILERT_HIGH)
        {
            ev->level--;
        }
    }

    summary.data = summary_buf;
    summary.len = ngx_http_ilert_event_digest_summary(summary_buf, ev, list)
                  - summary_buf;

    used = NGX_HTTP_ILERT_DIGEST_AROUND + summary.len
           + ngx_escape_json(NULL, summary.data, summary.len)
           + ev->alert_key.len
           + ngx_escape_json(NULL, ev->alert_key.data, ev->alert_key.len);

    room = (max_size > used) ? max_size - used : 0;

    /* a text has no more bytes than it has as JSON */

    buf = ngx_pnalloc(pool, room + 16 * NGX_HTTP_ILERT_DIGEST_LONG_KEY);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    details.data = buf;
    details.len = ngx_http_ilert_event_digest_choose(list, passthrough, room,
                                                     buf);
    ngx_str_null(&comment);

    if (passthrough) {

        ev->body.data = ngx_pnalloc(pool, max_size);
        if (ev->body.data == NULL) {
            return NGX_ERROR;
        }

        ngx_http_ilert_event_own(ev, 1, &summary, &details, list->now / 1000,
                                 ev->body.data + max_size);
        return NGX_OK;
    }

    if (list->updates && details.len) {

        comment = details;

        if (2 * ngx_http_ilert_event_digest_cost(details.data,
                                                 details.data + details.len)
            > room)
        {
            ngx_str_set(&details, "The list is in the last comment.");
        }
    }

    return ngx_http_ilert_event_digest_write(ev, &summary, &details, &comment,
                                             max_size, pool);
}


/* Makes all texts of the list lines of valid UTF-8 that are not too long. */

static ngx_int_t
ngx_http_ilert_event_digest_clean(ngx_http_ilert_digest_list_t *list,
    ngx_pool_t *pool)
{
    ngx_uint_t                       i;
    ngx_http_ilert_digest_member_t  *member;

    if (ngx_http_ilert_event_digest_line(&list->source,
                                         NGX_HTTP_ILERT_DIGEST_NAME, pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < list->nmembers; i++) {
        member = &list->members[i];

        if (ngx_http_ilert_event_digest_line(&member->key,
                                             NGX_HTTP_ILERT_DIGEST_LONG_KEY,
                                             pool)
            != NGX_OK
            || ngx_http_ilert_event_digest_line(&member->summary,
                                                NGX_HTTP_ILERT_DIGEST_TEXT,
                                                pool)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_event_digest_line(ngx_str_t *text, size_t max, ngx_pool_t *pool)
{
    ngx_str_t  valid;

    if (text->len == 0) {
        return NGX_OK;
    }

    valid = *text;

    if (ngx_http_ilert_text_valid(&valid, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    valid.len = ngx_http_ilert_text_cut(&valid, max);

    text->data = ngx_pnalloc(pool, valid.len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text->data, valid.data, valid.len);
    text->len = valid.len;

    ngx_http_ilert_text_line(text);

    return NGX_OK;
}


static u_char *
ngx_http_ilert_event_digest_summary(u_char *p, ngx_http_ilert_event_t *ev,
    ngx_http_ilert_digest_list_t *list)
{
    p = ngx_sprintf(p, "Digest of %V", &list->source);

    if (ev->type == NGX_HTTP_ILERT_RESOLVE) {
        p = ngx_cpymem(p, " is over after ", sizeof(" is over after ") - 1);
        p = ngx_http_ilert_event_digest_age(p, list->now - list->opened);

    } else if (list->updates) {
        p = ngx_http_ilert_event_digest_fresh(p, list);
    }

    *p++ = (ev->type == NGX_HTTP_ILERT_RESOLVE || list->updates) ? ';' : ':';
    *p++ = ' ';

    return ngx_http_ilert_event_digest_counts(p, list);
}


/* What is new since the last event: the first ones are named. */

static u_char *
ngx_http_ilert_event_digest_fresh(u_char *p,
    ngx_http_ilert_digest_list_t *list)
{
    ngx_str_t                        key;
    ngx_uint_t                       i, n, level;
    ngx_http_ilert_digest_member_t  *member;

    n = 0;
    level = NGX_HTTP_ILERT_OK;

    for (i = 0; i < list->nmembers; i++) {
        n += list->members[i].fresh;
    }

    if (n == 0) {
        return ngx_cpymem(p, ": nothing new", sizeof(": nothing new") - 1);
    }

    p = ngx_sprintf(p, ": %ui new:", n);
    n = 0;

    for (i = 0; i < list->nmembers; i++) {
        member = &list->members[i];

        if (!member->fresh || n++ >= NGX_HTTP_ILERT_DIGEST_NAMES) {
            continue;
        }

        if (n > 1) {
            *p++ = ',';
        }

        if (member->level != level) {
            level = member->level;
            p = ngx_sprintf(p, " %V", &ngx_http_ilert_level_names[level]);
        }

        key.data = member->key.data;
        key.len = ngx_http_ilert_text_cut(&member->key,
                                          NGX_HTTP_ILERT_DIGEST_KEY);

        p = ngx_sprintf(p, " %V", &key);
    }

    if (n > NGX_HTTP_ILERT_DIGEST_NAMES) {
        p = ngx_sprintf(p, ", and %ui more", n - NGX_HTTP_ILERT_DIGEST_NAMES);
    }

    return p;
}


static u_char *
ngx_http_ilert_event_digest_counts(u_char *p,
    ngx_http_ilert_digest_list_t *list)
{
    int64_t     n;
    ngx_uint_t  level, first;

    n = 0;
    first = 1;

    for (level = NGX_HTTP_ILERT_OK + 1; level <= NGX_HTTP_ILERT_CRITICAL;
         level++)
    {
        n += list->bad[level];
    }

    if (n == 0) {
        return ngx_cpymem(p, "no alert is bad", sizeof("no alert is bad") - 1);
    }

    p = ngx_sprintf(p, "%L alert%s bad: ", n, (n == 1) ? " is" : "s are");

    for (level = NGX_HTTP_ILERT_CRITICAL; level > NGX_HTTP_ILERT_OK; level--) {

        if (list->bad[level]) {
            p = ngx_sprintf(p, "%s%L %V", first ? "" : ", ", list->bad[level],
                            &ngx_http_ilert_level_names[level]);
            first = 0;
        }
    }

    return p;
}


/* Writes 5s, 3m, 2h5m, or 4d3h. */

static u_char *
ngx_http_ilert_event_digest_age(u_char *p, int64_t ms)
{
    int64_t  n;

    n = ngx_max(ms, 0) / 1000;

    if (n < 60) {
        return ngx_sprintf(p, "%Ls", n);
    }

    n /= 60;

    if (n < 60) {
        return ngx_sprintf(p, "%Lm", n);
    }

    if (n < 24 * 60) {
        return ngx_sprintf(p, "%Lh%Lm", n / 60, n % 60);
    }

    n /= 60;

    return ngx_sprintf(p, "%Ld%Lh", n / 24, n % 24);
}


/*
 * Chooses which alerts are named, and which of them only by their keys, so
 * that the list takes at most "room" bytes as a string of JSON.  Writes the
 * list to "buf", and returns its length.
 */

static size_t
ngx_http_ilert_event_digest_choose(ngx_http_ilert_digest_list_t *list,
    ngx_uint_t html, size_t room, u_char *buf)
{
    u_char                          *p;
    size_t                           used, least;
    ngx_uint_t                       i, n;
    ngx_http_ilert_digest_member_t  *member;

    least = 0;
    list->fence = 1;

    for (i = 0; i < list->nmembers; i++) {
        member = &list->members[i];

        list->fence = ngx_max(list->fence,
                              ngx_http_ilert_event_digest_fence(&member->key));

        p = ngx_http_ilert_event_digest_member(buf, list, member, html, 0);
        member->full = ngx_http_ilert_event_digest_cost(buf, p);

        p = ngx_http_ilert_event_digest_member(buf, list, member, html, 1);
        member->least = ngx_http_ilert_event_digest_cost(buf, p);

        least += member->least;
    }

    /* two headings for each level, what is around, and the last line */

    used = (2 * NGX_HTTP_ILERT_CRITICAL + 2) * NGX_HTTP_ILERT_DIGEST_HEADING
           + 2 * NGX_HTTP_ILERT_CRITICAL * list->fence;
    room = (room > used) ? room - used : 0;

    n = list->nmembers;

    while (n && least > room) {
        least -= list->members[--n].least;
    }

    for (i = 0; i < list->nmembers; i++) {
        member = &list->members[i];

        member->named = (i < n);
        member->brief = 1;
    }

    /* one after the other becomes a line, as long as all others fit */

    for (i = 0; i < n; i++) {
        member = &list->members[i];

        least += member->full - member->least;

        if (least > room) {
            break;
        }

        member->brief = 0;
    }

    return ngx_http_ilert_event_digest_list(buf, list, html) - buf;
}


/* Writes a line for an alert, or only its key, with what comes before it. */

static u_char *
ngx_http_ilert_event_digest_member(u_char *p,
    ngx_http_ilert_digest_list_t *list,
    ngx_http_ilert_digest_member_t *member, ngx_uint_t html, ngx_uint_t brief)
{
    if (brief) {
        p = ngx_cpymem(p, ", ", 2);
        return ngx_http_ilert_event_digest_brief(p, member, html);
    }

    p = ngx_cpymem(p, "\n- ", 3);

    p = html ? ngx_http_ilert_event_digest_escape(p, &member->key, 1)
             : ngx_http_ilert_event_digest_code(p, &member->key);

    *p++ = ' ';
    p = ngx_http_ilert_event_digest_age(p, list->now - member->begun);

    if (member->fresh && list->updates) {
        p = ngx_cpymem(p, ", new", sizeof(", new") - 1);
    }

    if (member->summary.len) {
        p = ngx_cpymem(p, ": ", 2);
        p = ngx_http_ilert_event_digest_escape(p, &member->summary, html);
    }

    return p;
}


/* Writes a key where there are others; in Markdown that is within code. */

static u_char *
ngx_http_ilert_event_digest_brief(u_char *p,
    ngx_http_ilert_digest_member_t *member, ngx_uint_t html)
{
    return html ? ngx_http_ilert_event_digest_escape(p, &member->key, 1)
                : ngx_cpymem(p, member->key.data, member->key.len);
}


/* Escapes what would be markup, of HTML or of Markdown, within a line. */

static u_char *
ngx_http_ilert_event_digest_escape(u_char *p, ngx_str_t *text, ngx_uint_t html)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < text->len; i++) {
        ch = text->data[i];

        if (html && ch == '<') {
            p = ngx_cpymem(p, "&lt;", 4);
            continue;
        }

        if (html && ch == '>') {
            p = ngx_cpymem(p, "&gt;", 4);
            continue;
        }

        if (html && ch == '&') {
            p = ngx_cpymem(p, "&amp;", 5);
            continue;
        }

        if (!html && ngx_strlchr((u_char *) "\\`*_[]<&~|",
                                 (u_char *) "\\`*_[]<&~|" + 10, ch))
        {
            *p++ = '\\';
        }

        *p++ = ch;
    }

    return p;
}


/* Writes a key as Markdown's code, in which nothing is escaped. */

static u_char *
ngx_http_ilert_event_digest_code(u_char *p, ngx_str_t *key)
{
    size_t      fence;
    ngx_uint_t  space;

    fence = ngx_http_ilert_event_digest_fence(key);

    space = key->len && (key->data[0] == '`' || key->data[key->len - 1] == '`'
                         || key->data[0] == ' '
                         || key->data[key->len - 1] == ' ');

    ngx_memset(p, '`', fence);
    p += fence;

    if (space) {
        *p++ = ' ';
    }

    p = ngx_cpymem(p, key->data, key->len);

    if (space) {
        *p++ = ' ';
    }

    ngx_memset(p, '`', fence);

    return p + fence;
}


/* One more backtick than there are in a row in the key. */

static size_t
ngx_http_ilert_event_digest_fence(ngx_str_t *key)
{
    size_t  i, run, most;

    run = 0;
    most = 0;

    for (i = 0; i < key->len; i++) {
        run = (key->data[i] == '`') ? run + 1 : 0;
        most = ngx_max(most, run);
    }

    return most + 1;
}


static u_char *
ngx_http_ilert_event_digest_list(u_char *p, ngx_http_ilert_digest_list_t *list,
    ngx_uint_t html)
{
    int64_t                          more;
    ngx_uint_t                       i, level, brief;
    ngx_http_ilert_digest_member_t  *member;

    more = 0;
    brief = 0;
    level = NGX_HTTP_ILERT_OK;

    for (i = NGX_HTTP_ILERT_OK + 1; i <= NGX_HTTP_ILERT_CRITICAL; i++) {
        more += list->bad[i];
    }

    if (html && list->nmembers) {
        p = ngx_cpymem(p, "<pre>", sizeof("<pre>") - 1);
    }

    for (i = 0; i < list->nmembers && list->members[i].named; i++) {

        member = &list->members[i];
        more--;

        if (member->level == level && member->brief == brief) {
            p = ngx_http_ilert_event_digest_member(p, list, member, html,
                                                   brief);
            continue;
        }

        p = ngx_http_ilert_event_digest_foot(p, list, html, brief);

        if (level) {
            p = ngx_cpymem(p, "\n\n", 2);
        }

        level = member->level;
        brief = member->brief;

        p = ngx_http_ilert_event_digest_head(p, list, level, html, brief);

        /* the first key of a paragraph has no comma before it */

        p = brief ? ngx_http_ilert_event_digest_brief(p, member, html)
                  : ngx_http_ilert_event_digest_member(p, list, member, html,
                                                       0);
    }

    p = ngx_http_ilert_event_digest_foot(p, list, html, brief);

    if (more > 0) {
        p = ngx_sprintf(p, "%sand %L more", level ? "\n\n" : "", more);
    }

    if (html && list->nmembers) {
        p = ngx_cpymem(p, "</pre>", sizeof("</pre>") - 1);
    }

    return p;
}


/* Begins a part of the list: lines, or a paragraph of code with keys. */

static u_char *
ngx_http_ilert_event_digest_head(u_char *p, ngx_http_ilert_digest_list_t *list,
    ngx_uint_t level, ngx_uint_t html, ngx_uint_t brief)
{
    ngx_str_t   *name;
    const char  *mark;

    name = &ngx_http_ilert_level_names[level];
    mark = html ? "" : "**";

    if (!brief) {
        return ngx_sprintf(p, "%s%V%s: %L\n", mark, name, mark,
                           list->bad[level]);
    }

    p = ngx_sprintf(p, "%s%V%s, others: ", mark, name, mark);

    if (!html) {
        ngx_memset(p, '`', list->fence);
        p += list->fence;
        *p++ = ' ';
    }

    return p;
}


static u_char *
ngx_http_ilert_event_digest_foot(u_char *p, ngx_http_ilert_digest_list_t *list,
    ngx_uint_t html, ngx_uint_t brief)
{
    if (brief && !html) {
        *p++ = ' ';
        ngx_memset(p, '`', list->fence);
        p += list->fence;
    }

    return p;
}


/* Returns the number of bytes that a text takes as a string of JSON. */

static size_t
ngx_http_ilert_event_digest_cost(u_char *from, u_char *to)
{
    return (to - from) + ngx_escape_json(NULL, from, to - from);
}


static ngx_int_t
ngx_http_ilert_event_digest_write(ngx_http_ilert_event_t *ev,
    ngx_str_t *summary, ngx_str_t *details, ngx_str_t *comment, size_t size,
    ngx_pool_t *pool)
{
    ngx_http_ilert_json_writer_t  w;

    ev->body.data = ngx_pnalloc(pool, size);
    if (ev->body.data == NULL) {
        return NGX_ERROR;
    }

    w.pos = ev->body.data;
    w.last = w.pos + size;
    w.full = 0;

    ngx_http_ilert_json_literal(&w, "{\"eventType\":");
    ngx_http_ilert_json_string(&w, &ngx_http_ilert_types[ev->type]);
    ngx_http_ilert_json_literal(&w, ",\"summary\":");
    ngx_http_ilert_json_string(&w, summary);

    if (details->len) {
        ngx_http_ilert_json_literal(&w, ",\"details\":");
        ngx_http_ilert_json_string(&w, details);
    }

    ngx_http_ilert_json_literal(&w, ",\"alertKey\":");
    ngx_http_ilert_json_string(&w, &ev->alert_key);

    if (ev->priority == NGX_HTTP_ILERT_LOW) {
        ngx_http_ilert_json_literal(&w, ",\"priority\":\"LOW\"");

    } else if (ev->priority == NGX_HTTP_ILERT_HIGH) {
        ngx_http_ilert_json_literal(&w, ",\"priority\":\"HIGH\"");
    }

    if (comment->len) {
        ngx_http_ilert_json_literal(&w,
                              ",\"comments\":[{\"creator\":\"nginx\","
                              "\"content\":");
        ngx_http_ilert_json_string(&w, comment);
        ngx_http_ilert_json_literal(&w, "}]");
    }

    ngx_http_ilert_json_literal(&w, "}");

    ev->body.len = w.pos - ev->body.data;

    return NGX_OK;
}
