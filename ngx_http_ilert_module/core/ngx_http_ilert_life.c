
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_monotonic.h"
#include "ngx_http_ilert_life.h"
#include "ngx_http_ilert_proc.h"


/*
 * ms.  A worker that has not looked for so long cannot say that another one is
 * silent: the machine may have stood still, and so both of them.
 */

#define NGX_HTTP_ILERT_LIFE_LATE     1000


/* a word may have 32 bits: times overflow, as those of ngx_msec_t do */

#define ngx_http_ilert_life_clock()  ((ngx_msec_t) ngx_http_ilert_clock_msec())


static ngx_msec_t ngx_http_ilert_life_age(ngx_msec_t sign);
static ngx_uint_t ngx_http_ilert_life_is_ours(void);
static void ngx_http_ilert_life_set(ngx_http_ilert_life_process_t *process);
static void ngx_http_ilert_life_kill(void);
static ngx_uint_t ngx_http_ilert_life_is_same(ngx_pid_t pid,
    ngx_atomic_uint_t birth);
static void ngx_http_ilert_life_count(int64_t seq);


static ngx_http_ilert_life_t  *ngx_http_ilert_life;

/* of this worker: the hash of its queue's path, and its own birth */

static ngx_atomic_uint_t       ngx_http_ilert_life_path;
static ngx_atomic_uint_t       ngx_http_ilert_life_born;

/*
 * When this worker has looked last; and since when it has always looked in
 * time, or 0: since its start.
 */

static ngx_msec_t              ngx_http_ilert_life_looked;
static ngx_msec_t              ngx_http_ilert_life_since;


void
ngx_http_ilert_life_init_process(ngx_http_ilert_life_t *life, ngx_str_t *path)
{
    ngx_http_ilert_life = life;

    /* 0 is in the memory before there is a courier */

    ngx_http_ilert_life_path = ngx_crc32_long(path->data, path->len) | 1;
    ngx_http_ilert_life_born = ngx_http_ilert_proc_stat(ngx_pid,
                                                   NGX_HTTP_ILERT_PROC_BIRTH);

    ngx_http_ilert_life_looked = ngx_http_ilert_life_clock();
    ngx_http_ilert_life_since = 0;
}


void
ngx_http_ilert_life_tick(void)
{
    ngx_msec_t              now;
    ngx_http_ilert_life_t  *life;

    life = ngx_http_ilert_life;
    now = ngx_http_ilert_life_clock();

    if (ngx_http_ilert_life_is_late()) {
        ngx_http_ilert_life_since = now;
    }

    ngx_http_ilert_life_looked = now;

    if (life->holder.pid == (ngx_atomic_uint_t) ngx_pid) {
        life->holder.sign = now;

    } else if (life->holder.pid) {
        ngx_http_ilert_life_kill();
    }
}


ngx_uint_t
ngx_http_ilert_life_is_late(void)
{
    return ngx_http_ilert_life_clock() - ngx_http_ilert_life_looked
           >= NGX_HTTP_ILERT_LIFE_LATE;
}


/*
 * Returns the ms since that sign, but no more than those for which this worker
 * has looked in time.
 */

static ngx_msec_t
ngx_http_ilert_life_age(ngx_msec_t sign)
{
    ngx_msec_int_t  age, since;

    if (ngx_http_ilert_life_is_late()) {
        return 0;
    }

    age = ngx_http_ilert_life_clock() - sign;

    if (ngx_http_ilert_life_since) {
        since = ngx_http_ilert_life_clock() - ngx_http_ilert_life_since;
        age = ngx_min(age, since);
    }

    return ngx_max(age, 0);
}


static void
ngx_http_ilert_life_set(ngx_http_ilert_life_process_t *process)
{
    process->sign = ngx_http_ilert_life_clock();
    process->birth = ngx_http_ilert_life_born;

    ngx_memory_barrier();

    process->pid = ngx_pid;
}


void
ngx_http_ilert_life_locked(ngx_uint_t locked)
{
    if (locked) {
        ngx_http_ilert_life_set(&ngx_http_ilert_life->holder);

    } else {
        ngx_http_ilert_life->holder.pid = 0;
    }
}


/*
 * Kills the worker that has the mutex, if it stands still: no other worker can
 * write as long as it has it.  A slow disk is no reason, as only the thread
 * waits for the disk, and the event loop gives the signs.
 */

static void
ngx_http_ilert_life_kill(void)
{
    ngx_pid_t                       pid;
    ngx_atomic_uint_t               birth, sign;
    ngx_http_ilert_life_process_t  *holder;

    holder = &ngx_http_ilert_life->holder;

    pid = holder->pid;

    ngx_memory_barrier();

    birth = holder->birth;
    sign = holder->sign;

    if (pid == 0
        || ngx_http_ilert_life_age(sign) < NGX_HTTP_ILERT_LIFE_STILL
        || holder->pid != (ngx_atomic_uint_t) pid
        || !ngx_atomic_cmp_set(&holder->sign, sign,
                               ngx_http_ilert_life_clock())
        || !ngx_http_ilert_life_is_same(pid, birth))
    {
        return;
    }

    if (kill(pid, SIGKILL) == -1) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_errno,
                      "process %P holds the lock of the queue's database, "
                      "gives no sign of life, and cannot be killed", pid);
        return;
    }

    ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                  "process %P held the lock of the queue's database, has "
                  "given no sign of life for 10 seconds, and was killed",
                  pid);
}


/* Returns 1 if the pid is still that of the process with this birth. */

static ngx_uint_t
ngx_http_ilert_life_is_same(ngx_pid_t pid, ngx_atomic_uint_t birth)
{
    ngx_int_t  i;

    if (birth) {
        return (ngx_atomic_uint_t) ngx_http_ilert_proc_stat(pid,
                                                 NGX_HTTP_ILERT_PROC_BIRTH)
               == birth;
    }

    /* the birth is not known, but we know the workers of our master */

    for (i = 0; i < ngx_last_process; i++) {
        if (ngx_processes[i].pid == pid && !ngx_processes[i].exited) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_ilert_life_take_seat(void)
{
    ngx_uint_t              i, seat;
    ngx_http_ilert_life_t  *life;

    life = ngx_http_ilert_life;

    for (i = 0; i < NGX_HTTP_ILERT_LIFE_HANDS; i++) {

        if (life->marks[i] && ngx_http_ilert_life_is_ours()) {
            ngx_http_ilert_life_count(life->marks[i]);
        }

        life->marks[i] = 0;
    }

    if (!ngx_http_ilert_life_is_ours()) {
        ngx_http_ilert_life_forget();
    }

    seat = ngx_atomic_fetch_add(&life->seat, 1) + 1;

    life->courier.pid = 0;
    life->path = ngx_http_ilert_life_path;
    life->logged = 0;

    ngx_http_ilert_life_set(&life->courier);

    return seat;
}


/*
 * Returns 1 if the memory is about our queue: during a reload with another
 * path it may be about the other one.
 */

static ngx_uint_t
ngx_http_ilert_life_is_ours(void)
{
    return ngx_http_ilert_life->path == ngx_http_ilert_life_path;
}


void
ngx_http_ilert_life_leave_seat(ngx_uint_t seat)
{
    ngx_http_ilert_life_t  *life;

    life = ngx_http_ilert_life;

    if (ngx_http_ilert_life_is_ours() && life->seat == seat) {
        life->courier.pid = 0;
        life->logged = 0;
    }
}


ngx_uint_t
ngx_http_ilert_life_has_seat(ngx_uint_t seat)
{
    return !ngx_http_ilert_life_is_ours() || ngx_http_ilert_life->seat == seat;
}


ngx_uint_t
ngx_http_ilert_life_sign(void)
{
    ngx_http_ilert_life_t  *life;

    life = ngx_http_ilert_life;

    if (!ngx_http_ilert_life_is_ours()) {
        return 0;
    }

    life->courier.sign = ngx_http_ilert_life_clock();

    return life->logged && ngx_atomic_cmp_set(&life->logged, 1, 0);
}


ngx_pid_t
ngx_http_ilert_life_silent(ngx_msec_t time)
{
    ngx_pid_t                       pid;
    ngx_atomic_uint_t               sign;
    ngx_http_ilert_life_process_t  *courier;

    if (!ngx_http_ilert_life_is_ours()) {
        return 0;
    }

    courier = &ngx_http_ilert_life->courier;

    pid = courier->pid;

    ngx_memory_barrier();

    sign = courier->sign;

    if (pid == 0 || pid == ngx_pid || ngx_http_ilert_life_age(sign) < time
        || courier->pid != (ngx_atomic_uint_t) pid)
    {
        return 0;
    }

    return pid;
}


ngx_uint_t
ngx_http_ilert_life_may_log_silence(void)
{
    return ngx_atomic_cmp_set(&ngx_http_ilert_life->logged, 0, 1);
}


ngx_uint_t
ngx_http_ilert_life_claim_seat(void)
{
    ngx_atomic_uint_t       sign;
    ngx_http_ilert_life_t  *life;

    life = ngx_http_ilert_life;

    sign = life->courier.sign;

    if (ngx_http_ilert_life_silent(NGX_HTTP_ILERT_LIFE_STILL) == 0
        || !ngx_atomic_cmp_set(&life->courier.sign, sign,
                               ngx_http_ilert_life_clock()))
    {
        return 0;
    }

    (void) ngx_atomic_fetch_add(&life->seat, 1);

    return 1;
}


volatile int64_t *
ngx_http_ilert_life_mark(ngx_uint_t hand)
{
    return &ngx_http_ilert_life->marks[hand];
}


/*
 * Counts a death of the event.  If there is no place for it, it gets the place
 * of the event that has the fewest deaths.
 */

static void
ngx_http_ilert_life_count(int64_t seq)
{
    ngx_uint_t                    i;
    ngx_http_ilert_life_death_t  *death, *least;

    least = &ngx_http_ilert_life->deaths[0];

    for (i = 0; i < NGX_HTTP_ILERT_LIFE_EVENTS; i++) {

        death = &ngx_http_ilert_life->deaths[i];

        if (death->seq == seq) {
            death->n++;
            return;
        }

        if (death->n < least->n) {
            least = death;
        }
    }

    least->seq = seq;
    least->n = 1;
}


ngx_uint_t
ngx_http_ilert_life_deadly(int64_t *seqs)
{
    ngx_uint_t                    i, n;
    ngx_http_ilert_life_death_t  *death;

    n = 0;

    for (i = 0; i < NGX_HTTP_ILERT_LIFE_EVENTS; i++) {

        death = &ngx_http_ilert_life->deaths[i];

        if (death->n >= NGX_HTTP_ILERT_LIFE_DEATHS) {
            seqs[n++] = death->seq;
        }
    }

    return n;
}


void
ngx_http_ilert_life_forget(void)
{
    ngx_memzero(ngx_http_ilert_life->deaths,
                sizeof(ngx_http_ilert_life->deaths));
}
