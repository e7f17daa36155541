
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_GZIP_H_INCLUDED_
#define _NGX_HTTP_ILERT_GZIP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <zlib.h>


/*
 * Decodes gzip as it arrives.  However long a text is, and however well it is
 * compressed, this takes some 60k of memory.
 */


/* Returns NGX_OK, or NGX_ERROR if it wants no more. */

typedef ngx_int_t (*ngx_http_ilert_gzip_handler_pt)(void *data, u_char *text,
    size_t len);


typedef struct {
    z_stream                     stream;
    u_char                      *out;       /* a piece of decoded text */
    unsigned                     ended:1;   /* what has been read ends with */
                                            /* the end of a gzip member */
} ngx_http_ilert_gzip_t;


/*
 * Begins.  All memory is allocated from the pool, and freed with it.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_gzip_init(ngx_http_ilert_gzip_t *gz,
    ngx_pool_t *pool);

/*
 * Decodes the next bytes, and calls the handler with each piece of text, which
 * is valid only during the call.  Returns NGX_OK, NGX_DECLINED if the bytes
 * are no gzip, or NGX_ERROR if the handler has returned that.
 */
ngx_int_t ngx_http_ilert_gzip_read(ngx_http_ilert_gzip_t *gz, u_char *buf,
    size_t len, ngx_http_ilert_gzip_handler_pt handler, void *data);


#endif /* _NGX_HTTP_ILERT_GZIP_H_INCLUDED_ */
