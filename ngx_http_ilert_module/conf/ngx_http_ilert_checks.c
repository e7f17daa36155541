
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_checks.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_probe.h"
#include "ngx_http_ilert_queue_masters.h"
#include "ngx_http_ilert_queue_zone.h"
#include "ngx_http_ilert_reach.h"


/*
 * ms.  Kapacitor waits for 30 seconds, and 5 of them are left for what happens
 * before and after ilert's answer is waited for.
 */

#define NGX_HTTP_ILERT_CHECKS_READ_TIMEOUT  25000

/* bytes of a finding; what is longer is cut */

#define NGX_HTTP_ILERT_CHECKS_TEXT          1024


typedef struct ngx_http_ilert_checks_entry_s  ngx_http_ilert_checks_entry_t;


/*
 * What a check can look at.  "endpoint" and "upstream" are set for checks of
 * endpoints, and "location" is set for checks of locations.
 */

typedef struct {
    ngx_cycle_t                    *cycle;
    ngx_log_t                      *log;
    ngx_http_ilert_main_conf_t     *imcf;
    ngx_http_ilert_checks_entry_t  *check;

    ngx_http_ilert_endpoint_t      *endpoint;
    ngx_http_upstream_t            *upstream;   /* of the endpoint, or NULL */
    ngx_http_ilert_loc_conf_t      *location;
} ngx_http_ilert_checks_t;


struct ngx_http_ilert_checks_entry_s {
    ngx_str_t                    name;
    void                       (*look)(ngx_http_ilert_checks_t *ch);
    unsigned                     passing:1; /* the fault may go away by */
                                            /* itself while nginx runs */
};


/* a file system that is no place for a queue; "type" is that of statfs(2) */

typedef struct {
    uint32_t                     type;
    const char                  *what;
} ngx_http_ilert_checks_fs_t;


static void ngx_http_ilert_checks_run(ngx_http_ilert_checks_t *ch,
    ngx_http_ilert_checks_entry_t *check);
static void ngx_http_ilert_checks_endpoint(ngx_http_ilert_checks_t *ch);
static void ngx_cdecl ngx_http_ilert_checks_say(ngx_http_ilert_checks_t *ch,
    const char *fmt, ...);
#if (NGX_THREADS)
static void ngx_http_ilert_checks_queue_disk(ngx_http_ilert_checks_t *ch);
static void ngx_http_ilert_checks_queue_owner(ngx_http_ilert_checks_t *ch);
static void ngx_http_ilert_checks_queue_mode(ngx_http_ilert_checks_t *ch);
static void ngx_http_ilert_checks_queue_shared(ngx_http_ilert_checks_t *ch);
#endif
static void ngx_http_ilert_checks_endpoint_internal(
    ngx_http_ilert_checks_t *ch);
static void ngx_http_ilert_checks_endpoint_plain(ngx_http_ilert_checks_t *ch);
static ngx_uint_t ngx_http_ilert_checks_is_near(ngx_http_ilert_checks_t *ch);
static ngx_uint_t ngx_http_ilert_checks_is_loopback(struct sockaddr *sa);
#if (NGX_HTTP_SSL)
static void ngx_http_ilert_checks_endpoint_verify(ngx_http_ilert_checks_t *ch);
static void ngx_http_ilert_checks_endpoint_sni(ngx_http_ilert_checks_t *ch);
#endif
static void ngx_http_ilert_checks_endpoint_resolver(
    ngx_http_ilert_checks_t *ch);
static ngx_http_upstream_srv_conf_t *ngx_http_ilert_checks_group(
    ngx_http_ilert_checks_t *ch, ngx_http_upstream_resolved_t *resolved);
static void ngx_http_ilert_checks_endpoint_timeout(
    ngx_http_ilert_checks_t *ch);
static void ngx_http_ilert_checks_source_default(ngx_http_ilert_checks_t *ch);
static ngx_uint_t ngx_http_ilert_checks_default(ngx_http_ilert_checks_t *ch,
    ngx_http_ilert_probe_t *probe, ngx_uint_t unheard);
static void ngx_http_ilert_checks_location_slash(ngx_http_ilert_checks_t *ch);
static void ngx_http_ilert_checks_location_reached(
    ngx_http_ilert_checks_t *ch);
static ngx_uint_t ngx_http_ilert_checks_is_covered(
    ngx_http_ilert_checks_t *ch, ngx_str_t *path);
static void ngx_http_ilert_checks_location_size(ngx_http_ilert_checks_t *ch);


static ngx_http_ilert_checks_entry_t  ngx_http_ilert_checks_of_queue[] = {
#if (NGX_THREADS)
    { ngx_string("queue_disk"), ngx_http_ilert_checks_queue_disk, 0 },
    { ngx_string("queue_owner"), ngx_http_ilert_checks_queue_owner, 0 },
    { ngx_string("queue_mode"), ngx_http_ilert_checks_queue_mode, 0 },
    { ngx_string("queue_shared"), ngx_http_ilert_checks_queue_shared, 1 },
#endif
    { ngx_null_string, NULL, 0 }
};


static ngx_http_ilert_checks_entry_t  ngx_http_ilert_checks_of_endpoint[] = {
    { ngx_string("endpoint_internal"),
      ngx_http_ilert_checks_endpoint_internal, 0 },
    { ngx_string("endpoint_plain"), ngx_http_ilert_checks_endpoint_plain, 0 },
#if (NGX_HTTP_SSL)
    { ngx_string("endpoint_verify"),
      ngx_http_ilert_checks_endpoint_verify, 0 },
    { ngx_string("endpoint_sni"), ngx_http_ilert_checks_endpoint_sni, 0 },
#endif
    { ngx_string("endpoint_resolver"),
      ngx_http_ilert_checks_endpoint_resolver, 0 },
    { ngx_string("endpoint_timeout"),
      ngx_http_ilert_checks_endpoint_timeout, 0 },
    { ngx_null_string, NULL, 0 }
};


static ngx_http_ilert_checks_entry_t  ngx_http_ilert_checks_of_location[] = {
    { ngx_string("source_default"), ngx_http_ilert_checks_source_default, 0 },
    { ngx_string("location_slash"), ngx_http_ilert_checks_location_slash, 0 },
    { ngx_string("location_reached"),
      ngx_http_ilert_checks_location_reached, 0 },
    { ngx_string("location_size"), ngx_http_ilert_checks_location_size, 0 },
    { ngx_null_string, NULL, 0 }
};


#if (NGX_THREADS)

static ngx_http_ilert_checks_fs_t  ngx_http_ilert_checks_fs[] = {
    { 0x01021994, "tmpfs, which is empty after the machine has been "
                  "restarted" },
    { 0x858458f6, "ramfs, which is empty after the machine has been "
                  "restarted" },
    { 0x794c7630, "overlay, which goes with its container" },
    { 0x61756673, "aufs, which goes with its container" },
    { 0x00006969, "NFS, where a database cannot be shared by processes" },
    { 0xff534d42, "CIFS, where a database cannot be shared by processes" },
    { 0xfe534d42, "SMB, where a database cannot be shared by processes" },
    { 0, NULL }
};

#endif


void
ngx_http_ilert_checks(ngx_cycle_t *cycle, ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t                    i;
    ngx_http_ilert_checks_t       ch;
    ngx_http_ilert_endpoint_t   **endpoints;
    ngx_http_ilert_loc_conf_t   **locations;

    ngx_memzero(&ch, sizeof(ngx_http_ilert_checks_t));

    ch.cycle = cycle;
    ch.imcf = imcf;

    /* errors of the configuration are logged to the old cycle's log */

    ch.log = cycle->old_cycle->log;

    if (imcf->queue.path.len) {
        ngx_http_ilert_checks_run(&ch, ngx_http_ilert_checks_of_queue);
    }

    endpoints = imcf->endpoints.elts;

    for (i = 0; i < imcf->endpoints.nelts; i++) {
        ch.endpoint = endpoints[i];
        ngx_http_ilert_checks_endpoint(&ch);
    }

    locations = imcf->locations.elts;

    for (i = 0; i < imcf->locations.nelts; i++) {

        /* "if" and "limit_except" have the same settings as their location */

        if (!locations[i]->clcf->noname) {
            ch.location = locations[i];
            ngx_http_ilert_checks_run(&ch, ngx_http_ilert_checks_of_location);
        }
    }
}


static void
ngx_http_ilert_checks_run(ngx_http_ilert_checks_t *ch,
    ngx_http_ilert_checks_entry_t *check)
{
    for ( /* void */ ; check->look; check++) {
        ch->check = check;
        check->look(ch);
    }
}


static void
ngx_http_ilert_checks_endpoint(ngx_http_ilert_checks_t *ch)
{
    ngx_http_ilert_probe_t  probe;

    if (ngx_http_ilert_probe_create(&probe, ch->endpoint->conf_ctx,
                                    &ch->endpoint->prefix, ch->log)
        != NGX_OK)
    {
        return;
    }

    ch->upstream = ngx_http_ilert_probe_upstream(&probe);

    ngx_http_ilert_checks_run(ch, ngx_http_ilert_checks_of_endpoint);

    ngx_http_ilert_probe_free(&probe);
}


/*
 * Logs a finding, and adds it to imcf->setup.  If there is no memory for the
 * latter, it is only logged.  So is a finding that may pass, because the
 * status looks for that anew each time.
 */

static void ngx_cdecl
ngx_http_ilert_checks_say(ngx_http_ilert_checks_t *ch, const char *fmt, ...)
{
    u_char                  *p, buf[NGX_HTTP_ILERT_CHECKS_TEXT];
    va_list                  args;
    ngx_str_t                text;
    ngx_http_ilert_setup_t  *setup;

    va_start(args, fmt);
    p = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);
    va_end(args);

    text.len = p - buf;
    text.data = buf;

    ngx_log_error(NGX_LOG_WARN, ch->log, 0, "%V", &text);

    if (ch->check->passing) {
        return;
    }

    text.data = ngx_pstrdup(ch->cycle->pool, &text);
    if (text.data == NULL) {
        return;
    }

    setup = ngx_array_push(&ch->imcf->setup);
    if (setup == NULL) {
        return;
    }

    setup->check = ch->check->name;
    setup->text = text;
}


#if (NGX_THREADS)

static void
ngx_http_ilert_checks_queue_disk(ngx_http_ilert_checks_t *ch)
{
    struct statfs                fs;
    ngx_http_ilert_checks_fs_t  *bad;

    if (statfs((const char *) ch->imcf->queue.path.data, &fs) == -1) {
        return;
    }

    for (bad = ngx_http_ilert_checks_fs; bad->what; bad++) {

        if ((uint32_t) fs.f_type == bad->type) {
            ngx_http_ilert_checks_say(ch, "\"%V\" of \"ilert_queue\" is on "
                                      "%s, use a directory on a disk, or "
                                      "a volume", &ch->imcf->queue.path,
                                      bad->what);
            return;
        }
    }
}


/* Warns of a file in the queue's folder that is not the workers' user's. */

static void
ngx_http_ilert_checks_queue_owner(ngx_http_ilert_checks_t *ch)
{
    ngx_uid_t  owner, user;
    ngx_str_t  name;

    /*
     * "nginx -t" gives no files away, but a master that root starts will do
     * so.
     */

    if (ngx_test_config && geteuid() == 0) {
        return;
    }

    user = ngx_http_ilert_queue_user(ch->cycle);

    if (!ngx_http_ilert_queue_foreign(ch->cycle, &ch->imcf->queue, user,
                                      &name, &owner))
    {
        return;
    }

    ngx_http_ilert_checks_say(ch, "\"%V\" of \"ilert_queue\" belongs to user "
                              "%d, and worker processes are of user %d, "
                              "\"chown -R %d %V\" gives it to them",
                              &name, (int) owner, (int) user, (int) user,
                              &ch->imcf->queue.path);
}


/* Who may write to the folder can put another database in place of ours. */

static void
ngx_http_ilert_checks_queue_mode(ngx_http_ilert_checks_t *ch)
{
    ngx_file_info_t  fi;

    if (ngx_file_info(ch->imcf->queue.path.data, &fi) == NGX_FILE_ERROR
        || !ngx_is_dir(&fi)
        || (fi.st_mode & (S_IWGRP|S_IWOTH)) == 0)
    {
        return;
    }

    ngx_http_ilert_checks_say(ch, "\"%V\" of \"ilert_queue\" can be "
                              "written to by other users than that of worker "
                              "processes, use \"chmod go-w %V\"",
                              &ch->imcf->queue.path, &ch->imcf->queue.path);
}


static void
ngx_http_ilert_checks_queue_shared(ngx_http_ilert_checks_t *ch)
{
    u_char     buf[NGX_HTTP_ILERT_CHECKS_TEXT];
    ngx_str_t  text;

    text.data = buf;
    text.len = ngx_http_ilert_queue_masters_another(ch->cycle,
                                                    &ch->imcf->queue, buf,
                                                    buf + sizeof(buf))
               - buf;

    if (text.len) {
        ngx_http_ilert_checks_say(ch, "%V", &text);
    }
}

#endif


static void
ngx_http_ilert_checks_endpoint_internal(ngx_http_ilert_checks_t *ch)
{
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_ilert_endpoint_t  *endpoint;

    endpoint = ch->endpoint;
    clcf = endpoint->conf_ctx->loc_conf[ngx_http_core_module.ctx_index];

    if (clcf->internal) {
        return;
    }

    ngx_http_ilert_checks_say(ch, "the location of \"ilert_endpoint\" \"%V\" "
                              "is open to clients, use \"internal\" in it in "
                              "%s:%ui", &endpoint->name, endpoint->file_name,
                              endpoint->line);
}


/*
 * Warns of http to another machine.  Plain HTTP to this machine is all right:
 * a proxy here may send it on by TLS.
 */

static void
ngx_http_ilert_checks_endpoint_plain(ngx_http_ilert_checks_t *ch)
{
    ngx_str_t  *schema;

    if (ch->upstream == NULL) {
        return;
    }

    schema = &ch->upstream->schema;

    if (schema->len != 7 || ngx_strncmp(schema->data, "http://", 7) != 0
        || ngx_http_ilert_checks_is_near(ch))
    {
        return;
    }

    ngx_http_ilert_checks_say(ch, "\"ilert_endpoint\" \"%V\" sends keys and "
                              "alerts over the network as they are, use "
                              "\"https://\" in its \"proxy_pass\" in %s:%ui",
                              &ch->endpoint->name, ch->endpoint->file_name,
                              ch->endpoint->line);
}


/*
 * Returns 1 if all servers of the endpoint are on this machine, as far as they
 * are known.
 */

static ngx_uint_t
ngx_http_ilert_checks_is_near(ngx_http_ilert_checks_t *ch)
{
    ngx_str_t                     *host;
    ngx_uint_t                     i, k;
    ngx_http_upstream_server_t    *server;
    ngx_http_upstream_resolved_t  *resolved;
    ngx_http_upstream_srv_conf_t  *uscf;

    resolved = ch->upstream->resolved;

    if (resolved && resolved->sockaddr) {
        return ngx_http_ilert_checks_is_loopback(resolved->sockaddr);
    }

    uscf = resolved ? ngx_http_ilert_checks_group(ch, resolved)
                    : ch->upstream->conf->upstream;

    if (uscf == NULL && resolved == NULL) {
        return 1;
    }

    if (uscf == NULL || uscf->servers == NULL) {

        /* it is a name that is resolved at run time */

        host = uscf ? &uscf->host : &resolved->host;

        return host->len == 0
               || (host->len == 9
                   && ngx_strncasecmp(host->data, (u_char *) "localhost", 9)
                      == 0);
    }

    server = uscf->servers->elts;

    for (i = 0; i < uscf->servers->nelts; i++) {
        for (k = 0; k < server[i].naddrs; k++) {

            if (!ngx_http_ilert_checks_is_loopback(
                                                 server[i].addrs[k].sockaddr))
            {
                return 0;
            }
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_ilert_checks_is_loopback(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;

    default: /* AF_UNIX */
        return 1;
    }
}


#if (NGX_HTTP_SSL)

static void
ngx_http_ilert_checks_endpoint_verify(ngx_http_ilert_checks_t *ch)
{
    if (ch->upstream == NULL || !ch->upstream->ssl
        || ch->upstream->conf->ssl_verify == 1)
    {
        return;
    }

    ngx_http_ilert_checks_say(ch, "\"ilert_endpoint\" \"%V\" does not check "
                              "the certificate of its server, anybody can "
                              "take its place and read the keys, use "
                              "\"proxy_ssl_verify on\" in %s:%ui",
                              &ch->endpoint->name, ch->endpoint->file_name,
                              ch->endpoint->line);
}


static void
ngx_http_ilert_checks_endpoint_sni(ngx_http_ilert_checks_t *ch)
{
    if (ch->upstream == NULL || !ch->upstream->ssl
        || ch->upstream->conf->ssl_server_name == 1)
    {
        return;
    }

    ngx_http_ilert_checks_say(ch, "\"ilert_endpoint\" \"%V\" does not tell "
                              "its server the name that it wants, which may "
                              "then have the certificate of another one, use "
                              "\"proxy_ssl_server_name on\" in %s:%ui",
                              &ch->endpoint->name, ch->endpoint->file_name,
                              ch->endpoint->line);
}

#endif


/*
 * A URL with variables is resolved for each request: this looks for the server
 * in the same order as ngx_http_upstream_init_request().
 */

static void
ngx_http_ilert_checks_endpoint_resolver(ngx_http_ilert_checks_t *ch)
{
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_upstream_resolved_t  *resolved;

    if (ch->upstream == NULL || ch->upstream->resolved == NULL) {
        return;
    }

    resolved = ch->upstream->resolved;

    if (resolved->sockaddr || resolved->host.len == 0
        || ngx_http_ilert_checks_group(ch, resolved))
    {
        return;
    }

    clcf = ch->endpoint->conf_ctx->loc_conf[ngx_http_core_module.ctx_index];

    if (clcf->resolver && clcf->resolver->connections.nelts) {
        return;
    }

    ngx_http_ilert_checks_say(ch, "\"ilert_endpoint\" \"%V\" cannot find "
                              "\"%V\": as its URL has variables, \"resolver\" "
                              "with the address of a name server is needed "
                              "in %s:%ui", &ch->endpoint->name,
                              &resolved->host, ch->endpoint->file_name,
                              ch->endpoint->line);
}


/* Returns the "upstream" block with the name of the host, or NULL. */

static ngx_http_upstream_srv_conf_t *
ngx_http_ilert_checks_group(ngx_http_ilert_checks_t *ch,
    ngx_http_upstream_resolved_t *resolved)
{
    ngx_str_t                       *host;
    ngx_uint_t                       i;
    ngx_http_upstream_srv_conf_t   **uscfp;
    ngx_http_upstream_main_conf_t   *umcf;

    umcf = ch->endpoint->conf_ctx->main_conf[
                                          ngx_http_upstream_module.ctx_index];
    uscfp = umcf->upstreams.elts;
    host = &resolved->host;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if (uscfp[i]->host.len == host->len
            && ((uscfp[i]->port == 0 && resolved->no_port)
                || uscfp[i]->port == resolved->port)
            && ngx_strncasecmp(uscfp[i]->host.data, host->data, host->len)
               == 0)
        {
            return uscfp[i];
        }
    }

    return NULL;
}


/*
 * Endpoints that no source uses are left out: they are for the heartbeat's
 * pings, and no client waits for those.
 */

static void
ngx_http_ilert_checks_endpoint_timeout(ngx_http_ilert_checks_t *ch)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    if (ch->upstream == NULL
        || ch->upstream->conf->read_timeout
           <= NGX_HTTP_ILERT_CHECKS_READ_TIMEOUT)
    {
        return;
    }

    sources = ch->imcf->sources.elts;

    for (i = 0; i < ch->imcf->sources.nelts; i++) {
        if (sources[i]->endpoint == ch->endpoint) {
            break;
        }
    }

    if (i == ch->imcf->sources.nelts) {
        return;
    }

    ngx_http_ilert_checks_say(ch, "\"ilert_endpoint\" \"%V\" waits %M "
                              "seconds for an answer, and Kapacitor for 30 "
                              "seconds if an event has to be sent while it "
                              "waits, use \"proxy_read_timeout 25s\" or less "
                              "in %s:%ui", &ch->endpoint->name,
                              ch->upstream->conf->read_timeout / 1000,
                              ch->endpoint->file_name, ch->endpoint->line);
}


static void
ngx_http_ilert_checks_source_default(ngx_http_ilert_checks_t *ch)
{
    ngx_http_ilert_probe_t      probe;
    ngx_http_ilert_loc_conf_t  *ilcf;

    ilcf = ch->location;

    if (ilcf->route->lengths == NULL
        || ngx_http_ilert_probe_create(&probe, ilcf->conf_ctx,
                                       &ilcf->clcf->name, ch->log)
           != NGX_OK)
    {
        return;
    }

    /*
     * Both an empty value and an unknown one are tried, because a "map" may
     * have an entry for the empty value, and still none for an unknown one.
     */

    if (ngx_http_ilert_checks_default(ch, &probe, 0)) {
        (void) ngx_http_ilert_checks_default(ch, &probe, 1);
    }

    ngx_http_ilert_probe_free(&probe);
}


/*
 * Returns 0 if a webhook with that value has no source, which is logged then,
 * or 1 if nothing is wrong.
 */

static ngx_uint_t
ngx_http_ilert_checks_default(ngx_http_ilert_checks_t *ch,
    ngx_http_ilert_probe_t *probe, ngx_uint_t unheard)
{
    ngx_str_t                   value;
    const char                 *what;
    ngx_http_ilert_loc_conf_t  *ilcf;

    ilcf = ch->location;
    what = ilcf->events ? "events" : "webhooks";

    if (ngx_http_ilert_probe_value(probe, ilcf->route, unheard, &value)
        != NGX_OK
        || (value.len == 3 && ngx_strncmp(value.data, "off", 3) == 0)
        || ngx_http_ilert_find_source(ch->imcf, &value))
    {
        return 1;
    }

    if (value.len == 0) {
        ngx_http_ilert_checks_say(ch, "\"%V %V\" in %s:%ui refuses %s of "
                                  "which its \"map\" does not know the "
                                  "source, use \"default\" with the name of "
                                  "a source, or with \"off\", in that \"map\"",
                                  ilcf->directive, &ilcf->route->value,
                                  ilcf->file_name, ilcf->line, what);
        return 0;
    }

    ngx_http_ilert_checks_say(ch, "\"%V %V\" in %s:%ui refuses %s of which "
                              "its \"map\" does not know the source, as there "
                              "is no \"ilert_source\" \"%V\"",
                              ilcf->directive, &ilcf->route->value,
                              ilcf->file_name, ilcf->line, what, &value);
    return 0;
}


/*
 * Chronograf and people write the URL without a slash at its end, and a
 * location such as "/kapacitor/" does not match that.
 */

static void
ngx_http_ilert_checks_location_slash(ngx_http_ilert_checks_t *ch)
{
    ngx_str_t                  path;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ch->location->clcf;
    path = clcf->name;

#if (NGX_PCRE)
    if (clcf->regex) {
        return;
    }
#endif

    if (clcf->named || path.len < 2 || path.data[path.len - 1] != '/') {
        return;
    }

    path.len--;

    if (ngx_http_ilert_checks_is_covered(ch, &path)) {
        return;
    }

    ngx_http_ilert_checks_say(ch, "\"%V\" in %s:%ui is in location \"%V\", "
                              "which does not take %s to \"%V\", use "
                              "\"location = %V\" if they are posted there",
                              ch->location->directive,
                              ch->location->file_name, ch->location->line,
                              &clcf->name,
                              ch->location->events ? "events" : "webhooks",
                              &path, &path);
}


/* Returns 1 if another location of the server takes webhooks to that path. */

static ngx_uint_t
ngx_http_ilert_checks_is_covered(ngx_http_ilert_checks_t *ch, ngx_str_t *path)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_ilert_loc_conf_t  *ilcf, **locations;

    locations = ch->imcf->locations.elts;

    for (i = 0; i < ch->imcf->locations.nelts; i++) {

        ilcf = locations[i];
        clcf = ilcf->clcf;
        name = &clcf->name;

        if (clcf->noname || clcf->named
            || ilcf->conf_ctx->srv_conf != ch->location->conf_ctx->srv_conf)
        {
            continue;
        }

#if (NGX_PCRE)

        /* a regular expression may match the path, so nothing is warned of */

        if (clcf->regex) {
            return 1;
        }
#endif

        if (name->len <= path->len
            && ngx_strncmp(name->data, path->data, name->len) == 0
            && (name->len == path->len || !clcf->exact_match))
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_ilert_checks_location_reached(ngx_http_ilert_checks_t *ch)
{
    const char  *where;
    ngx_uint_t   status;

    status = ngx_http_ilert_reach_status(ch->cycle, ch->location, &where);

    if (status == 0) {
        return;
    }

    ngx_http_ilert_checks_say(ch, "no %s reaches \"%V\" in %s:%ui, "
                              "a \"return\" or \"rewrite\" in its %s answers "
                              "all of them with %ui",
                              ch->location->events ? "event" : "webhook",
                              ch->location->directive,
                              ch->location->file_name, ch->location->line,
                              where, status);
}


/*
 * A body that is read before there is a location has passed the server's
 * limit, which is 1m by default, instead of ours.
 */

static void
ngx_http_ilert_checks_location_size(ngx_http_ilert_checks_t *ch)
{
    off_t  size, max;

    size = ngx_http_ilert_reach_early_size(ch->location);
    max = ch->location->max_body_size;

    if (size == 0 || (max && max <= size)) {
        return;
    }

    ngx_http_ilert_checks_say(ch, "%s to \"%V\" in %s:%ui are refused if "
                              "they are larger than %O bytes, as "
                              "\"client_body_early_read\" reads them by the "
                              "limit of the server, use "
                              "\"client_max_body_size %O\" in that server",
                              ch->location->events ? "events" : "webhooks",
                              ch->location->directive,
                              ch->location->file_name, ch->location->line,
                              size, max);
}
