
#ifndef _STORE_TEST_H_INCLUDED_
#define _STORE_TEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <sqlite3.h>

#include "ngx_http_ilert_backend.h"
#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_sqlite.h"
#include "ngx_http_ilert_store.h"
#include "null.h"


/*
 * A store in a folder of its own, a job to be filled in, and what the last
 * one has taken.
 */

#define ALERT     NGX_HTTP_ILERT_ALERT
#define RESOLVE   NGX_HTTP_ILERT_RESOLVE
#define ACCEPT    NGX_HTTP_ILERT_ACCEPT
#define COMMENT   NGX_HTTP_ILERT_COMMENT

#define OK        NGX_HTTP_ILERT_STORE_OK
#define FULL      NGX_HTTP_ILERT_STORE_FULL
#define FAILED    NGX_HTTP_ILERT_STORE_FAILED
#define CLOSED    NGX_HTTP_ILERT_STORE_CLOSED

#define DONE      NGX_HTTP_ILERT_STORE_DONE
#define UNSENT    NGX_HTTP_ILERT_STORE_UNSENT
#define AGAIN     NGX_HTTP_ILERT_STORE_AGAIN
#define DEAD      NGX_HTTP_ILERT_STORE_DEAD

#define NONE_WAITS  NGX_HTTP_ILERT_STORE_NONE_WAITS
#define WAITS       NGX_HTTP_ILERT_STORE_WAITS
#define CANNOT_SAY  NGX_HTTP_ILERT_STORE_CANNOT_SAY

#define OFF       NGX_HTTP_ILERT_COALESCE_OFF
#define REPEATS   NGX_HTTP_ILERT_COALESCE_REPEATS
#define LATEST    NGX_HTTP_ILERT_COALESCE_LATEST

#define INFO      NGX_HTTP_ILERT_INFO
#define WARNING   NGX_HTTP_ILERT_WARNING
#define CRITICAL  NGX_HTTP_ILERT_CRITICAL

#define REPLAY    NGX_HTTP_ILERT_STORE_REPLAY
#define DISCARD   NGX_HTTP_ILERT_STORE_DISCARD
#define PAUSE     NGX_HTTP_ILERT_STORE_PAUSE
#define RESUME    NGX_HTTP_ILERT_STORE_RESUME
#define EMPTY     NGX_HTTP_ILERT_STORE_EMPTY

#define MAX_TAKES    8
#define MAX_BUDGETS  8
#define MAX_IDS      16

#define SECOND      ((int64_t) 1000)
#define DAY         ((int64_t) 86400 * 1000)

/* 2025-06-15 12:00:00 UTC */

#define NOW         ((int64_t) 1749988800 * 1000)


typedef ngx_http_ilert_store_event_t   event_t;
typedef ngx_http_ilert_store_budget_t  budget_t;
typedef ngx_http_ilert_store_order_t   order_t;
typedef ngx_http_ilert_store_query_t   query_t;
typedef ngx_http_ilert_store_refused_t  refused_t;

typedef struct {
    char                          path[512];
    ngx_http_ilert_store_t        store;
    ngx_http_ilert_store_job_t    job;
    ngx_http_ilert_store_take_t   takes[MAX_TAKES];
    ngx_str_t                     release[1];
    int64_t                       now;
    event_t                      *accepted;     /* the first one of the job */
    ngx_http_ilert_policy_t       policy;       /* of events and takes: off */
    budget_t                      budgets[MAX_BUDGETS];
    ngx_uint_t                    nbudgets;     /* takes use the first two */
    uint64_t                      ids[MAX_IDS];
    const char                   *removed;      /* a source that is not */
                                                /* configured any longer */
} test_t;


extern char       test_dir[256];
extern ngx_uint_t  test_failures;

/* of the stores that setup() makes */
extern ngx_http_ilert_backend_t  *test_backend;

#define on_sqlite()  (test_backend == &ngx_http_ilert_sqlite)

/* fails the n-th allocation from now on, once; 0: none */
extern ngx_uint_t  test_alloc_fails;


#define check(condition)                                                      \
    ((condition) ? (void) 0 : fail_at(__FILE__, __LINE__, #condition, NULL))

#define check_int(got, wanted)                                                \
    check_int_at(__FILE__, __LINE__, #got, (int64_t) (got),                   \
                 (int64_t) (wanted))

#define check_str(got, wanted)                                                \
    check_str_at(__FILE__, __LINE__, #got, got, wanted)


void fail_at(const char *file, int line, const char *what, const char *got);
void check_int_at(const char *file, int line, const char *what, int64_t got,
    int64_t wanted);
void check_str_at(const char *file, int line, const char *what,
    const char *got, const char *wanted);

/* an empty folder, a store that is not open */
void setup(test_t *t, const char *name);
/* closes the store, frees the job's events; the folder stays */
void teardown(test_t *t);

event_t *new_event(const char *source, const char *key, ngx_uint_t type,
    const char *body);
/* adds an event to the job; of what is not given there are defaults */
event_t *accept_event(test_t *t, const char *source, const char *key,
    ngx_uint_t type, const char *body);
/* the same with an id of its own */
event_t *accept_id(test_t *t, const char *source, const char *key,
    ngx_uint_t type, uint64_t id);
/* the same of so many alerts: "0", "1", ... */
void accept_n(test_t *t, const char *source, ngx_uint_t n, ngx_uint_t type,
    const char *body);
event_t *received(event_t *ev, int64_t time);
event_t *level(event_t *ev, ngx_uint_t level);
void take(test_t *t, const char *source, ngx_uint_t n, int64_t max_age);
budget_t *budget(test_t *t, const char *name, ngx_uint_t rate,
    int64_t window);
void release(test_t *t, const char *source);
/* of a letter, or if its id is 0, of a source; the caller's memory */
order_t *order(test_t *t, order_t *order, ngx_uint_t action,
    const char *source, uint64_t id);
/*
 * The next job has a refused webhook with such a body, of so many bytes "x" if
 * it is NULL.
 */
refused_t *refuse_webhook(test_t *t, const char *error, const char *body,
    size_t size);
/*
 * Asks of all, of a source, or of an alert of it, in the next job; what was
 * asked before is forgotten.
 */
query_t *query(test_t *t, const char *source, const char *key);
/* takes the event out of the list it is in */
void verdict(test_t *t, event_t *ev, ngx_uint_t verdict);

/*
 * Runs the job and begins a new one.  What was taken is in t->job.taken of
 * the old one: "taken" gives the n-th, "outcome" the rest.
 */
ngx_uint_t run(test_t *t);
event_t *taken(test_t *t, ngx_uint_t n);
event_t *only(test_t *t);
/* over the next run */
event_t *keep(event_t *ev);

extern ngx_http_ilert_store_job_t  outcome;

/* in one go: accept, take and deliver what there is */
void accept_one(test_t *t, const char *source, const char *key,
    ngx_uint_t type, const char *body);
event_t *take_one(test_t *t, const char *source);
/* the same of so many, at most; how many were taken */
ngx_uint_t take_n(test_t *t, const char *source, ngx_uint_t n);
/* the same of "ops", with so many ids, from 100 on, for its RESOLVEs */
void take_stale(test_t *t, ngx_uint_t n, ngx_uint_t nids);
/* the next job has that verdict of all that has been taken */
void verdicts(test_t *t, ngx_uint_t v);
void decide(test_t *t, event_t *ev, ngx_uint_t verdict);
/* "key:body key:body ..." of what is taken and delivered, till the end */
const char *drain(test_t *t, const char *source);

/* by a connection of its own; the first column of the first row, or "" */
const char *sql(test_t *t, const char *fmt, ...);

/* looks at all statements of the backend; the store is not open before */
void each_statement(test_t *t, void (*look)(test_t *t, const char *text));
/* "TABLE INDEX ...", which a statement writes */
const char *indexes_of(test_t *t, const char *text);

/* what is kept with a source is what counting says */
void check_counts(test_t *t);
/* the head of an alert is its first event, its class the most urgent one's */
void check_heads(test_t *t);

double seconds(void);

/* the path of a file in its folder, valid until the next call */
char *file(test_t *t, const char *name);
/* the caller's to free */
size_t read_file(test_t *t, const char *name, char **data);
void write_file(const char *path, const void *data, size_t len);
ngx_uint_t exists(test_t *t, const char *name);
/* how many files of the folder have a name that begins so */
ngx_uint_t count_files(test_t *t, const char *prefix);

/* removes the database, which must be closed, but not the ballast */
void forget(test_t *t);

/* a job that accepts an ALERT, and the first event of one that has not */
ngx_uint_t try_one(test_t *t, const char *key);
event_t *refused(test_t *t);

/* in a process that is not root's, and in whose folder it may write */
void as_nobody(test_t *t, void (*test)(test_t *t));

pthread_mutex_t *shared_mutex(void);

uint32_t rnd(uint32_t n);
void rnd_seed(uint32_t seed);
/* each one with a seed of its own, until one fails; the seed is printed */
void at_random(ngx_uint_t runs, void (*run)(ngx_uint_t n));


/* vfs.c */

typedef enum {
    FAULT_NONE = 0,
    FAULT_IOERR,
    FAULT_FULL,
    FAULT_OPEN,         /* SQLITE_CANTOPEN */
    FAULT_BUSY,
    FAULT_KILL          /* the process */
} fault_e;

/*
 * The same for any backend: with a fault of FULL or IOERR, the n-th call from
 * now on that changes something fails, and "more" after that one.
 */
void store_fault(ngx_uint_t n, fault_e fault, ngx_uint_t more);
/* whether one has failed */
ngx_uint_t store_faults(void);

void vfs_init(void);
/* the n-th call from now on fails, and "more" after that one */
void vfs_fault(ngx_uint_t n, fault_e fault, ngx_uint_t more);
/* calls made, and whether one has failed */
ngx_uint_t vfs_calls(void);
ngx_uint_t vfs_failed(void);
const char *vfs_name(void);
/* calls of sync since it was 0, and writes since the last one */
extern ngx_uint_t  vfs_syncs;
extern ngx_uint_t  vfs_unsynced;
/* files that are opened from now on have no shared memory */
extern ngx_uint_t  vfs_no_memory;
/* how many bytes the files in the store's folder may have; 0: any */
void vfs_quota(test_t *t, off_t size);


/* failing.c */

/* the n-th call of SQLite from now on fails so, and the one "after" that */
void failing_call(ngx_uint_t n, ngx_uint_t after, int rc);
/* how many have failed */
ngx_uint_t failing_calls(void);
/* each path to SQLite fails so often; before the cases begin */
void failing_init(ngx_uint_t times);
extern ngx_uint_t  failing_times;
/*
 * From now on the first call of a new path to SQLite, or to the system, fails,
 * the latter with that errno.  failing_until() ends that, and returns how many
 * have failed.
 */
void failing_from(int err);
ngx_uint_t failing_until(void);

/* the n-th stat() from now on returns something else in this member */

typedef enum {
    CHANGED_DEVICE = 0,
    CHANGED_INODE,
    CHANGED_SIZE,
    CHANGED_SECONDS,
    CHANGED_NANOSECONDS
} changed_e;

void failing_stat(ngx_uint_t n, changed_e changed);
/* how many calls of stat() there were since */
ngx_uint_t failing_stats(void);
/* the n-th write() from now on, and none of SQLite's, writes so many bytes */
void failing_write(ngx_uint_t n, size_t size);
/* runs the job of the test, after it has failed in all ways that are new */
ngx_uint_t run_job(test_t *t);


typedef struct {
    const char  *name;
    void       (*run)(void);
} test_case_t;

extern test_case_t  rule_cases[];
extern test_case_t  fallback_cases[];
extern test_case_t  pattern_cases[];
extern test_case_t  sqlite_cases[];
extern test_case_t  event_cases[];
extern test_case_t  event_sqlite_cases[];
extern test_case_t  version_cases[];
extern test_case_t  coalesce_cases[];
extern test_case_t  delay_cases[];
extern test_case_t  budget_cases[];
extern test_case_t  home_cases[];
extern test_case_t  home_sqlite_cases[];
extern test_case_t  wait_cases[];
extern test_case_t  forget_cases[];
extern test_case_t  forget_sqlite_cases[];
extern test_case_t  damage_cases[];
extern test_case_t  status_cases[];
extern test_case_t  status_sqlite_cases[];
extern test_case_t  waiter_cases[];
extern test_case_t  control_cases[];
extern test_case_t  refused_cases[];
extern test_case_t  refused_sqlite_cases[];
extern test_case_t  silence_cases[];
extern test_case_t  silence_sqlite_cases[];
extern test_case_t  silences_cases[];
extern test_case_t  storm_cases[];
extern test_case_t  trouble_cases[];
extern test_case_t  ask_cases[];
extern test_case_t  process_cases[];
extern test_case_t  courier_cases[];
extern test_case_t  letter_cases[];
extern test_case_t  letter_sqlite_cases[];
extern test_case_t  courier_sqlite_cases[];
extern test_case_t  fault_cases[];
extern test_case_t  heard_cases[];
extern test_case_t  heard_sqlite_cases[];
extern test_case_t  heard_job_cases[];
extern test_case_t  held_cases[];
extern test_case_t  held_sqlite_cases[];
extern test_case_t  hold_cases[];
extern test_case_t  heard_rule_cases[];
extern test_case_t  digest_rule_cases[];
extern test_case_t  digest_cases[];

int bench(int argc, char **argv);
int storm(int argc, char **argv);


#endif /* _STORE_TEST_H_INCLUDED_ */
