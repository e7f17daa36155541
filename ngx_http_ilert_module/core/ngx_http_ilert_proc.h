
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_PROC_H_INCLUDED_
#define _NGX_HTTP_ILERT_PROC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * What the kernel knows about a process, by /proc/PID/stat: see proc(5), which
 * numbers the fields of that file.
 */

#define NGX_HTTP_ILERT_PROC_PARENT  4       /* the pid of its parent */
#define NGX_HTTP_ILERT_PROC_BIRTH   22      /* when it was started, in clock */
                                            /* ticks since the machine was */


/*
 * Returns the number in a field after the third one, or 0 if it is not known,
 * for example because there is no such process.
 */
ngx_int_t ngx_http_ilert_proc_stat(ngx_pid_t pid, ngx_uint_t field);


#endif /* _NGX_HTTP_ILERT_PROC_H_INCLUDED_ */
