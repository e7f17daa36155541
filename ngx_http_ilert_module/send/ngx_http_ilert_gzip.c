
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_gzip.h"


/* bytes of a piece */

#define NGX_HTTP_ILERT_GZIP_PIECE  16384

/* for zlib: the largest window, and the header and the end of gzip */

#define NGX_HTTP_ILERT_GZIP_BITS   (MAX_WBITS + 16)


static void *ngx_http_ilert_gzip_alloc(void *opaque, u_int items, u_int size);
static void ngx_http_ilert_gzip_free(void *opaque, void *address);


ngx_int_t
ngx_http_ilert_gzip_init(ngx_http_ilert_gzip_t *gz, ngx_pool_t *pool)
{
    ngx_memzero(gz, sizeof(ngx_http_ilert_gzip_t));

    gz->out = ngx_palloc(pool, NGX_HTTP_ILERT_GZIP_PIECE);
    if (gz->out == NULL) {
        return NGX_ERROR;
    }

    gz->stream.zalloc = ngx_http_ilert_gzip_alloc;
    gz->stream.zfree = ngx_http_ilert_gzip_free;
    gz->stream.opaque = pool;

    if (inflateInit2(&gz->stream, NGX_HTTP_ILERT_GZIP_BITS) != Z_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void *
ngx_http_ilert_gzip_alloc(void *opaque, u_int items, u_int size)
{
    return ngx_palloc(opaque, (size_t) items * size);
}


static void
ngx_http_ilert_gzip_free(void *opaque, void *address)
{
    /* it is freed with the pool */
}


ngx_int_t
ngx_http_ilert_gzip_read(ngx_http_ilert_gzip_t *gz, u_char *buf, size_t len,
    ngx_http_ilert_gzip_handler_pt handler, void *data)
{
    int        rc;
    size_t     size;
    z_stream  *zs;

    zs = &gz->stream;

    zs->next_in = buf;
    zs->avail_in = len;

    do {

        if (gz->ended) {

            /* a gzip may consist of several members */

            if (inflateReset(zs) != Z_OK) {
                return NGX_DECLINED;
            }

            gz->ended = 0;
        }

        zs->next_out = gz->out;
        zs->avail_out = NGX_HTTP_ILERT_GZIP_PIECE;

        rc = inflate(zs, Z_SYNC_FLUSH);

        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
            return NGX_DECLINED;
        }

        size = NGX_HTTP_ILERT_GZIP_PIECE - zs->avail_out;

        if (size && handler(data, gz->out, size) != NGX_OK) {
            return NGX_ERROR;
        }

        gz->ended = (rc == Z_STREAM_END);

    } while (zs->avail_in || (!gz->ended && zs->avail_out == 0));

    return NGX_OK;
}
