/* Whether the libc that we expect is there (libc.h). */
#include "lookup.h"
#include <arpa/inet.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

/* The loader has met our references, or not, for good. */
bool libc_is_there(void) {
#define ADDRESS(name) (void *)name,
    static void *const needed[] = {NEEDED(ADDRESS)};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!needed[i])
            return false;
    return true;
}
