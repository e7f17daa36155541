
#ifndef _NULL_H_INCLUDED_
#define _NULL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_backend.h"


/*
 * A backend in memory, for tests and for the simulator.  It is of one process
 * and takes no locks.  What it keeps is kept by store->path, as if that were a
 * folder: it is there again after the store has been closed.
 *
 * It honours max_size by its own estimate of bytes, and leaves a reserve when
 * events come in; all else has room.  Without memory it ends the process.
 */
extern ngx_http_ilert_backend_t  ngx_http_ilert_null;

/* forgets all that is kept by that path; the store must be closed */
void null_forget(ngx_str_t *path);

/*
 * Changes fail with that fault: the n-th save or commit from now on, and
 * "more" after that one; n is 0: none.  And how many have failed.
 */
void null_fault(ngx_uint_t n, ngx_uint_t fault, ngx_uint_t more);
ngx_uint_t null_failed(void);


#endif /* _NULL_H_INCLUDED_ */
