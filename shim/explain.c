/* DNS_CACHE_EXPLAIN=1: a line on standard error for each lookup, of where its answer comes from, or why it is libc's.
 *
 * It is somebody else's descriptor that is written to. So it is left alone where it is not what it was when the process
 * was started: a daemon that has closed it may have opened anything in its place. A line is written at once or not at
 * all: nobody waits for a pipe that is full, nor for a stopped terminal (but two threads may find room for one line),
 * and no signal comes of a reader that is gone. */
#include "lookup.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE_BYTES 1400 /* each byte of a name may take four */
#define SIGNAL_SET_BYTES 8

static const char *const REASONS[WHY_COUNT] = {
    [WHY_TABLE] = "table",
    [WHY_SOCKET] = "socket",
    [WHY_OFF] = "libc, since DNS_CACHE_OFF is set",
    [WHY_OTHER_PRELOAD] = "libc, since another preloaded library has lookups of its own",
    [WHY_BAD_SETTINGS] = "libc, since DNS_CACHE_BYPASS or the directory's path is too long, or libc is not known",
    [WHY_HINTS] = "libc, since only it understands the hints or the service",
    [WHY_NAME] = "libc, since it is no name for the DNS",
    [WHY_LOCAL] = "libc, since such names are this machine's or this link's",
    [WHY_FILES] = "libc, since the files in /etc cannot be read now",
    [WHY_HOSTS] = "libc, since /etc/hosts has it, or it is this machine's name",
    [WHY_OPTIONS] = "libc, since resolv.conf has an option or a search list that only it obeys",
    [WHY_NSSWITCH] = "libc, since nsswitch.conf or host.conf ask other modules",
    [WHY_ALIASES] = "libc, since HOSTALIASES is set",
    [WHY_OWN_RESOLVER] = "libc, since the program has changed its resolver's settings",
    [WHY_LOOPBACK] = "libc, since a loopback nameserver may know such a name",
    [WHY_BYPASS] = "libc, since it is under DNS_CACHE_BYPASS",
    [WHY_OTHER_SERVERS] = "libc, since its nameservers are not the cache's, and may know such a name",
    [WHY_NO_SERVER] = "libc, since the server is gone",
    [WHY_HANGS] = "libc, since the server did not answer lately",
    [WHY_NO_SOCKET] = "libc, since dns.sock cannot be reached",
    [WHY_NO_ANSWER] = "libc, since the server gave no answer in time, or one that cannot be read",
    [WHY_UNFIT] = "libc, since the server leaves it to it",
    [WHY_MAY_KNOW_MORE] = "libc, since its nameservers may know more than the cache's",
    [WHY_FORM] = "libc, since only it gives such a result its form",
};

struct line {
    size_t length;
    char text[LINE_BYTES];
};

static void put(struct line *line, const char *text) {
    size_t length = strlen(text);
    if (length > sizeof line->text - line->length)
        return;
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

static void put_number(struct line *line, uint64_t number) {
    char digits[21], *at = digits + sizeof digits - 1;
    *at = '\0';
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    put(line, at);
}

/* As zone files have it: what is not printable is \ and three digits. */
static void put_name(struct line *line, const char *name) {
    size_t length = 0;
    for (const unsigned char *at = (const unsigned char *)name; *at && length <= NW_NAME_BYTES_MAX; at++, length++) {
        char shown[5] = {(char)*at};
        if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\') {
            shown[0] = '\\';
            shown[1] = (char)('0' + *at / 100);
            shown[2] = (char)('0' + *at / 10 % 10);
            shown[3] = (char)('0' + *at % 10);
        }
        put(line, shown);
    }
    if (length > NW_NAME_BYTES_MAX)
        put(line, "...");
}

static uint64_t now_ns(void) {
    struct timespec now;
    return clock_read(CLOCK_MONOTONIC, &now) ? (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec : 0;
}

static uint64_t bit_of(int signal) {
    return 1ull << (signal - 1);
}

/* With the signals held back that a write may bring: of a reader that is gone, of a file that may not grow, of a
 * terminal in the foreground of others. */
static void write_line(const struct line *line) {
    const struct settings *user = settings();
    uint64_t device, inode;
    bool is_socket;
    if (!user || !descriptor_identify(STDERR_FILENO, &device, &inode, &is_socket) || device != user->stderr_device ||
        inode != user->stderr_inode)
        return;
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT) || room.revents & (POLLERR | POLLNVAL))
        return;
    if (is_socket) {
        send(STDERR_FILENO, line->text, line->length, MSG_NOSIGNAL | MSG_DONTWAIT);
        return;
    }
    uint64_t held = bit_of(SIGPIPE) | bit_of(SIGXFSZ) | bit_of(SIGTTOU), before, pending = 0;
    if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &held, &before, SIGNAL_SET_BYTES) != 0)
        return;
    syscall(SYS_rt_sigpending, &pending, SIGNAL_SET_BYTES);
    if (syscall(SYS_write, STDERR_FILENO, line->text, line->length) < 0 && (errno == EPIPE || errno == EFBIG)) {
        uint64_t raised = bit_of(errno == EPIPE ? SIGPIPE : SIGXFSZ) & ~pending;
        if (raised)
            syscall(SYS_rt_sigtimedwait, &raised, NULL, &(struct timespec){0, 0}, SIGNAL_SET_BYTES);
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SIGNAL_SET_BYTES);
}

/* 0: nothing is to be said of this call, whatever the settings are at its end. */
uint64_t explain_begin(struct question *question) {
    question->why = WHY_TABLE;
    const struct settings *user = settings();
    return user && user->explain ? now_ns() : 0;
}

/* `answer` is what came of it, where it is not libc's. */
OWN_FRAME void explain(const char *call, const char *name, enum why why, const char *answer, uint64_t began_ns) {
    struct guard guard = guard_enter();
    uint64_t took_ns = now_ns() - began_ns;
    struct line line = {.length = 0};
    put(&line, "namewell: ");
    put(&line, call);
    put(&line, " \"");
    put_name(&line, name ? name : "");
    put(&line, "\": ");
    put(&line, REASONS[why]);
    if (answer) {
        put(&line, ", ");
        put(&line, answer);
    }
    put(&line, ", ");
    put_number(&line, took_ns / 1000);
    put(&line, ".");
    put_number(&line, took_ns / 100 % 10);
    put(&line, " us\n");
    write_line(&line);
    guard_leave(guard);
}
