
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
 * Checks for set-ups that nginx accepts although they lose alerts, so that
 * they are probably not meant.  A finding never keeps nginx from starting.
 */


/*
 * Runs all checks.  The master calls this after the configuration has been
 * read, the queue's folder has been made, and the files in it have been given
 * to the workers' user.  Each finding is logged at the level "warn" to the log
 * for errors of the configuration, which is the terminal with "nginx -t", and
 * is added to imcf->setup.  Only a second master at the queue's folder is not
 * added, because it may end at any time: the status looks for it by itself.
 */
void ngx_http_ilert_checks(ngx_cycle_t *cycle,
    ngx_http_ilert_main_conf_t *imcf);


#endif /* _NGX_HTTP_ILERT_CHECKS_H_INCLUDED_ */
