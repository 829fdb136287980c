/* Looks names up by each function: warm NAMES ROUNDS, for n0.example and so on. Fails with the first lookup that does.
 */
#define _GNU_SOURCE 1
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static int look_up(const char *name) {
    char buffer[1024];
    struct hostent host, *found;
    struct addrinfo *list;
    int h_error;
    if (gethostbyname_r(name, &host, buffer, sizeof buffer, &found, &h_error) != 0 || !found || !gethostbyname(name))
        return 1;
    for (int family = 0; family < 2; family++) {
        struct addrinfo hints = {.ai_family = family ? AF_INET : AF_UNSPEC, .ai_socktype = SOCK_STREAM};
        if (getaddrinfo(name, "80", &hints, &list) != 0)
            return 2;
        freeaddrinfo(list);
    }
    return 0;
}

int main(int argc, char **argv) {
    int names = argc > 2 ? atoi(argv[1]) : 0;
    for (int round = argc > 2 ? atoi(argv[2]) : 0; round > 0; round--)
        for (int i = 0; i < names; i++) {
            char name[32];
            snprintf(name, sizeof name, "n%d.example", i);
            if (look_up(name) != 0)
                return 1;
        }
    return 0;
}
