/* lookup.c in a program that has functions of its own by the names of system calls, as one may that never makes those:
 * who reaches them from outside has lost his way. */
#include "lookup.c"

static void lost(const char *name) {
    printf("the program's own %s was called\n", name);
    fflush(stdout);
    abort();
}

/* By an alias, since the headers say otherwise of what they return and take. */
#define NAMESAKE(name)                                                                                                 \
    static void own_##name(void) {                                                                                     \
        lost(#name);                                                                                                   \
    }                                                                                                                  \
    __asm__(".globl " #name "\n.type " #name ", @function\n.set " #name ", own_" #name);                               \
    static void (*const keep_##name)(void) __attribute__((used)) = own_##name;

NAMESAKE(clock_gettime)
NAMESAKE(close)
NAMESAKE(connect)
NAMESAKE(getcwd)
NAMESAKE(getpid)
NAMESAKE(getrlimit)
NAMESAKE(getsockname)
NAMESAKE(ioctl)
NAMESAKE(mprotect)
NAMESAKE(munlock)
NAMESAKE(munmap)
NAMESAKE(open)
NAMESAKE(poll)
NAMESAKE(read)
NAMESAKE(recv)
NAMESAKE(recvmsg)
NAMESAKE(send)
NAMESAKE(sendto)
NAMESAKE(socket)
NAMESAKE(uname)
