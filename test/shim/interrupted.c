/* settings.c alone, with a clock of the program's own: `interrupted` reads the settings, is interrupted at it, and asks
 * for them in the handler. Prints what either gets, and for how many milliseconds the handler waited. */
#include "../../shim/claim.c"
#include "../../shim/descriptor.c"
#include "../../shim/folder.c"
#include "../../shim/settings.c"
#include <stdio.h>

static uint64_t time_ms = 1000;
static int waited_ms;

_Atomic int libc_found = LIBC_GLIBC;

enum libc libc_find(void) {
    return LIBC_GLIBC;
}

bool libc_is_next(void) {
    return true;
}

void *in_libc(const char *name) {
    (void)name;
    return NULL;
}

struct guard guard_enter(void) {
    return (struct guard){0};
}

void guard_leave(struct guard guard) {
    (void)guard;
}

uint64_t now_ms(void) {
    return time_ms;
}

int poll(struct pollfd *descriptors, nfds_t count, int ms) {
    (void)descriptors, (void)count;
    time_ms += (uint64_t)ms;
    waited_ms += ms;
    return 0;
}

/* The first that is asked for is when the signal comes, some time after the claim was made. */
static int late_ms;
char *getenv(const char *name) {
    static bool is_interrupted;
    (void)name;
    if (!is_interrupted) {
        is_interrupted = true;
        time_ms += (uint64_t)late_ms;
        const char *got = settings() ? "settings" : "nothing";
        printf("%s in the handler after %d ms, ", got, waited_ms);
    }
    return NULL;
}

int main(int argc, char **argv) {
    late_ms = argc > 1 ? atoi(argv[1]) : 0;
    const char *got = settings() ? "settings" : "nothing";
    printf("%s behind it\n", got);
    return 0;
}
