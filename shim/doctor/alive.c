/* `doctor --alive [DIR]`: does the server of a directory answer? For health checks, which a Node each few seconds would
 * be dear for. Nothing of a process or of the container's files is read. */
#include "doctor.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *socket_in(const char *where) {
    static char path[SOCKET_PATH_BYTES];
    size_t length = strlen(where);
    if (length + sizeof SOCKET_NAME > sizeof path)
        return "";
    memcpy(path, where, length);
    memcpy(path + length, SOCKET_NAME, sizeof SOCKET_NAME);
    return path;
}

int say_alive(const char *where) {
    folder_look();
    const char *path = where ? socket_in(where) : folder()->socket_path;
    uint8_t frame[NW_FRAME_HEADER_BYTES] = {0};
    if (!path[0])
        complain("doctor: a directory of at most %u bytes is wanted",
                 (unsigned long)(SOCKET_PATH_BYTES - sizeof SOCKET_NAME));
    else if (!greet(path, frame))
        complain(errno ? "doctor: %s: %m" : "doctor: %s: the server does not answer", path, errno);
    else if (!is_greeting(frame))
        complain("doctor: %s: no server of this version answers there", path);
    else
        return 0;
    return 1;
}
