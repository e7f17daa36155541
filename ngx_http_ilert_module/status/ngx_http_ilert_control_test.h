
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CONTROL_TEST_H_INCLUDED_
#define _NGX_HTTP_ILERT_CONTROL_TEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Tests the source "name" for a request to "ilert_control".  The request is
 * answered when both events of the test have a verdict, or have waited for too
 * long (see test.h).  "path" is logged then, and must live as long as the
 * request.  Returns what a content handler returns.
 */
ngx_int_t ngx_http_ilert_control_test(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *path);


#endif /* _NGX_HTTP_ILERT_CONTROL_TEST_H_INCLUDED_ */
