
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CONNECTIONS_H_INCLUDED_
#define _NGX_HTTP_ILERT_CONNECTIONS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Connections for deliveries.  Clients may take all connections of a worker,
 * and nginx does not take away a connection that is in use.  So each worker
 * keeps a few of its worker_connections out of nginx's list of free ones.  It
 * lends them to nginx only while a delivery connects.
 */


/* Is called when a worker begins: keeps the full number. */
void ngx_http_ilert_connections_init_process(ngx_cycle_t *cycle);

/*
 * Makes the connections that are kept free for all, until
 * ngx_http_ilert_connections_keep() is called in the same handler.
 */
void ngx_http_ilert_connections_lend(void);

/*
 * Keeps free connections, up to the full number.  If there are not enough of
 * them, a timer tries again.  A worker that exits keeps none, as no clients
 * come any more.
 */
void ngx_http_ilert_connections_keep(void);

/*
 * Returns 1 if fewer are kept than there should be: then a connection to ilert
 * should be closed after its answer.
 */
ngx_uint_t ngx_http_ilert_connections_is_short(void);

/*
 * Returns 1 if a delivery can probably connect while "busy" others are under
 * way.
 */
ngx_uint_t ngx_http_ilert_connections_is_left(ngx_uint_t busy);


#endif /* _NGX_HTTP_ILERT_CONNECTIONS_H_INCLUDED_ */
