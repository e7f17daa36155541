
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_find.h"


/*
 * nginx's own function needs a request, and may answer that.  The rules are
 * those of the directive "location": an exact location wins.  Else the longest
 * prefix is remembered, and locations inside of it are looked at.  If what was
 * found is a prefix, the regular expressions beside it come next, unless it
 * has "^~"; the first one that matches wins.
 *
 * nginx keeps prefixes in a tree, in which names are cut into pieces.  All of
 * the tree is looked through here, as this is done once for a directive, and
 * each location has its whole name.
 */

static ngx_http_core_loc_conf_t *ngx_http_ilert_find_below(
    ngx_http_core_loc_conf_t *clcf, ngx_str_t *uri, ngx_uint_t *final);
static ngx_http_core_loc_conf_t *ngx_http_ilert_find_prefix(
    ngx_http_location_tree_node_t *node, ngx_str_t *uri,
    ngx_http_core_loc_conf_t *best);


ngx_http_core_loc_conf_t *
ngx_http_ilert_find_location(ngx_http_core_loc_conf_t *clcf, ngx_str_t *uri)
{
    ngx_uint_t  final;

    return ngx_http_ilert_find_below(clcf, uri, &final);
}


/* Sets "final" if no regular expression outside of "clcf" can win. */

static ngx_http_core_loc_conf_t *
ngx_http_ilert_find_below(ngx_http_core_loc_conf_t *clcf, ngx_str_t *uri,
    ngx_uint_t *final)
{
    ngx_http_core_loc_conf_t   *prefix, *found;
#if (NGX_PCRE)
    ngx_http_core_loc_conf_t  **regex;
#endif

    *final = 0;
    found = clcf;

    prefix = ngx_http_ilert_find_prefix(clcf->static_locations, uri, NULL);

    if (prefix) {

        if (prefix->exact_match) {
            *final = 1;
            return prefix;
        }

        found = ngx_http_ilert_find_below(prefix, uri, final);

        if (*final) {
            return found;
        }
    }

#if (NGX_PCRE)

    if ((prefix && prefix->noregex) || clcf->regex_locations == NULL) {
        return found;
    }

    for (regex = clcf->regex_locations; *regex; regex++) {

        if (ngx_regex_exec((*regex)->regex->regex, uri, NULL, 0) >= 0) {
            found = ngx_http_ilert_find_below(*regex, uri, final);
            *final = 1;
            break;
        }
    }

#endif

    return found;
}


/* Returns an exact location, or else that of the longest prefix, or "best". */

static ngx_http_core_loc_conf_t *
ngx_http_ilert_find_prefix(ngx_http_location_tree_node_t *node, ngx_str_t *uri,
    ngx_http_core_loc_conf_t *best)
{
    ngx_str_t  *name;

    if (node == NULL || (best && best->exact_match)) {
        return best;
    }

    if (node->exact) {
        name = &node->exact->name;

        if (name->len == uri->len
            && ngx_strncmp(name->data, uri->data, uri->len) == 0)
        {
            return node->exact;
        }
    }

    if (node->inclusive) {
        name = &node->inclusive->name;

        if (name->len <= uri->len
            && ngx_strncmp(name->data, uri->data, name->len) == 0
            && (best == NULL || best->name.len < name->len))
        {
            best = node->inclusive;
        }
    }

    best = ngx_http_ilert_find_prefix(node->left, uri, best);
    best = ngx_http_ilert_find_prefix(node->tree, uri, best);

    return ngx_http_ilert_find_prefix(node->right, uri, best);
}
