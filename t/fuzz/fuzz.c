
/* See fuzz.h. */


#include <ngx_config.h>
#include <ngx_core.h>

#include "fuzz.h"
#include "strict_json.h"


volatile ngx_cycle_t  *ngx_cycle;
ngx_uint_t             ngx_pagesize = 4096;

ngx_log_t              fuzz_log;
size_t                 fuzz_allocated;


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    fuzz_allocated += size;

    return malloc(size);
}


void *
ngx_memalign(size_t alignment, size_t size, ngx_log_t *log)
{
    void  *p;

    fuzz_allocated += size;

    return (posix_memalign(&p, alignment, size) == 0) ? p : NULL;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


int
fuzz_is_json(ngx_str_t *text, int max_depth, int repairable)
{
    strict_json_t  json;

    memset(&json, 0, sizeof(strict_json_t));
    json.pos = text->data;
    json.end = text->data + text->len;
    json.max_depth = max_depth;
    json.mendable = 1;
    json.repairable = repairable;

    return strict_json(&json);
}


int
fuzz_is_utf8(ngx_str_t *text)
{
    size_t                len;
    const unsigned char  *p, *end;

    p = text->data;
    end = p + text->len;

    while (p < end) {
        len = strict_utf8(p, end);

        if (len == 0) {
            return 0;
        }

        p += len;
    }

    return 1;
}


uint32_t
fuzz_hash(ngx_str_t *text)
{
    size_t    i;
    uint32_t  value;

    value = 2166136261u;

    for (i = 0; i < text->len; i++) {
        value = (value ^ text->data[i]) * 16777619u;
    }

    return value;
}


void
fuzz_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not: %s\n", file, line, condition);
    __builtin_trap();
}
