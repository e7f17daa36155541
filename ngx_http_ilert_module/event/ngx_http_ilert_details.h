
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_DETAILS_H_INCLUDED_
#define _NGX_HTTP_ILERT_DETAILS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The details of an alert.  Kapacitor renders them with Go's html/template:
 * they are HTML, or a text with some of it.  ilert shows Markdown.
 *
 * The functions are pure: no request, no I/O, nothing that threads share.  The
 * time that they take grows linearly with the text, whatever is in it.
 */


/*
 * Makes Markdown of details, which are valid UTF-8: links and images are kept,
 * blocks and list items begin lines, all other tags go, and so do styles,
 * scripts, and comments with what is in them.  Shown as Markdown the text
 * reads as it did, since what would be taken for markup is escaped; but links
 * and images that somebody wrote as Markdown stay.
 *
 * The result is valid UTF-8 without control characters other than line feeds,
 * and tabs in code.  It may be empty, and has at most three times the bytes of
 * "html" and some more.  It is allocated from the pool.  Returns NGX_OK, or
 * NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_details_markdown(ngx_str_t *html, ngx_str_t *text,
    ngx_pool_t *pool);

/*
 * Returns the length, in bytes, of the beginning of Markdown that has at most
 * "max" bytes, and at its end neither half a character nor half of a link, of
 * an image, of a URL in pointed brackets, or of an escaped character.
 */
size_t ngx_http_ilert_details_cut(ngx_str_t *text, size_t max);


#endif /* _NGX_HTTP_ILERT_DETAILS_H_INCLUDED_ */
