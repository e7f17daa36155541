
/*
 * Loaded before libc by LD_PRELOAD: writes down, in order, what becomes of the
 * files below the folder ILERT_RECORD_FOLDER, and which webhooks are answered
 * 202, to the file ILERT_RECORD (t/lib/IlertRecord.pm reads it).  Each entry
 * is written together with what it is about under a lock on that file: who
 * holds the lock may kill any process, and nothing is done and not recorded.
 * Memory that is mapped, as SQLite's -shm is, is not seen.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>


/* as IlertRecord.pm unpacks it; "size" bytes follow */

typedef struct {
    char      type;
    char      zero[3];
    uint32_t  size;
    uint64_t  inode;
    int64_t   value;        /* offset, size, or number of a sync */
} entry_t;


#define ANSWER       "HTTP/1.1 202"
#define ANSWER_HEAD  1024

#define real(name)                                                            \
    static __typeof__(name)  *next;                                           \
    if (next == NULL) {                                                       \
        next = (__typeof__(name) *) dlsym(RTLD_NEXT, #name);                  \
    }


static pthread_mutex_t  mutex = PTHREAD_MUTEX_INITIALIZER;
static const char      *record;
static const char      *folder;
static size_t           folder_len;
static size_t           parent_len;
static pid_t            owner;
static int              record_fd;
static uint32_t         syncs;


__attribute__((constructor))
static void
record_init(void)
{
    const char  *p;

    if (getenv("ILERT_RECORD") == NULL
        || getenv("ILERT_RECORD_FOLDER") == NULL)
    {
        return;
    }

    /* nginx writes its title where they are */

    record = strdup(getenv("ILERT_RECORD"));
    folder = strdup(getenv("ILERT_RECORD_FOLDER"));

    p = strrchr(folder, '/');
    folder_len = strlen(folder);
    parent_len = p ? (size_t) (p - folder) : 0;
}


/* a lock is of the open file, which a process must not share with others */

static void
record_lock(void)
{
    pthread_mutex_lock(&mutex);

    if (owner != getpid()) {
        owner = getpid();
        record_fd = syscall(SYS_openat, AT_FDCWD, record,
                            O_WRONLY|O_APPEND|O_CLOEXEC);
    }

    while (flock(record_fd, LOCK_EX) == -1 && errno == EINTR) { /* void */ }
}


static void
record_unlock(void)
{
    int  err;

    err = errno;
    (void) flock(record_fd, LOCK_UN);
    pthread_mutex_unlock(&mutex);
    errno = err;
}


static void
record_entry(char type, uint64_t inode, int64_t value, const void *data,
    size_t size)
{
    int           err;
    entry_t       entry;
    struct iovec  iov[2];

    static ssize_t  (*next)(int, const struct iovec *, int);

    if (next == NULL) {
        next = (ssize_t (*)(int, const struct iovec *, int))
                   dlsym(RTLD_NEXT, "writev");
    }

    err = errno;

    memset(&entry, 0, sizeof(entry_t));
    entry.type = type;
    entry.size = size;
    entry.inode = inode;
    entry.value = value;

    iov[0].iov_base = &entry;
    iov[0].iov_len = sizeof(entry_t);
    iov[1].iov_base = (void *) data;
    iov[1].iov_len = size;

    if (next(record_fd, iov, 2) != (ssize_t) (sizeof(entry_t) + size)) {
        abort();
    }

    errno = err;
}


/* 1: of the folder; 2: the folder or the one that it is in */

static int
record_is_ours(const char *path)
{
    size_t  len;

    len = strlen(path);

    if (record == NULL || len < parent_len
        || strncmp(path, folder, len < folder_len ? len : folder_len) != 0)
    {
        return 0;
    }

    if (len == parent_len || len == folder_len) {
        return 2;
    }

    return len > folder_len && path[folder_len] == '/';
}


static int
record_is_open(int fd, char *path, size_t size, struct stat *st)
{
    char     link[64];
    ssize_t  n;

    if (record == NULL) {
        return 0;
    }

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, path, size - 1);
    if (n <= 0) {
        return 0;
    }

    path[n] = '\0';

    return record_is_ours(path) && fstat(fd, st) == 0
           && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
}


/* a file that is open, if it is ours: then the lock is held */

static int
record_begin(int fd, uint64_t *inode)
{
    int          err;
    char         path[4096];
    struct stat  st;

    err = errno;

    if (!record_is_open(fd, path, sizeof(path), &st) || !S_ISREG(st.st_mode)) {
        errno = err;
        return 0;
    }

    errno = err;
    *inode = st.st_ino;
    record_lock();

    return 1;
}


static int
record_open(int (*next)(const char *, int, ...), const char *path, int flags,
    mode_t mode)
{
    int          fd;
    struct stat  st;

    if (!(flags & (O_CREAT|O_TRUNC)) || record_is_ours(path) != 1) {
        return next(path, flags, mode);
    }

    record_lock();

    fd = next(path, flags, mode);

    if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        record_entry('c', st.st_ino, 0, path, strlen(path));

        if (flags & O_TRUNC) {
            record_entry('t', st.st_ino, 0, "", 0);
        }
    }

    record_unlock();

    return fd;
}


#define record_opens(name)                                                    \
    int                                                                       \
    name(const char *path, int flags, ...)                                    \
    {                                                                         \
        va_list  args;                                                        \
        mode_t   mode;                                                        \
                                                                              \
        real(name)                                                            \
                                                                              \
        va_start(args, flags);                                                \
        mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;                  \
        va_end(args);                                                         \
                                                                              \
        return record_open(next, path, flags, mode);                          \
    }

record_opens(open)
record_opens(open64)


#define record_pwrites(name, type)                                            \
    ssize_t                                                                   \
    name(int fd, const void *buf, size_t n, type offset)                      \
    {                                                                         \
        ssize_t   rc;                                                         \
        uint64_t  inode;                                                      \
                                                                              \
        real(name)                                                            \
                                                                              \
        if (!record_begin(fd, &inode)) {                                      \
            return next(fd, buf, n, offset);                                  \
        }                                                                     \
                                                                              \
        rc = next(fd, buf, n, offset);                                        \
                                                                              \
        if (rc > 0) {                                                         \
            record_entry('w', inode, offset, buf, rc);                        \
        }                                                                     \
                                                                              \
        record_unlock();                                                      \
                                                                              \
        return rc;                                                            \
    }

record_pwrites(pwrite, off_t)
record_pwrites(pwrite64, off64_t)


ssize_t
write(int fd, const void *buf, size_t n)
{
    ssize_t   rc;
    uint64_t  inode;

    real(write)

    if (!record_begin(fd, &inode)) {
        return next(fd, buf, n);
    }

    rc = next(fd, buf, n);

    if (rc > 0) {
        record_entry('w', inode, lseek(fd, 0, SEEK_CUR) - rc, buf, rc);
    }

    record_unlock();

    return rc;
}


#define record_truncates(name, type)                                          \
    int                                                                       \
    name(int fd, type size)                                                   \
    {                                                                         \
        int       rc;                                                         \
        uint64_t  inode;                                                      \
                                                                              \
        real(name)                                                            \
                                                                              \
        if (!record_begin(fd, &inode)) {                                      \
            return next(fd, size);                                            \
        }                                                                     \
                                                                              \
        rc = next(fd, size);                                                  \
                                                                              \
        if (rc == 0) {                                                        \
            record_entry('t', inode, size, "", 0);                            \
        }                                                                     \
                                                                              \
        record_unlock();                                                      \
                                                                              \
        return rc;                                                            \
    }

record_truncates(ftruncate, off_t)
record_truncates(ftruncate64, off64_t)


/*
 * What was written before its beginning is on disk after its end.  Nobody has
 * to wait for the lock meanwhile.
 */

static int
record_sync(int (*next)(int), int fd)
{
    int          rc, err;
    char         path[4096];
    int64_t      number;
    const char  *end;
    struct stat  st;

    err = errno;

    if (!record_is_open(fd, path, sizeof(path), &st)) {
        errno = err;
        return next(fd);
    }

    errno = err;

    record_lock();
    number = ((int64_t) owner << 32) + ++syncs;
    record_entry('b', st.st_ino, number, "", 0);
    record_unlock();

    rc = next(fd);

    if (rc == 0) {
        end = S_ISDIR(st.st_mode) ? path : "";

        record_lock();
        record_entry(*end ? 'd' : 'e', st.st_ino, number, end, strlen(end));
        record_unlock();
    }

    return rc;
}


int
fsync(int fd)
{
    real(fsync)

    return record_sync(next, fd);
}


int
fdatasync(int fd)
{
    real(fdatasync)

    return record_sync(next, fd);
}


int
unlink(const char *path)
{
    int  rc;

    real(unlink)

    if (record_is_ours(path) != 1) {
        return next(path);
    }

    record_lock();

    rc = next(path);

    if (rc == 0) {
        record_entry('u', 0, 0, path, strlen(path));
    }

    record_unlock();

    return rc;
}


int
rename(const char *from, const char *to)
{
    int   rc;
    char  paths[8192];

    real(rename)

    if (record_is_ours(from) != 1) {
        return next(from, to);
    }

    record_lock();

    rc = next(from, to);

    if (rc == 0) {
        snprintf(paths, sizeof(paths), "%s\n%s", from, to);
        record_entry('r', 0, 0, paths, strlen(paths));
    }

    record_unlock();

    return rc;
}


int
mkdir(const char *path, mode_t mode)
{
    int  rc;

    real(mkdir)

    if (record_is_ours(path) != 2) {
        return next(path, mode);
    }

    record_lock();

    rc = next(path, mode);

    if (rc == 0) {
        record_entry('k', 0, 0, path, strlen(path));
    }

    record_unlock();

    return rc;
}


/*
 * From here on the event that the answer names must not be lost: its entry
 * comes before the answer is sent.
 */

static void
record_answer(const struct iovec *iov, int n)
{
    int     i;
    char    head[ANSWER_HEAD];
    size_t  len, size;

    if (record == NULL || n == 0 || iov[0].iov_len < sizeof(ANSWER) - 1
        || memcmp(iov[0].iov_base, ANSWER, sizeof(ANSWER) - 1) != 0)
    {
        return;
    }

    len = 0;

    for (i = 0; i < n; i++) {
        size = iov[i].iov_len;

        if (size > sizeof(head) - len) {
            size = sizeof(head) - len;
        }

        memcpy(head + len, iov[i].iov_base, size);
        len += size;
    }

    record_lock();
    record_entry('a', 0, 0, head, len);
    record_unlock();
}


ssize_t
writev(int fd, const struct iovec *iov, int n)
{
    real(writev)

    record_answer(iov, n);

    return next(fd, iov, n);
}


ssize_t
send(int fd, const void *buf, size_t n, int flags)
{
    struct iovec  iov;

    real(send)

    iov.iov_base = (void *) buf;
    iov.iov_len = n;
    record_answer(&iov, 1);

    return next(fd, buf, n, flags);
}
