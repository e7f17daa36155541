
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_PATTERN_H_INCLUDED_
#define _NGX_HTTP_ILERT_PATTERN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Returns 1 if the text matches the pattern, else 0.  In a pattern "*" is any
 * number of characters, also none, "?" is one character, and all else is
 * itself.  Case counts, so both have to be folded before.
 *
 * A character is one of UTF-8; a byte that belongs to none counts as one, too.
 * The time grows with the length of the text times that of the pattern at
 * most, whatever they are.
 */
ngx_uint_t ngx_http_ilert_pattern_matches(ngx_str_t *pattern, ngx_str_t *text);


#endif /* _NGX_HTTP_ILERT_PATTERN_H_INCLUDED_ */
