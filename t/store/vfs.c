
/*
 * A layer between SQLite and its VFS, the default one of the test: it counts
 * calls that do I/O, and makes some of them fail, or the disk be full.
 */


#include "store_test.h"

#include <sys/statvfs.h>


typedef struct {
    sqlite3_file    base;
    sqlite3_file   *real;
} vfs_file_t;


ngx_uint_t           vfs_syncs;
ngx_uint_t           vfs_unsynced;
ngx_uint_t           vfs_no_memory;

static sqlite3_vfs   vfs;
static sqlite3_vfs  *vfs_real;

static ngx_uint_t    vfs_n;
static ngx_uint_t    vfs_more;
static ngx_uint_t    vfs_count;
static ngx_uint_t    vfs_hit;
static fault_e       vfs_kind;
static const char   *vfs_last;

static off_t         vfs_size;
static char          vfs_path[512];


void
vfs_fault(ngx_uint_t n, fault_e fault, ngx_uint_t more)
{
    vfs_n = n;
    vfs_more = more;
    vfs_kind = fault;
    vfs_count = 0;
    vfs_hit = 0;
    vfs_last = "";
}


ngx_uint_t
vfs_calls(void)
{
    return vfs_count;
}


ngx_uint_t
vfs_failed(void)
{
    return vfs_hit;
}


const char *
vfs_name(void)
{
    return vfs_last;
}


/* each kind of fault is of some calls only, and counts these */

static int
fails(fault_e kind, const char *name)
{
    if (kind != vfs_kind && vfs_kind != FAULT_KILL) {
        return 0;
    }

    vfs_count++;

    if (vfs_n == 0 || vfs_count < vfs_n || vfs_count > vfs_n + vfs_more) {
        return 0;
    }

    if (vfs_kind == FAULT_KILL) {
        raise(SIGKILL);
    }

    vfs_hit++;
    vfs_last = name;

    return 1;
}


static off_t
size_of(const char *suffix)
{
    char         path[600];
    struct stat  st;

    sqlite3_snprintf(sizeof(path), path, "%s/%s", vfs_path, suffix);

    return (stat(path, &st) == 0) ? st.st_size : 0;
}


static off_t
used(void)
{
    return size_of("queue.db") + size_of("queue.db-wal")
           + size_of("queue.db-shm") + size_of("ballast");
}


void
vfs_quota(test_t *t, off_t size)
{
    vfs_size = size;

    sqlite3_snprintf(sizeof(vfs_path), vfs_path, "%s", t->path);
}


/* in place of libc's */

int
statvfs(const char *path, struct statvfs *fs)
{
    off_t  left;

    memset(fs, 0, sizeof(struct statvfs));

    left = (off_t) 1 << 40;

    if (vfs_size) {
        left = vfs_size - used();
        left = ngx_max(left, 0);
    }

    fs->f_frsize = 1;
    fs->f_bavail = left;

    return 0;
}


static int
no_room(sqlite3_file *real, int n, sqlite3_int64 offset)
{
    sqlite3_int64  size;

    if (vfs_size == 0 || real->pMethods->xFileSize(real, &size) != SQLITE_OK
        || offset + n <= size)
    {
        return 0;
    }

    return used() + (offset + n - size) > vfs_size;
}


static int
file_close(sqlite3_file *file)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    return f->real->pMethods->xClose(f->real);
}


static int
file_read(sqlite3_file *file, void *buf, int n, sqlite3_int64 offset)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    if (fails(FAULT_IOERR, "read")) {
        return SQLITE_IOERR_READ;
    }

    return f->real->pMethods->xRead(f->real, buf, n, offset);
}


/* half of what fails may have been written */

static int
file_write(sqlite3_file *file, const void *buf, int n, sqlite3_int64 offset)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    if (fails(FAULT_IOERR, "write")) {
        f->real->pMethods->xWrite(f->real, buf, n / 2, offset);
        errno = EIO;
        return SQLITE_IOERR_WRITE;
    }

    if (fails(FAULT_FULL, "write, full") || no_room(f->real, n, offset)) {
        errno = ENOSPC;
        return SQLITE_FULL;
    }

    vfs_unsynced++;

    return f->real->pMethods->xWrite(f->real, buf, n, offset);
}


static int
file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    if (fails(FAULT_IOERR, "truncate")) {
        return SQLITE_IOERR_TRUNCATE;
    }

    return f->real->pMethods->xTruncate(f->real, size);
}


/* it is a process that dies, not the machine: disks are slow */

static int
file_sync(sqlite3_file *file, int flags)
{
    if (fails(FAULT_IOERR, "sync")) {
        return SQLITE_IOERR_FSYNC;
    }

    vfs_syncs++;
    vfs_unsynced = 0;

    return SQLITE_OK;
}


static int
file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    if (fails(FAULT_IOERR, "size")) {
        return SQLITE_IOERR_FSTAT;
    }

    return f->real->pMethods->xFileSize(f->real, size);
}


static int
file_lock(sqlite3_file *file, int level)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    if (fails(FAULT_BUSY, "lock")) {
        return SQLITE_BUSY;
    }

    if (fails(FAULT_IOERR, "lock, error")) {
        return SQLITE_IOERR_LOCK;
    }

    return f->real->pMethods->xLock(f->real, level);
}


static int
file_unlock(sqlite3_file *file, int level)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    return f->real->pMethods->xUnlock(f->real, level);
}


static int
file_reserved(sqlite3_file *file, int *result)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    return f->real->pMethods->xCheckReservedLock(f->real, result);
}


static int
file_control(sqlite3_file *file, int op, void *arg)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    return f->real->pMethods->xFileControl(f->real, op, arg);
}


static int
file_sector(sqlite3_file *file)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    return f->real->pMethods->xSectorSize(f->real);
}


static int
file_device(sqlite3_file *file)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    return f->real->pMethods->xDeviceCharacteristics(f->real);
}


static int
shm_map(sqlite3_file *file, int page, int size, int extend,
    void volatile **p)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    if (fails(FAULT_IOERR, "shm map")) {
        return SQLITE_IOERR_SHMMAP;
    }

    if (extend && fails(FAULT_FULL, "shm map, full")) {
        errno = ENOSPC;
        return SQLITE_IOERR_SHMSIZE;
    }

    return f->real->pMethods->xShmMap(f->real, page, size, extend, p);
}


static int
shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    if (flags & SQLITE_SHM_LOCK) {

        if (fails(FAULT_BUSY, "shm lock")) {
            return SQLITE_BUSY;
        }

        if (fails(FAULT_IOERR, "shm lock, error")) {
            return SQLITE_IOERR_SHMLOCK;
        }
    }

    return f->real->pMethods->xShmLock(f->real, offset, n, flags);
}


static void
shm_barrier(sqlite3_file *file)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    f->real->pMethods->xShmBarrier(f->real);
}


static int
shm_unmap(sqlite3_file *file, int delete)
{
    vfs_file_t  *f = (vfs_file_t *) file;

    return f->real->pMethods->xShmUnmap(f->real, delete);
}


/* version 2: no mapped pages, which would do without reads */

static const sqlite3_io_methods  file_methods = {
    2, file_close, file_read, file_write, file_truncate, file_sync,
    file_size, file_lock, file_unlock, file_reserved, file_control,
    file_sector, file_device, shm_map, shm_lock, shm_barrier, shm_unmap,
    NULL, NULL
};


/* as of a file system without shared memory */

static const sqlite3_io_methods  file_methods_no_memory = {
    1, file_close, file_read, file_write, file_truncate, file_sync,
    file_size, file_lock, file_unlock, file_reserved, file_control,
    file_sector, file_device, NULL, NULL, NULL, NULL, NULL, NULL
};


static int
vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags,
    int *out)
{
    int          rc;
    vfs_file_t  *f = (vfs_file_t *) file;

    f->base.pMethods = NULL;

    if (fails(FAULT_OPEN, "open")) {
        errno = EMFILE;
        return SQLITE_CANTOPEN;
    }

    if ((flags & SQLITE_OPEN_CREATE) && fails(FAULT_FULL, "open, full")) {
        errno = ENOSPC;
        return SQLITE_CANTOPEN;
    }

    f->real = (sqlite3_file *) &f[1];

    rc = vfs_real->xOpen(vfs_real, name, f->real, flags, out);

    if (f->real->pMethods) {
        f->base.pMethods = vfs_no_memory ? &file_methods_no_memory
                                         : &file_methods;
    }

    return rc;
}


static int
vfs_delete(sqlite3_vfs *v, const char *name, int sync)
{
    if (fails(FAULT_IOERR, "delete")) {
        return SQLITE_IOERR_DELETE;
    }

    return vfs_real->xDelete(vfs_real, name, sync);
}


static int
vfs_access(sqlite3_vfs *v, const char *name, int flags, int *result)
{
    if (fails(FAULT_IOERR, "access")) {
        return SQLITE_IOERR_ACCESS;
    }

    return vfs_real->xAccess(vfs_real, name, flags, result);
}


static int
vfs_full_name(sqlite3_vfs *v, const char *name, int n, char *out)
{
    if (fails(FAULT_OPEN, "full name")) {
        errno = EMFILE;
        return SQLITE_CANTOPEN_FULLPATH;
    }

    return vfs_real->xFullPathname(vfs_real, name, n, out);
}


void
vfs_init(void)
{
    vfs_real = sqlite3_vfs_find("unix");

    vfs = *vfs_real;

    vfs.zName = "test";
    vfs.szOsFile = sizeof(vfs_file_t) + vfs_real->szOsFile;
    vfs.pNext = NULL;
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    vfs.xAccess = vfs_access;
    vfs.xFullPathname = vfs_full_name;

    sqlite3_vfs_register(&vfs, 1);
}
