/* Where the list of a name's IPv4 addresses starts. Prints the first address of each lookup, a line each.
 *   starts children NAME COUNT [OTHER]   one lookup in each of COUNT forked children, their parent having looked OTHER
 * up starts other NAME COUNT              by getaddrinfo, after a gethostbyname of the same name each time starts same
 * NAME COUNT               by getaddrinfo, of two in turn the second */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *first_of(const char *name) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    static char text[INET_ADDRSTRLEN];
    int error = getaddrinfo(name, "80", &hints, &list);
    if (error)
        return gai_strerror(error);
    inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr, text, sizeof text);
    freeaddrinfo(list);
    return text;
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 64;
    const char *how = argv[1], *name = argv[2];
    if (argc > 4)
        first_of(argv[4]);
    for (int i = atoi(argv[3]); i > 0; i--) {
        if (strcmp(how, "children") == 0) {
            if (fork() != 0) {
                wait(NULL);
                continue;
            }
            puts(first_of(name));
            exit(0);
        }
        if (strcmp(how, "other") == 0)
            gethostbyname(name);
        else
            first_of(name);
        puts(first_of(name));
    }
    return 0;
}
