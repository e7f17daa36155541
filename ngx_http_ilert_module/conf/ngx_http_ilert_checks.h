
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CHECKS_H_INCLUDED_
#define _NGX_HTTP_ILERT_CHECKS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/*
 * What nginx takes, and what loses alerts all the same: set-ups that are
 * probably not meant.  None of them keeps nginx from starting.
 */


/*
 * Looks for them, in the master, when the configuration has been read, the
 * queue's folder made, and its files given to the workers.  Each that is found
 * is logged at the level "warn" to where errors of the configuration go, which
 * is the terminal with "nginx -t", and is added to imcf->setup.  Two masters
 * at one folder are logged only: whether that is still so status asks for
 * itself.
 */
void ngx_http_ilert_checks(ngx_cycle_t *cycle,
    ngx_http_ilert_main_conf_t *imcf);


#endif /* _NGX_HTTP_ILERT_CHECKS_H_INCLUDED_ */
