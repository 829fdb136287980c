/* Does the server answer? A hello, which it answers at once whatever its upstreams do. */
#include "doctor.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG_TRIES 50 /* a millisecond each */

static int connected(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    for (int tries = 0; connect(fd, (struct sockaddr *)&address, sizeof address) != 0; tries++) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || tries == BACKLOG_TRIES) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        poll(NULL, 0, 1);
    }
    return fd;
}

/* The bytes that came within the time, of a frame's header. */
static size_t exchange(int fd, uint8_t frame[NW_FRAME_HEADER_BYTES]) {
    static const uint8_t HELLO[NW_FRAME_HEADER_BYTES] = {
        0, 0, 0, NW_FRAME_HEADER_BYTES, NW_FRAME_VERSION, NW_KIND_HELLO};
    size_t got = 0;
    if (send(fd, HELLO, sizeof HELLO, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof HELLO)
        return 0;
    while (got < NW_FRAME_HEADER_BYTES) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        int ready = poll(&waiting, 1, NW_SILENCE_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        ssize_t more = ready > 0 ? recv(fd, frame + got, NW_FRAME_HEADER_BYTES - got, MSG_DONTWAIT) : 0;
        if (more <= 0)
            break;
        got += (size_t)more;
    }
    return got;
}
_Static_assert(NW_FRAME_LENGTH == 0 && NW_FRAME_VERSION_AT == 4 && NW_FRAME_KIND == 5, "as HELLO has it");

bool greet(const char *path, uint8_t frame[NW_FRAME_HEADER_BYTES]) {
    int fd = connected(path);
    if (fd < 0)
        return false;
    size_t got = exchange(fd, frame);
    close(fd);
    errno = 0;
    return got == NW_FRAME_HEADER_BYTES;
}

bool is_greeting(const uint8_t frame[NW_FRAME_HEADER_BYTES]) {
    return frame[NW_FRAME_VERSION_AT] == NW_FRAME_VERSION && frame[NW_FRAME_KIND] == NW_KIND_HELLO;
}

static void cannot_connect(const char *path, int error) {
    if (error == ENOENT || error == ENOTDIR || error == ECONNREFUSED)
        finding(301, error == ECONNREFUSED ? "nobody listens on %s" : "%s is not there", path);
    else if (error == EAGAIN)
        finding(304, "%s takes no more connections just now", path);
    else if (error == ENOTSOCK || error == EPROTOTYPE)
        finding(202, "%s is no socket of ours", path);
    else
        finding(303, "%s may not be connected to from here: %m", path, error);
}

bool check_server(void) {
    const char *path = folder()->socket_path;
    group("server");
    if (!path[0] || is_found(201) || is_found(202) || is_found(207) || is_found(214)) {
        note("not looked for, without its directory");
        return false;
    }
    uint64_t since = now_ns();
    uint8_t frame[NW_FRAME_HEADER_BYTES] = {0};
    if (!greet(path, frame)) {
        if (errno)
            cannot_connect(path, errno);
        else
            finding(302, "it takes connections on %s and does not answer", path);
        return false;
    }
    unsigned long microseconds = (now_ns() - since) / 1000;
    if (!is_greeting(frame)) {
        finding(305, "what listens on %s speaks version %u of the socket's frames, and this doctor %u", path,
                (unsigned long)frame[NW_FRAME_VERSION_AT], (unsigned long)NW_FRAME_VERSION);
        return false;
    }
    fine("it answers on %s within %u us", path, microseconds);
    return true;
}
