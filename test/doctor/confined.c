/* `confined COMMAND...`: runs it where there are no Unix sockets, as seccomp profiles and systemd's
 * RestrictAddressFamilies have it. */
#include "../shim/filter.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count < 2)
        return 2;
    forbid(SYS_socket, AF_UNIX, FAILS | EAFNOSUPPORT);
    execv(arguments[1], arguments + 1);
    return 2;
}
