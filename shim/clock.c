/* Time, as the server counts it too: by libc's own clock, as libc's resolver has it. A program, or another preloaded
 * library, may have a clock_gettime of its own, which stands, jumps or knows few clocks. */
#include "lookup.h"
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef int clock_reader(clockid_t, struct timespec *);

static int ask_kernel(clockid_t clock, struct timespec *now) {
    return (int)syscall(SYS_clock_gettime, clock, now);
}

static clock_reader find_and_ask;
static clock_reader *_Atomic libcs_own = find_and_ask;

static int ask_libc(clockid_t clock, struct timespec *now) {
    return atomic_load_explicit(&libcs_own, memory_order_relaxed)(clock, now);
}

/* Done by the constructor, which does not read it: libc may not be ready itself. */
void clock_find(void) {
#ifdef NAMEWELL_ANY_CLOCK /* a test build, whose process says what time it is */
    clock_reader *found = clock_gettime;
#else
    clock_reader *found = (clock_reader *)in_libc("clock_gettime");
#endif
    atomic_store_explicit(&libcs_own, found ? found : ask_kernel, memory_order_relaxed);
}

static int find_and_ask(clockid_t clock, struct timespec *now) {
    clock_find();
    return ask_libc(clock, now);
}

bool clock_read(clockid_t clock, struct timespec *now) {
    return ask_libc(clock, now) == 0 || ask_kernel(clock, now) == 0;
}

static uint64_t ms_of(const struct timespec *time) {
    return (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_nsec / 1000000;
}

OWN_FRAME static uint64_t kernels_ms(clockid_t clock) {
    struct timespec now;
    return ask_kernel(clock, &now) == 0 ? ms_of(&now) : 0;
}

static inline uint64_t read_ms(clockid_t clock) {
    struct timespec now;
    return ask_libc(clock, &now) == 0 ? ms_of(&now) : kernels_ms(clock);
}

/* For waits and deadlines. */
uint64_t now_ms(void) {
    return read_ms(CLOCK_MONOTONIC);
}

/* The same time as of the kernel's last tick, 1 to 10 ms late: for what ends after seconds. It costs a quarter, and no
 * system call even where the machine's clock source would need one. */
uint64_t tick_ms(void) {
    uint64_t tick = read_ms(CLOCK_MONOTONIC_COARSE);
    return tick ? tick : now_ms();
}
