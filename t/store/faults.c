
/* each call of the VFS fails in turn, and each path to SQLite or the system */


#include "store_test.h"
#include "model.h"

#include <sys/wait.h>


#define STEPS  16


static model_t  *model;


static void
scenario(test_t *t, ngx_uint_t steps)
{
    ngx_uint_t  i;

    model_reset(model);
    model_crash(t, model);

    for (i = 0; i < steps; i++) {
        t->now += 600;
        model_step(t, model, 0, 4, rnd(4), 1 + rnd(3));

        if (i == steps / 2) {
            model_close(t, model);
        }
    }
}


static void
fail_in_turn(const char *name, fault_e fault, ngx_uint_t more,
    ngx_uint_t step)
{
    test_t      t;
    uint32_t    seed;
    ngx_uint_t  n, failures, calls;

    model = model_new();
    seed = 1 + rnd(1000000);

    setup(&t, name);

    for (n = 1 + rnd(step); /* void */ ; n += step) {

        rnd_seed(seed);
        vfs_fault(n, fault, more);
        failures = test_failures;

        scenario(&t, STEPS);
        calls = vfs_failed();

        vfs_fault(0, FAULT_NONE, 0);
        model_end(&t, model);

        if (test_failures > failures) {
            printf("#  %s, call %d (%s), seed %u, state %d %s %s\n", name,
                   (int) n, vfs_name(), seed, t.store.state, t.store.error,
                   t.store.notice);

            if (test_failures > 20) {
                break;
            }
        }

        check_str(t.store.notice, "");
        ngx_http_ilert_store_close(&t.store);
        forget(&t);

        if (calls == 0) {
            break;
        }
    }

    check(n > 5);
    printf("# %s: %d calls\n", name, (int) n);

    teardown(&t);
}


static void
test_ioerr(void)
{
    fail_in_turn("ioerr", FAULT_IOERR, 0, 2);
}


static void
test_ioerr_longer(void)
{
    fail_in_turn("ioerr_longer", FAULT_IOERR, 20, 7);
}


static void
test_full(void)
{
    fail_in_turn("full", FAULT_FULL, 0, 2);
}


static void
test_full_longer(void)
{
    fail_in_turn("full_longer", FAULT_FULL, 20, 7);
}


static void
test_open(void)
{
    fail_in_turn("open", FAULT_OPEN, 0, 1);
}


static void
test_busy(void)
{
    fail_in_turn("busy", FAULT_BUSY, 0, 1);
}


/*
 * Each path to SQLite, and to the system, fails: one at a time, again and
 * again as the store goes on.
 */

static void
paths(const char *name, int err)
{
    test_t      t;
    uint32_t    seed;
    ngx_uint_t  i, n, hits, failures;

    model = model_new();

    setup(&t, name);

    for (n = 0; n < 100; n++) {

        seed = 1 + rnd(1000000);
        rnd_seed(seed);
        failures = test_failures;
        hits = 0;

        model_reset(model);
        model_crash(&t, model);

        for (i = 0; i < STEPS; i++) {
            t.now += 600;

            failing_from(err);
            model_step(&t, model, 0, 4, rnd(4), 1 + rnd(3));
            hits += failing_until();

            if (i % 4 == 3) {
                model_close(&t, model);
            }
        }

        t.now += SECOND;
        model_end(&t, model);

        if (test_failures > failures) {
            printf("#  %s, seed %u, state %d %s %s\n", name, seed,
                   t.store.state, t.store.error, t.store.notice);
            break;
        }

        check_str(t.store.notice, "");
        ngx_http_ilert_store_close(&t.store);
        forget(&t);

        if (hits == 0) {
            break;
        }
    }

    check(n > 5);
    printf("# %s: %d times\n", name, (int) n);

    teardown(&t);
}


static void
test_paths(void)
{
    paths("paths_io", EIO);
}


static void
test_paths_room(void)
{
    paths("paths_room", ENOSPC);
}


static void
test_paths_missing(void)
{
    paths("paths_missing", ENOENT);
}


static void
test_paths_access(void)
{
    paths("paths_access", EACCES);
}


test_case_t  fault_cases[] = {
    { "I/O errors", test_ioerr },
    { "many I/O errors", test_ioerr_longer },
    { "no room", test_full },
    { "no room for long", test_full_longer },
    { "open fails", test_open },
    { "busy", test_busy },
    { "each path fails: I/O", test_paths },
    { "each path fails: no room", test_paths_room },
    { "each path fails: nothing there", test_paths_missing },
    { "each path fails: no access", test_paths_access },
    { NULL, NULL }
};
