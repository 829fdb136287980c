/* Time, as the server counts it too. */
#include "lookup.h"
#include <time.h>

static uint64_t read_ms(clockid_t clock) {
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* For waits and deadlines. */
uint64_t now_ms(void) {
    return read_ms(CLOCK_MONOTONIC);
}

/* The same time as of the kernel's last tick, 1 to 10 ms late: for what ends after seconds. It costs a quarter, and no
 * system call even where the machine's clock source would need one. */
uint64_t tick_ms(void) {
    return read_ms(CLOCK_MONOTONIC_COARSE);
}
