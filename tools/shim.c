
/*
 * Loaded before libc by LD_PRELOAD: a clock that a test can set and a disk
 * that it can break or stop, as the file that ILERT_SHIM names says, which is
 * mapped and may be written to at any time (t/lib/IlertShim.pm).
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


typedef struct {
    volatile int64_t  clock;        /* what is added to the time, in seconds */
    volatile int64_t  passed;       /* and what to that of timers as well */
    volatile int64_t  held;         /* ns of CLOCK_MONOTONIC at which both */
                                    /* stand still, 0: they go */
    volatile int64_t  stood;        /* ns that they have stood still before */
    volatile int32_t  stuck;        /* syncs do not return while it is set: */
                                    /* 1, or the number of the only process */
    volatile int32_t  write_error;  /* errno of each write */
    volatile int32_t  sync_error;   /* errno of each sync */
    volatile int32_t  open_error;   /* errno of each open, or, if it is */
                                    /* EROFS, of what changes the folder */
    char              folder[232];  /* of the files that are meant */
    char              deadly[64];   /* who writes this dies */
    char              still[64];    /* who writes this waits while it is set */
} control_t;


static control_t   none;
static control_t  *control = &none;

#define real(name)                                                            \
    static __typeof__(name)  *next;                                           \
    if (next == NULL) {                                                       \
        next = (__typeof__(name) *) dlsym(RTLD_NEXT, #name);                  \
    }


__attribute__((constructor))
static void
shim_init(void)
{
    int    fd;
    void  *p;
    char  *path;

    path = getenv("ILERT_SHIM");
    if (path == NULL) {
        return;
    }

    fd = open(path, O_RDONLY);
    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(control_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        control = p;
    }
}


/* what is to be added to the time of day or to that of timers, in ns */

static int64_t
shim_offset(int of_day)
{
    int64_t          held, offset;
    struct timespec  ts;

    real(clock_gettime)

    offset = control->passed * 1000000000 - control->stood;

    if (of_day) {
        offset += control->clock * 1000000000;
    }

    held = control->held;

    if (held) {
        next(CLOCK_MONOTONIC, &ts);
        offset -= ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec - held;
    }

    return offset;
}


static void
shim_add(struct timespec *ts, int64_t ns)
{
    ns += ts->tv_sec * INT64_C(1000000000) + ts->tv_nsec;

    ts->tv_sec = ns / 1000000000;
    ts->tv_nsec = ns % 1000000000;
}


int
clock_gettime(clockid_t id, struct timespec *tp)
{
    int  rc;

    real(clock_gettime)

    rc = next(id, tp);

    if (rc == 0) {
        switch (id) {

        case CLOCK_REALTIME:
        case CLOCK_REALTIME_COARSE:
            shim_add(tp, shim_offset(1));
            break;

        case CLOCK_MONOTONIC:
        case CLOCK_MONOTONIC_COARSE:
            shim_add(tp, shim_offset(0));
            break;
        }
    }

    return rc;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    int              rc;
    struct timespec  ts;

    real(gettimeofday)

    rc = next(tv, tz);

    if (rc == 0 && tv != NULL) {
        ts.tv_sec = tv->tv_sec;
        ts.tv_nsec = tv->tv_usec * 1000;

        shim_add(&ts, shim_offset(1));

        tv->tv_sec = ts.tv_sec;
        tv->tv_usec = ts.tv_nsec / 1000;
    }

    return rc;
}


time_t
time(time_t *tp)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    if (tp != NULL) {
        *tp = ts.tv_sec;
    }

    return ts.tv_sec;
}


/* the kernel waits by the real clock */

int
pthread_mutex_timedlock(pthread_mutex_t *restrict mutex,
    const struct timespec *restrict abstime)
{
    struct timespec  ts;

    real(pthread_mutex_timedlock)

    ts = *abstime;
    shim_add(&ts, -shim_offset(1));

    return next(mutex, &ts);
}


int
pthread_cond_timedwait(pthread_cond_t *restrict cond,
    pthread_mutex_t *restrict mutex, const struct timespec *restrict abstime)
{
    struct timespec  ts;

    real(pthread_cond_timedwait)

    ts = *abstime;
    shim_add(&ts, -shim_offset(1));

    return next(cond, mutex, &ts);
}


static int
shim_is_ours(int fd)
{
    char     link[64], path[1024];
    ssize_t  n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0) {
        return 0;
    }

    path[n] = '\0';

    return strncmp(path, control->folder, strlen(control->folder)) == 0;
}


static int
shim_fails(int fd, int error)
{
    if (error == 0 || !shim_is_ours(fd)) {
        return 0;
    }

    errno = error;

    return 1;
}


static int
shim_writes(const void *buf, size_t n, volatile const char *text)
{
    const char *s = (const char *) text;

    return s[0] && memmem(buf, n, s, strlen(s)) != NULL;
}


/* as in a log; what goes over a socket is written by other calls */

ssize_t
write(int fd, const void *buf, size_t n)
{
    real(write)

    if (shim_writes(buf, n, control->deadly)) {
        raise(SIGKILL);
    }

    while (shim_writes(buf, n, control->still)) {
        usleep(10000);
    }

    return next(fd, buf, n);
}


ssize_t
pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    real(pwrite)

    return shim_fails(fd, control->write_error) ? -1
                                                : next(fd, buf, n, offset);
}


ssize_t
pwrite64(int fd, const void *buf, size_t n, off64_t offset)
{
    real(pwrite64)

    return shim_fails(fd, control->write_error) ? -1
                                                : next(fd, buf, n, offset);
}


int
ftruncate(int fd, off_t size)
{
    real(ftruncate)

    return shim_fails(fd, control->write_error) ? -1 : next(fd, size);
}


int
ftruncate64(int fd, off64_t size)
{
    real(ftruncate64)

    return shim_fails(fd, control->write_error) ? -1 : next(fd, size);
}


static int
shim_is_stuck(void)
{
    int32_t  stuck;

    stuck = control->stuck;

    return stuck == 1 || (stuck != 0 && stuck == getpid());
}


static void
shim_wait(int fd)
{
    if (!shim_is_stuck() || !shim_is_ours(fd)) {
        return;
    }

    while (shim_is_stuck()) {
        usleep(10000);
    }
}


int
fsync(int fd)
{
    real(fsync)

    shim_wait(fd);

    return shim_fails(fd, control->sync_error) ? -1 : next(fd);
}


int
fdatasync(int fd)
{
    real(fdatasync)

    shim_wait(fd);

    return shim_fails(fd, control->sync_error) ? -1 : next(fd);
}


static int
shim_fails_path(const char *path, int changes)
{
    int  error;

    error = control->open_error;

    if (error == 0 || (error == EROFS && !changes)
        || strncmp(path, control->folder, strlen(control->folder)) != 0)
    {
        return 0;
    }

    errno = error;

    return 1;
}


/* O_RDONLY is 0 */

#define shim_changes(flags)                                                   \
    (((flags) & O_ACCMODE) != O_RDONLY || ((flags) & (O_CREAT|O_TRUNC)))


int
open(const char *path, int flags, ...)
{
    va_list  args;
    mode_t   mode;

    real(open)

    va_start(args, flags);
    mode = (flags & (O_CREAT|O_TMPFILE)) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return shim_fails_path(path, shim_changes(flags))
           ? -1 : next(path, flags, mode);
}


int
open64(const char *path, int flags, ...)
{
    va_list  args;
    mode_t   mode;

    real(open64)

    va_start(args, flags);
    mode = (flags & (O_CREAT|O_TMPFILE)) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return shim_fails_path(path, shim_changes(flags))
           ? -1 : next(path, flags, mode);
}


int
unlink(const char *path)
{
    real(unlink)

    return shim_fails_path(path, 1) ? -1 : next(path);
}


int
rename(const char *from, const char *to)
{
    real(rename)

    return shim_fails_path(from, 1) ? -1 : next(from, to);
}
