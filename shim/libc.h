/* All that we ask of libc. A program may be dynamically linked and have none of it (Go's PIE without cgo, Free Pascal,
 * hand-made ones), and the loader, which honours the preload there too, would end it for the first reference that
 * nobody meets. So every reference is weak, and where one of NEEDED is not there the library does nothing at all: in
 * any function that is reached before libc_is_whole() has said yes, not even these may be called. */
#ifndef NAMEWELL_LIBC_H
#define NAMEWELL_LIBC_H

#define NEEDED(EACH)                                                                                                   \
    EACH(__errno_location)                                                                                             \
    EACH(__h_errno_location)                                                                                           \
    EACH(dl_iterate_phdr)                                                                                              \
    EACH(free)                                                                                                         \
    EACH(getauxval)                                                                                                    \
    EACH(getenv)                                                                                                       \
    EACH(inet_aton)                                                                                                    \
    EACH(inet_ntop)                                                                                                    \
    EACH(inet_pton)                                                                                                    \
    EACH(malloc)                                                                                                       \
    EACH(memchr)                                                                                                       \
    EACH(memcmp)                                                                                                       \
    EACH(memcpy)                                                                                                       \
    EACH(memset)                                                                                                       \
    EACH(realloc)                                                                                                      \
    EACH(strchr)                                                                                                       \
    EACH(strcmp)                                                                                                       \
    EACH(strcspn)                                                                                                      \
    EACH(strlen)                                                                                                       \
    EACH(strncmp)                                                                                                      \
    EACH(strrchr)                                                                                                      \
    EACH(strspn)                                                                                                       \
    EACH(strstr)

/* What not every libc of ours has: glibc before 2.34 keeps the first two in libraries of their own, musl lacks the
 * others. */
#define WELCOME(EACH)                                                                                                  \
    EACH(dlsym)                                                                                                        \
    EACH(pthread_setcanceltype)                                                                                        \
    EACH(gnu_get_libc_version)                                                                                         \
    EACH(__res_state)

#define PRAGMA(text) _Pragma(#text)
#define WEAK(name) PRAGMA(weak name)
NEEDED(WEAK)
WELCOME(WEAK)
/* Calls that the compiler makes of its own accord do not heed the pragma. */
__asm__(".weak memcpy\n.weak memcmp\n.weak memset");

#endif
