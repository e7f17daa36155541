
/*
 * In place of nginx's MD5, of whose sources there are only headers: any digest
 * does by which texts can be told from each other.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>


void
ngx_md5_init(ngx_md5_t *ctx)
{
    uint64_t  *sum = (uint64_t *) ctx->buffer;

    sum[0] = 0xcbf29ce484222325;
    sum[1] = 0x9e3779b97f4a7c15;
}


void
ngx_md5_update(ngx_md5_t *ctx, const void *data, size_t size)
{
    uint64_t      *sum = (uint64_t *) ctx->buffer;
    const u_char  *p = data;

    while (size--) {
        sum[0] = (sum[0] ^ *p) * 0x100000001b3;
        sum[1] = (sum[1] ^ *p++ ^ sum[0] >> 29) * 0xff51afd7ed558ccd;
    }
}


void
ngx_md5_final(u_char result[16], ngx_md5_t *ctx)
{
    memcpy(result, ctx->buffer, 16);
}
