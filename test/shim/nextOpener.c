/* A library to be preloaded behind client.so: its dlopen shows with what it was called, and by whom. With OPEN_EARLY it
 * opens a library itself, before client.so's constructor runs. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *dlopen(const char *file, int flags) {
    int error = errno;
    Dl_info caller;
    const char *from = dladdr(__builtin_return_address(0), &caller) ? strrchr(caller.dli_fname, '/') : NULL;
    fprintf(stderr, "%s by %s with %d, errno %d\n", file ? file : "NULL", from ? from + 1 : "?", flags, error);
    void *(*next)(const char *, int) = (void *(*)(const char *, int))(__INTPTR_TYPE__)dlsym(RTLD_NEXT, "dlopen");
    return next(file, flags);
}

__attribute__((constructor)) static void open_early(void) {
    const char *library = getenv("OPEN_EARLY");
    if (library)
        dlopen(library, RTLD_NOW | 8); /* RTLD_DEEPBIND */
}
