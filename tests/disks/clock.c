/* Loaded before the C library: a wall clock that is CLOCK_OFFSET_SECONDS off. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    const char *offset = getenv("CLOCK_OFFSET_SECONDS");
    if (result == 0 && clock == CLOCK_REALTIME && offset)
        now->tv_sec += atol(offset);
    return result;
}
