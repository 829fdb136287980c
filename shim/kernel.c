/* System calls, made by ourselves. A program may have functions of its own named connect, send, poll or close, and then
 * libc's callers get those; libc itself does not, and we must not either. Nor are libraries asked that stand in front
 * of them, as socket_wrapper or fakechroot do: libc's resolver does not see these. The names stay hidden within
 * client.so. None of them is a point of cancellation. */
#include "lookup.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define ERRORS 4096ul /* the last page of addresses stands for them */

static long enter(long number, long a, long b, long c, long d, long e, long f) {
#if defined __x86_64__
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
#elif defined __aarch64__
    register long x8 __asm__("x8") = number, result __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                     x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(result) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
#else
#error "x86-64 and arm64 only"
#endif
    if ((unsigned long)result <= -ERRORS)
        return result;
    errno = (int)-result;
    return -1;
}

long syscall(long number, ...) {
    va_list list;
    va_start(list, number);
    long argument[6];
    for (int i = 0; i < 6; i++) /* more than were given, perhaps: a register's or a stack's leftovers, not looked at */
        argument[i] = va_arg(list, long);
    va_end(list);
    return enter(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}

#define CALL(number, a, b, c, d, e, f) enter(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

int open(const char *path, int flags, ...) {
    return (int)CALL(SYS_openat, AT_FDCWD, path, flags, 0, 0, 0);
}

int close(int fd) {
    return (int)CALL(SYS_close, fd, 0, 0, 0, 0, 0);
}

ssize_t read(int fd, void *into, size_t length) {
    return CALL(SYS_read, fd, into, length, 0, 0, 0);
}

ssize_t readlink(const char *restrict path, char *restrict into, size_t length) {
    return CALL(SYS_readlinkat, AT_FDCWD, path, into, length, 0, 0);
}

int socket(int family, int type, int protocol) {
    return (int)CALL(SYS_socket, family, type, protocol, 0, 0, 0);
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
    return (int)CALL(SYS_connect, fd, address, length, 0, 0, 0);
}

int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict length) {
    return (int)CALL(SYS_getsockname, fd, address, length, 0, 0, 0);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length) {
    return CALL(SYS_sendto, fd, bytes, length, flags, to, to_length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    return sendto(fd, bytes, length, flags, NULL, 0);
}

ssize_t recv(int fd, void *into, size_t length, int flags) {
    return CALL(SYS_recvfrom, fd, into, length, flags, 0, 0);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    return CALL(SYS_recvmsg, fd, message, flags, 0, 0, 0);
}

/* As libc does: a filter may know no other way to wait. */
int poll(struct pollfd *descriptors, nfds_t count, int ms) {
#ifdef SYS_poll
    return (int)CALL(SYS_poll, descriptors, count, ms, 0, 0, 0);
#else
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};
    return (int)CALL(SYS_ppoll, descriptors, count, ms < 0 ? NULL : &wait, NULL, _NSIG / 8, 0);
#endif
}

int ioctl(int fd, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    return (int)CALL(SYS_ioctl, fd, request, argument, 0, 0, 0);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    return (void *)CALL(SYS_mmap, at, length, protection, flags, fd, offset);
}

int munmap(void *at, size_t length) {
    return (int)CALL(SYS_munmap, at, length, 0, 0, 0, 0);
}

int mprotect(void *at, size_t length, int protection) {
    return (int)CALL(SYS_mprotect, at, length, protection, 0, 0, 0);
}

int munlock(const void *at, size_t length) {
    return (int)CALL(SYS_munlock, at, length, 0, 0, 0, 0);
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit) {
    return (int)CALL(SYS_prlimit64, 0, resource, NULL, limit, 0, 0);
}

int uname(struct utsname *machine) {
    return (int)CALL(SYS_uname, machine, 0, 0, 0, 0, 0);
}

pid_t getpid(void) {
    return (int)CALL(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

char *getcwd(char *into, size_t size) {
    return CALL(SYS_getcwd, into, size, 0, 0, 0, 0) < 0 ? NULL : into;
}
