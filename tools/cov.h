
/* included before all else by tools/cov: a process that _exit()s counts too */


#ifndef _COV_H_INCLUDED_
#define _COV_H_INCLUDED_


/* as nginx has it before its first header */

#define _GNU_SOURCE
#define _FILE_OFFSET_BITS  64

#include <unistd.h>


void __gcov_dump(void);


#define _exit(status)  (__gcov_dump(), _exit(status))


#endif /* _COV_H_INCLUDED_ */
