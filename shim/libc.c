/* Whether the libc that we expect is there (libc.h). */
#include "lookup.h"
#include <arpa/inet.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

/* The loader has met our references, or not, for good. */
bool libc_is_whole(void) {
    enum { ASK, IS_WHOLE, IS_NOT };
    static _Atomic int known;
    int which = atomic_load_explicit(&known, memory_order_relaxed);
    if (which == ASK) {
#define ADDRESS(name) (void *)name,
        static void *const needed[] = {NEEDED(ADDRESS)};
        which = IS_WHOLE;
        for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
            if (!needed[i])
                which = IS_NOT;
        atomic_store_explicit(&known, which, memory_order_relaxed);
    }
    return which == IS_WHOLE;
}

/* For a hook that stands in front of nothing. */
void no_libc(void) {
    if (!libc_is_whole())
        return;
    errno = ENOSYS;
    h_errno = NO_RECOVERY;
}
