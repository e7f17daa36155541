
/*
 * Options of the sanitizers, built in since nginx clears the environment
 * before it executes a new binary.  ASAN_OPTIONS=detect_leaks=0 in the
 * environment switches off the search for leaks where ptrace() is forbidden.
 */


#include <stdint.h>


const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__lsan_default_suppressions(void);
int __lsan_is_turned_off(void);


/* weak: configure links its tests with this file, but without nginx */

extern uintptr_t  ngx_process  __attribute__((weak));


const char *
__asan_default_options(void)
{
    return "detect_stack_use_after_return=1:strict_string_checks=1"
           ":print_suppressions=0";
}


const char *
__ubsan_default_options(void)
{
    return "print_stacktrace=1:halt_on_error=1";
}


/*
 * What OpenSSL keeps till the end, a worker's connections, and the contexts
 * of compiled expressions that nginx 1.22 does not give back to PCRE2.
 */

const char *
__lsan_default_suppressions(void)
{
    return "leak:libcrypto\n"
           "leak:libssl\n"
           "leak:ngx_event_process_init\n"
           "leak:ngx_regex_malloc\n";
}


/*
 * A process that does not come to serve anything, as that of nginx -t, ends
 * without destroying what it has made of the configuration.
 */

int
__lsan_is_turned_off(void)
{
    return &ngx_process != 0 && ngx_process == 0;
}
