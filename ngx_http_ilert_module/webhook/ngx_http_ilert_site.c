
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_reply.h"
#include "ngx_http_ilert_site.h"
#include "ngx_http_ilert_text.h"


static ngx_uint_t ngx_http_ilert_site_same_host(ngx_http_request_t *r,
    ngx_str_t *origin);
static void ngx_http_ilert_site_host(ngx_str_t *host, const char *port);
static ngx_uint_t ngx_http_ilert_site_is_ours(ngx_http_request_t *r);
static ngx_uint_t ngx_http_ilert_site_is_address(ngx_str_t *host);
static ngx_uint_t ngx_http_ilert_site_is_named(ngx_str_t *host,
    ngx_http_server_name_t *name);
static ngx_uint_t ngx_http_ilert_site_ends(ngx_str_t *host,
    ngx_str_t *end);


/* The names are copied, because nginx drops its lists before it starts. */

ngx_int_t
ngx_http_ilert_site_init(ngx_conf_t *cf)
{
    void                        *names;
    ngx_uint_t                   i;
    ngx_array_t                 *sn;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_ilert_srv_conf_t   *iscf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {

        iscf = cscfp[i]->ctx->srv_conf[ngx_http_ilert_module.ctx_index];

        if (iscf->control.len == 0 && !iscf->webhooks) {
            continue;
        }

        sn = &cscfp[i]->server_names;

        if (ngx_array_init(&iscf->names, cf->pool, sn->nelts + 1,
                           sizeof(ngx_http_server_name_t))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        names = ngx_array_push_n(&iscf->names, sn->nelts);
        ngx_memcpy(names, sn->elts, sn->nelts * sn->size);
    }

    return NGX_OK;
}


/*
 * A browser says in "Origin" or "Sec-Fetch-Site" which site's page has made
 * a request, and the page cannot change that.  A request with neither is not
 * from a browser, and is allowed.  Another site can also make its own name
 * point to our address ("DNS rebinding"): then the browser takes its page for
 * one of ours.  So for browsers the host must be a name of this server, or
 * one that no other site can have.
 */

const char *
ngx_http_ilert_site_foreign(ngx_http_request_t *r)
{
    ngx_str_t   *value;
    ngx_uint_t   i, browser;

    static const char  site[] = "the request comes from a page of another "
                                "site";

    browser = 0;

    for (i = 0; /* void */ ; i++) {

        value = ngx_http_ilert_reply_header(&r->headers_in.headers, "Origin",
                                              i);

        if (value == NULL) {
            break;
        }

        browser = 1;

        if (!ngx_http_ilert_site_same_host(r, value)) {
            return site;
        }
    }

    for (i = 0; /* void */ ; i++) {

        value = ngx_http_ilert_reply_header(&r->headers_in.headers,
                                              "Sec-Fetch-Site", i);

        if (value == NULL) {
            break;
        }

        browser = 1;

        if ((value->len == 10
             && ngx_strncasecmp(value->data, (u_char *) "cross-site", 10) == 0)
            || (value->len == 9
                && ngx_strncasecmp(value->data, (u_char *) "same-site", 9)
                   == 0))
        {
            return site;
        }
    }

    if (browser && !ngx_http_ilert_site_is_ours(r)) {
        return "the host in the URL is no \"server_name\" of this server: add "
               "it there, or use an IP address or localhost";
    }

    return NULL;
}


/*
 * Compares "Origin" with "Host".  The former is "http://host:port", or "null",
 * which is the same as no host.
 */

static ngx_uint_t
ngx_http_ilert_site_same_host(ngx_http_request_t *r, ngx_str_t *origin)
{
    const      char  *port;
    size_t     skip;
    ngx_str_t  host, own;

    if (r->headers_in.host == NULL) {
        return 0;
    }

    if (origin->len > 7
        && ngx_strncasecmp(origin->data, (u_char *) "http://", 7) == 0)
    {
        skip = 7;
        port = ":80";

    } else if (origin->len > 8
               && ngx_strncasecmp(origin->data, (u_char *) "https://", 8) == 0)
    {
        skip = 8;
        port = ":443";

    } else {
        return 0;
    }

    host.data = origin->data + skip;
    host.len = origin->len - skip;
    own = r->headers_in.host->value;

    ngx_http_ilert_site_host(&host, port);
    ngx_http_ilert_site_host(&own, port);

    return host.len == own.len
           && ngx_strncasecmp(host.data, own.data, host.len) == 0;
}


/* Removes the port if it is the default one of the scheme. */

static void
ngx_http_ilert_site_host(ngx_str_t *host, const char *port)
{
    size_t  len;

    len = ngx_strlen(port);

    if (host->len > len
        && ngx_strncmp(host->data + host->len - len, port, len) == 0)
    {
        host->len -= len;
    }
}


/*
 * Returns 1 if the host in the request is a name of this server, an IP
 * address, or localhost.  Any other host may be here, too, because the default
 * server of an address serves all names that nginx does not know.
 */

static ngx_uint_t
ngx_http_ilert_site_is_ours(ngx_http_request_t *r)
{
    u_char                     *p, *last;
    ngx_str_t                  *host, *header;
    ngx_uint_t                  i;
    ngx_http_server_name_t     *names;
    ngx_http_ilert_srv_conf_t  *iscf;

    if (r->headers_in.host == NULL) {
        return 0;
    }

    /*
     * headers_in.server is the host by which nginx has chosen the server, in
     * lower case, without a dot at the end, and without the port.  "Host" may
     * differ from it: a host in the request line comes before it, and nginx
     * ignores what follows an IPv6 address.  Then the host is not ours.
     */

    host = &r->headers_in.server;
    header = &r->headers_in.host->value;

    if (host->len == 0 || header->len < host->len
        || ngx_strncasecmp(header->data, host->data, host->len) != 0)
    {
        return 0;
    }

    p = header->data + host->len;
    last = header->data + header->len;

    if (p < last && *p == '.') {
        p++;
    }

    if (p < last && *p != ':') {
        return 0;
    }

    if (ngx_http_ilert_site_is_address(host)) {
        return 1;
    }

    iscf = ngx_http_get_module_srv_conf(r, ngx_http_ilert_module);

    names = iscf->names.elts;

    for (i = 0; i < iscf->names.nelts; i++) {
        if (ngx_http_ilert_site_is_named(host, &names[i])) {
            return 1;
        }
    }

    return 0;
}


/*
 * No name server is asked for these hosts, so no other site can make them
 * point here.
 */

static ngx_uint_t
ngx_http_ilert_site_is_address(ngx_str_t *host)
{
#if (NGX_HAVE_INET6)
    u_char  addr[16];

    if (host->len > 2 && host->data[0] == '['
        && host->data[host->len - 1] == ']')
    {
        return ngx_inet6_addr(host->data + 1, host->len - 2, addr) == NGX_OK;
    }
#endif

    return (host->len == 9 && ngx_strncmp(host->data, "localhost", 9) == 0)
           || ngx_inet_addr(host->data, host->len) != INADDR_NONE;
}


/*
 * Compares the host with a "server_name" in the same way as nginx does:
 * "name", ".name", "*.name", "name.*", or "~name".
 */

static ngx_uint_t
ngx_http_ilert_site_is_named(ngx_str_t *host, ngx_http_server_name_t *sn)
{
    ngx_str_t  *name, part;

#if (NGX_PCRE)
    if (sn->regex) {
        return ngx_regex_exec(sn->regex->regex, host, NULL, 0) >= 0;
    }
#endif

    name = &sn->name;

    if (name->len == 0) {
        return 0;
    }

    part = *name;

    if (name->data[0] == '.') {
        part.data++;
        part.len--;

        return ngx_http_ilert_text_same(host, &part)
               || ngx_http_ilert_site_ends(host, name);
    }

    if (name->len > 2 && name->data[0] == '*') {
        part.data++;
        part.len--;

        return ngx_http_ilert_site_ends(host, &part);
    }

    if (name->len > 2 && name->data[name->len - 1] == '*') {
        part.len--;

        return host->len > part.len
               && ngx_strncmp(host->data, part.data, part.len) == 0;
    }

    return ngx_http_ilert_text_same(host, name);
}


static ngx_uint_t
ngx_http_ilert_site_ends(ngx_str_t *host, ngx_str_t *end)
{
    return host->len > end->len
           && ngx_strncmp(host->data + host->len - end->len, end->data,
                          end->len)
              == 0;
}
