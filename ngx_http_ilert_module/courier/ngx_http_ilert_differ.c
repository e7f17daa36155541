
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>

#include "ngx_http_ilert_differ.h"


static void ngx_http_ilert_differ_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_http_ilert_differ_compare(ngx_rbtree_key_t key,
    u_char *bytes, ngx_rbtree_node_t *node);
static ngx_rbtree_key_t ngx_http_ilert_differ_hash(u_char *key);


void
ngx_http_ilert_differ_init(ngx_http_ilert_differ_t *differ)
{
    ngx_rbtree_init(&differ->tree, &differ->sentinel,
                    ngx_http_ilert_differ_insert);
    ngx_queue_init(&differ->list);

    differ->n = 0;
}


static void
ngx_http_ilert_differ_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t            **p;
    ngx_http_ilert_difference_t   *d;

    d = (ngx_http_ilert_difference_t *) node;

    for ( ;; ) {

        p = (ngx_http_ilert_differ_compare(node->key, d->key, temp) < 0)
            ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static ngx_int_t
ngx_http_ilert_differ_compare(ngx_rbtree_key_t key, u_char *bytes,
    ngx_rbtree_node_t *node)
{
    if (key != node->key) {
        return (key < node->key) ? -1 : 1;
    }

    return ngx_memcmp(bytes, ((ngx_http_ilert_difference_t *) node)->key,
                      NGX_HTTP_ILERT_DIFFER_KEY);
}


static ngx_rbtree_key_t
ngx_http_ilert_differ_hash(u_char *key)
{
    ngx_rbtree_key_t  hash;

    ngx_memcpy(&hash, key, sizeof(ngx_rbtree_key_t));

    return hash;
}


void
ngx_http_ilert_differ_key(ngx_str_t *id, u_char *key)
{
    ngx_md5_t  md5;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, id->data, id->len);
    ngx_md5_final(key, &md5);
}


ngx_http_ilert_difference_t *
ngx_http_ilert_differ_find(ngx_http_ilert_differ_t *differ, u_char *key)
{
    ngx_int_t           rc;
    ngx_rbtree_key_t    hash;
    ngx_rbtree_node_t  *node;

    hash = ngx_http_ilert_differ_hash(key);
    node = differ->tree.root;

    while (node != &differ->sentinel) {

        rc = ngx_http_ilert_differ_compare(hash, key, node);

        if (rc == 0) {
            return (ngx_http_ilert_difference_t *) node;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


ngx_http_ilert_difference_t *
ngx_http_ilert_differ_note(ngx_http_ilert_differ_t *differ, u_char *key,
    ngx_uint_t poll, ngx_http_ilert_store_state_t *state, ngx_uint_t absent)
{
    ngx_http_ilert_difference_t  *d;

    d = ngx_http_ilert_differ_find(differ, key);

    if (d == NULL) {

        if (differ->n == NGX_HTTP_ILERT_DIFFER_MAX) {
            return NULL;
        }

        d = ngx_calloc(sizeof(ngx_http_ilert_difference_t), ngx_cycle->log);
        if (d == NULL) {
            return NULL;
        }

        ngx_memcpy(d->key, key, NGX_HTTP_ILERT_DIFFER_KEY);
        d->node.key = ngx_http_ilert_differ_hash(key);

        ngx_rbtree_insert(&differ->tree, &d->node);
        ngx_queue_insert_tail(&differ->list, &d->queue);
        differ->n++;

    } else if (d->time != state->time || d->level != state->level
               || d->heard != state->heard || d->was_time != state->was_time
               || d->was_level != state->was_level || d->absent != absent)
    {
        d->polls = 0;
        d->later = 0;
        d->elsewhere = 0;
        d->element = NULL;
    }

    d->time = state->time;
    d->level = state->level;
    d->heard = state->heard;
    d->was_time = state->was_time;
    d->was_level = state->was_level;
    d->absent = absent;

    d->polls++;
    d->poll = poll;

    return d;
}


void
ngx_http_ilert_differ_remove(ngx_http_ilert_differ_t *differ,
    ngx_http_ilert_difference_t *d)
{
    ngx_rbtree_delete(&differ->tree, &d->node);
    ngx_queue_remove(&d->queue);
    differ->n--;

    ngx_free(d);
}


void
ngx_http_ilert_differ_clean(ngx_http_ilert_differ_t *differ, ngx_uint_t poll)
{
    ngx_queue_t                  *q, *next;
    ngx_http_ilert_difference_t  *d;

    for (q = ngx_queue_head(&differ->list);
         q != ngx_queue_sentinel(&differ->list);
         q = next)
    {
        next = ngx_queue_next(q);
        d = ngx_queue_data(q, ngx_http_ilert_difference_t, queue);

        if (poll == 0 || d->poll != poll) {
            ngx_http_ilert_differ_remove(differ, d);
        }
    }
}


ngx_uint_t
ngx_http_ilert_differ_is_lost(ngx_http_ilert_difference_t *d,
    ngx_http_ilert_differ_facts_t *facts)
{
    if (d->absent) {
        return d->polls >= NGX_HTTP_ILERT_DIFFER_ABSENT_POLLS
               && facts->up >= NGX_HTTP_ILERT_DIFFER_ABSENT_TIME;
    }

    if (d->polls < 2) {
        return 0;
    }

    if (facts->taken && facts->latest > d->time) {
        d->later = 1;
    }

    return d->later || (!facts->moved && !facts->taken);
}


ngx_uint_t
ngx_http_ilert_differ_is_there(ngx_http_ilert_difference_t *d,
    ngx_http_ilert_store_state_t *state, ngx_uint_t learned)
{
    if (state->time == d->was_time && state->level == d->was_level) {
        return 1;
    }

    return learned && state->time >= d->was_time;
}


ngx_uint_t
ngx_http_ilert_differ_is_update(ngx_http_ilert_difference_t *d)
{
    return d->heard ? d->level == d->was_level
                    : d->level == NGX_HTTP_ILERT_OK;
}


/*
 * "*" stands for any number of characters.  After each "*" the text that
 * follows it is looked for at each later place.
 */

ngx_uint_t
ngx_http_ilert_differ_matches(ngx_str_t *pattern, ngx_str_t *text)
{
    size_t  p, t, star, from;

    p = 0;
    t = 0;
    star = pattern->len;
    from = 0;

    while (t < text->len) {

        if (p < pattern->len && pattern->data[p] == '*') {
            star = p++;
            from = t;

        } else if (p < pattern->len && pattern->data[p] == text->data[t]) {
            p++;
            t++;

        } else if (star < pattern->len) {
            p = star + 1;
            t = ++from;

        } else {
            return 0;
        }
    }

    while (p < pattern->len && pattern->data[p] == '*') {
        p++;
    }

    return p == pattern->len;
}
