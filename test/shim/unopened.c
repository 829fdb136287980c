/* dlopen.c alone, in a process that has no other dlopen; and a backtrace taken from within it.
 *   unopened none         what a call comes to
 *   unopened backtrace    whether the frames above the hook can be found */
#include "../../shim/dlopen.c"
#include "../../shim/php.c"
#include <errno.h>
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>

static bool looks_back;
static bool seen_main;
int main(int argc, char **argv);

void *real(enum real function) {
    (void)function;
    if (looks_back) {
        void *frames[16];
        int count = backtrace(frames, 16);
        char **names = backtrace_symbols(frames, count);
        for (int i = 0; i < count; i++)
            seen_main |= strstr(names[i], "(main+") != NULL;
        free(names);
    }
    return NULL;
}

_Atomic int libc_found = LIBC_GLIBC;

enum libc libc_find(void) {
    return LIBC_GLIBC;
}

const struct settings *settings(void) {
    return NULL;
}

struct guard guard_enter(void) {
    return (struct guard){0};
}

void guard_leave(struct guard guard) {
    (void)guard;
}

int main(int argc, char **argv) {
    void *warmed_up[1];
    backtrace(warmed_up, 1); /* loads what it needs */
    looks_back = argc > 1 && strcmp(argv[1], "backtrace") == 0;
    errno = ERANGE;
    void *handle = dlopen("libm.so.6", RTLD_NOW | RTLD_DEEPBIND);
    bool kept = errno == ERANGE;
    if (looks_back)
        printf("%s\n", seen_main ? "main" : "lost");
    else
        printf("%s, %s\n", handle ? "opened" : "NULL", kept ? "errno kept" : "errno lost");
    return 0;
}
