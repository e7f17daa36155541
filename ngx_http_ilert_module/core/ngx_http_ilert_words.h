
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_WORDS_H_INCLUDED_
#define _NGX_HTTP_ILERT_WORDS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Memory that the workers of one cycle share, for what need not outlive
 * a reload, such as the times of the last warnings.  It is made of words: each
 * is a number of its own.
 */


/*
 * Returns n words, one or more, that are 0.  They live as long as the cycle.
 * Returns NULL if there is no memory, after the error has been logged.
 */
ngx_atomic_t *ngx_http_ilert_words(ngx_conf_t *cf, ngx_uint_t n);


#endif /* _NGX_HTTP_ILERT_WORDS_H_INCLUDED_ */
