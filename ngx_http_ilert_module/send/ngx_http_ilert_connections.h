
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CONNECTIONS_H_INCLUDED_
#define _NGX_HTTP_ILERT_CONNECTIONS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Connections for deliveries.  Clients take those of a worker as long as there
 * are any, and nginx takes none away from who is using it.  So each worker
 * keeps a few of its worker_connections for itself, and they are free only
 * while we connect.
 */


/* takes them, when a worker begins */
void ngx_http_ilert_connections_init_process(ngx_cycle_t *cycle);

/* what is kept is free, until the call of the other one */
void ngx_http_ilert_connections_lend(void);

/* keeps again what there is, up to the full number */
void ngx_http_ilert_connections_keep(void);

/* whether some are missing: none is to stay with an upstream then */
ngx_uint_t ngx_http_ilert_connections_is_short(void);

/* whether one more can be connected if so many are; a guess, and no promise */
ngx_uint_t ngx_http_ilert_connections_is_left(ngx_uint_t busy);


#endif /* _NGX_HTTP_ILERT_CONNECTIONS_H_INCLUDED_ */
