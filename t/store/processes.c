
/* several processes, which may be killed at any time */


#include "store_test.h"
#include "model.h"

#include <sys/wait.h>


#define STEPS   12
#define ROUNDS  25


static model_t  *model;


/* at each call of the VFS in turn, on its way to another one */

static void
test_kill_in_turn(void)
{
    int         status;
    pid_t       pid;
    test_t      t;
    uint32_t    seed;
    ngx_uint_t  n, i;

    model = model_new();
    seed = 1 + rnd(1000000);

    setup(&t, "kill_in_turn");
    t.store.mutex = shared_mutex();

    for (n = 1 + rnd(3); /* void */ ; n += 3) {

        model_reset(model);
        model_crash(&t, model);

        fflush(stdout);

        pid = fork();

        if (pid == 0) {
            rnd_seed(seed);
            vfs_fault(n, FAULT_KILL, 0);

            for (i = 0; i < STEPS; i++) {
                t.now += 600;
                model_step(&t, model, 0, 4, rnd(4), 1 + rnd(3));
            }

            ngx_http_ilert_store_close(&t.store);
            fflush(stdout);
            _exit(test_failures ? 1 : 0);
        }

        waitpid(pid, &status, 0);

        if (!WIFSIGNALED(status)) {
            check(status == 0);
            break;
        }

        model_crash(&t, model);
        model_end(&t, model);
        check_str(t.store.notice, "");

        if (test_failures) {
            printf("# call %d, seed %u\n", (int) n, seed);
            break;
        }

        ngx_http_ilert_store_close(&t.store);
        forget(&t);
    }

    check(n > 100);
    printf("# %d calls\n", (int) n);

    teardown(&t);
}


static void
child(test_t *t, ngx_uint_t n, uint32_t seed)
{
    struct timespec  ts;

    rnd_seed(seed);

    for ( ;; ) {
        clock_gettime(CLOCK_REALTIME, &ts);
        t->now = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

        model_step(t, model, 8 * n, 8, rnd(4), n ? 0 : 1 + rnd(8));

        if (test_failures) {
            fflush(stdout);
            _exit(1);
        }
    }
}


/*
 * The first one is the courier.  Each has keys of its own, for only of these
 * it knows the order; each is killed once in a round, and started again.
 */

static void
kill_at_random(const char *name, pthread_mutex_t *mutex, ngx_uint_t rounds)
{
    int         status;
    pid_t       pids[3];
    test_t      t;
    ngx_uint_t  i, n;

    model = model_new();
    model_reset(model);

    setup(&t, name);
    t.store.mutex = mutex;
    memset(pids, 0, sizeof(pids));

    /* on a busy machine none of them would live long enough to make it */

    check_int(run(&t), OK);
    ngx_http_ilert_store_close(&t.store);

    for (i = 0; i < rounds && test_failures == 0; i++) {

        for (n = 0; n < 3; n++) {

            if (pids[n]) {
                kill(pids[n], SIGKILL);
                waitpid(pids[n], &status, 0);
                check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
            }

            if (n == 0) {
                model_crash(&t, model);
            }

            fflush(stdout);
            pids[n] = fork();

            if (pids[n] == 0) {
                child(&t, n, 1 + rnd(0x7fffffff) + i * 3 + n);
            }

            t.job.begin = 0;
            usleep(rnd(30000));
        }

        rnd_seed(1 + rnd(0x7fffffff));
    }

    for (n = 0; n < 3; n++) {
        kill(pids[n], SIGKILL);
        waitpid(pids[n], &status, 0);
        check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }

    model_crash(&t, model);
    t.now = NOW + 10000 * DAY;
    model_end(&t, model);
    check_str(t.store.notice, "");
    check_int(count_files(&t, "queue.db.damaged"), 0);

    n = model_count(model);
    printf("# %d acknowledged\n", (int) n);
    check(n > rounds * 5);

    teardown(&t);
}


static void
test_kill(void)
{
    kill_at_random("kill", shared_mutex(), ROUNDS);
}


/* as after an upgrade of the binary, when there are two */

static void
test_kill_no_mutex(void)
{
    kill_at_random("kill_no_mutex", NULL, ROUNDS / 3);
}


/* the database is made by one of several that find none */

static void
test_begin_at_once(void)
{
    int         status;
    pid_t       pids[4];
    test_t      t;
    ngx_uint_t  i, n;

    setup(&t, "begin_at_once");

    for (i = 0; i < 60; i++) {
        fflush(stdout);

        for (n = 0; n < 4; n++) {
            pids[n] = fork();

            if (pids[n] == 0) {
                accept_event(&t, "ops", "k", ALERT, "x");
                test_failures = 0;
                run(&t);
                check_str(t.store.error, "");
                check_str(t.store.notice, "");
                fflush(stdout);
                _exit(test_failures ? 1 : 0);
            }
        }

        for (n = 0; n < 4; n++) {
            waitpid(pids[n], &status, 0);
            check(status == 0);
        }

        check_str(sql(&t, "SELECT count(*) FROM event"), "4");
        check_int(count_files(&t, "queue.db.damaged"), 0);

        forget(&t);
    }

    teardown(&t);
}


/* an answer is not given before the data is on disk */

static void
test_sync(void)
{
    test_t      t;
    event_t    *ev;
    ngx_uint_t  i;

    setup(&t, "sync");
    check_int(run(&t), OK);

    for (i = 0; i < 20; i++) {
        vfs_syncs = 0;
        accept_one(&t, "ops", "k", ALERT, "x");
        check(vfs_syncs > 0 && vfs_unsynced == 0);

        vfs_syncs = 0;
        ev = take_one(&t, "ops");
        check(vfs_syncs > 0 && vfs_unsynced == 0);

        vfs_syncs = 0;
        decide(&t, ev, DONE);
        check(vfs_syncs > 0 && vfs_unsynced == 0);

        vfs_syncs = 0;
        take_n(&t, "ops", 10);
        check_int(vfs_syncs, 0);
    }

    teardown(&t);
}


test_case_t  process_cases[] = {
    { "on disk", test_sync },
    { "several begin", test_begin_at_once },
    { "killed at each call", test_kill_in_turn },
    { "killed at random", test_kill },
    { "killed at random, no mutex", test_kill_no_mutex },
    { NULL, NULL }
};
