
/*
 * What the fuzz targets share: checks, and what nginx's files refer to.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define check(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fuzz_fail(#condition, __FILE__, __LINE__);                        \
        }                                                                     \
    } while (0)


extern ngx_log_t  fuzz_log;
extern size_t     fuzz_allocated;   /* in bytes; what is freed still counts */


/*
 * Returns 1 if the text is JSON that is nested no deeper, else 0.  Strings
 * that the module would mend are taken, and with "repairable" what it would
 * repair.
 */
int fuzz_is_json(ngx_str_t *text, int max_depth, int repairable);

int fuzz_is_utf8(ngx_str_t *text);

uint32_t fuzz_hash(ngx_str_t *text);

/* Tells what is not as promised, and ends the process. */
void fuzz_fail(const char *condition, const char *file, int line);


#endif /* _FUZZ_H_INCLUDED_ */
