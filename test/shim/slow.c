/* To be preloaded: a clock that goes at a tenth of the speed, as libfaketime can make one. */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static struct timespec starts[16];
    struct timespec *start = &starts[clock & 15];
    if (syscall(SYS_clock_gettime, clock, now) != 0)
        return -1;
    if (start->tv_sec == 0)
        *start = *now;
    int64_t passed = ((now->tv_sec - start->tv_sec) * 1000000000ll + now->tv_nsec - start->tv_nsec) / 10;
    int64_t nanoseconds = start->tv_nsec + passed;
    *now = (struct timespec){start->tv_sec + nanoseconds / 1000000000, nanoseconds % 1000000000};
    return 0;
}
