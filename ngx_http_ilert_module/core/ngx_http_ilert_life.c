
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_monotonic.h"
#include "ngx_http_ilert_life.h"


/*
 * Who looks no more often than this, in ms, cannot tell that another one is
 * silent: the machine may have stood still, and both with it.
 */

#define NGX_HTTP_ILERT_LIFE_LATE     1000


/* where a word has 32 bits it begins anew, as all times in ms of nginx do */

#define ngx_http_ilert_life_clock()  ((ngx_msec_t) ngx_http_ilert_clock_msec())


/* field of /proc/PID/stat, counted from the one behind the name */

#define NGX_HTTP_ILERT_LIFE_BIRTH    20


static ngx_msec_t ngx_http_ilert_life_age(ngx_msec_t sign);
static ngx_uint_t ngx_http_ilert_life_is_ours(void);
static void ngx_http_ilert_life_set(ngx_http_ilert_life_process_t *process);
static ngx_atomic_uint_t ngx_http_ilert_life_birth(ngx_pid_t pid);
static void ngx_http_ilert_life_kill(void);
static ngx_uint_t ngx_http_ilert_life_is_same(ngx_pid_t pid,
    ngx_atomic_uint_t birth);
static void ngx_http_ilert_life_count(int64_t seq);


static ngx_http_ilert_life_t  *ngx_http_ilert_life;
static ngx_atomic_uint_t       ngx_http_ilert_life_path;
static ngx_atomic_uint_t       ngx_http_ilert_life_born;

static ngx_msec_t              ngx_http_ilert_life_looked;
static ngx_msec_t              ngx_http_ilert_life_since;


void
ngx_http_ilert_life_init_process(ngx_http_ilert_life_t *life, ngx_str_t *path)
{
    ngx_http_ilert_life = life;

    /* 0 is that of nobody */

    ngx_http_ilert_life_path = ngx_crc32_long(path->data, path->len) | 1;
    ngx_http_ilert_life_born = ngx_http_ilert_life_birth(ngx_pid);

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


/* for how many ms there has been none, as far as we can tell */

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


/* in ticks of the machine's life, 0 if nobody knows */

static ngx_atomic_uint_t
ngx_http_ilert_life_birth(ngx_pid_t pid)
{
    u_char      *p, *last, buf[1024], name[NGX_INT64_LEN + 16];
    ssize_t      n;
    ngx_fd_t     fd;
    ngx_uint_t   i;

    ngx_sprintf(name, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file(name, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    /* there may be anything in the name */

    last = buf + n;

    for (p = last - 1; p > buf && *p != ')'; p--) { /* void */ }

    for (i = 0; i < NGX_HTTP_ILERT_LIFE_BIRTH; i++) {

        p = ngx_strlchr(p, last, ' ');
        if (p == NULL) {
            return 0;
        }

        p++;
    }

    for (n = 0; p + n < last && p[n] >= '0' && p[n] <= '9'; n++) { /* void */ }

    return (ngx_atomic_uint_t) ngx_max(ngx_atoi(p, n), 0);
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
 * Nothing can be written as long as it has the lock.  Any disk may make it
 * wait, but its event loop does not wait for that.
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


/* whether it is that process still, and not a later one of its number */

static ngx_uint_t
ngx_http_ilert_life_is_same(ngx_pid_t pid, ngx_atomic_uint_t birth)
{
    ngx_int_t  i;

    if (birth) {
        return ngx_http_ilert_life_birth(pid) == birth;
    }

    /* this system does not tell births, but our master knows its workers */

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


/* what is there may be of another queue, before or after a reload */

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


/* one more death, in the place of the event that has the fewest of them */

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
