/* `nameserver ADDRESS`: a nameserver on port 53 by whose word no name exists. It answers at once, so that a look-up
 * that the cache leaves to libc ends soon, on musl too, which does not notice that nobody listens. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HEADER_BYTES 12

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (argc != 2 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("nameserver");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        uint8_t message[1024];
        struct sockaddr_in from;
        socklen_t from_bytes = sizeof from;
        ssize_t got = recvfrom(fd, message, sizeof message, 0, (struct sockaddr *)&from, &from_bytes);
        ssize_t end = HEADER_BYTES;
        while (end < got && message[end])
            end += 1 + message[end];
        end += 5; /* the root label, type and class */
        if (got < HEADER_BYTES || end > got)
            continue;
        message[2] = 0x81; /* a reply, recursion desired */
        message[3] = 0x83; /* recursion available, NXDOMAIN */
        memset(message + 6, 0, 6);
        sendto(fd, message, (size_t)end, 0, (struct sockaddr *)&from, from_bytes);
    }
}
