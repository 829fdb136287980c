/* Looks one name up so many times by each function: warm NAME COUNT. Fails with the first lookup that does. */
#define _GNU_SOURCE 1
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    char buffer[1024];
    struct hostent host, *found;
    struct addrinfo *list;
    int h_error;
    for (int i = argc > 2 ? atoi(argv[2]) : 0; i > 0; i--) {
        if (gethostbyname_r(argv[1], &host, buffer, sizeof buffer, &found, &h_error) != 0 || !found)
            return 1;
        for (int family = 0; family < 2; family++) {
            struct addrinfo hints = {.ai_family = family ? AF_INET : AF_UNSPEC, .ai_socktype = SOCK_STREAM};
            if (getaddrinfo(argv[1], "80", &hints, &list) != 0)
                return 2;
            freeaddrinfo(list);
        }
    }
    return 0;
}
