// address CALL NAME: prints the first IPv4 address that getaddrinfo or gethostbyname gives; 2 if there is none.
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    char text[INET_ADDRSTRLEN];
    if (argc != 3)
        return 1;
    if (strcmp(argv[1], "gethostbyname") == 0) {
        struct hostent *host = gethostbyname(argv[2]);
        if (host == NULL)
            return 2;
        puts(inet_ntop(AF_INET, host->h_addr_list[0], text, sizeof text));
        return 0;
    }
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo(argv[2], NULL, &hints, &list) != 0)
        return 2;
    puts(inet_ntop(AF_INET, &((struct sockaddr_in *)list->ai_addr)->sin_addr, text, sizeof text));
    freeaddrinfo(list);
    return 0;
}
