/* What is done before the program's own code runs. */
#include "lookup.h"

/* Done while the process has one thread. Later the loader's locks may be held: by a thread that loads a library whose
 * constructor waits for our lookup, or, in a forked child, by a thread that is no more. Where no constructor runs (Go's
 * own linking on musl), the first lookup does it all the same. */
__attribute__((constructor)) static void find_all(int count, char **arguments, char **environment) {
    (void)count, (void)arguments;
    if (!libc_is_whole())
        return;
    for (enum real function = 0; function < REAL_COUNT; function++)
        real(function);
    libc_is_next();
    clock_find();
    own_socket();
    settings_begin(environment);
}
