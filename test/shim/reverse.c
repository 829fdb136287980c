/* Prints every field of what a reverse lookup gives. Each line of the input is one call:
 *   gethostbyaddr ADDRESS [LENGTH FAMILY]
 *   gethostbyaddr_r ADDRESS SIZE PAD [LENGTH FAMILY]
 *   getnameinfo ADDRESS PORT HOST_SIZE SERVICE_SIZE FLAGS [SCOPE [LENGTH]]     a size of -1: a NULL buffer
 *   resolver ADDRESS                changes this thread's nameserver, where libc has such a thing
 * numbers in any base. Run with and without the preload, the two outputs say what differs. */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WORDS_MAX 8
#define OWN_ERRNO 77
#define OWN_H_ERRNO 88

static long number(const char *word) {
    return strtol(word, NULL, 0);
}

struct address {
    int family;
    socklen_t length;
    unsigned char bytes[16];
};

static struct address read_address(char **words, int given) {
    struct address address = {.family = strchr(words[0], ':') ? AF_INET6 : AF_INET};
    inet_pton(address.family, words[0], address.bytes);
    address.length = address.family == AF_INET ? 4 : 16;
    if (given) {
        address.length = (socklen_t)number(words[given]);
        address.family = (int)number(words[given + 1]);
    }
    return address;
}

static const char *kept(int value, int own) {
    static char text[2][16];
    static int turn;
    char *at = text[turn ^= 1];
    snprintf(at, sizeof text[0], value == own ? "kept" : "%d", value);
    return at;
}

static void print_hostent(const struct hostent *host) {
    printf("  name %s type %d length %d\n", host->h_name, host->h_addrtype, host->h_length);
    for (char **alias = host->h_aliases; *alias; alias++)
        printf("  alias %s%s\n", *alias, *alias == host->h_name ? " (h_name itself)" : "");
    for (char **at = host->h_addr_list; *at; at++) {
        char printed[INET6_ADDRSTRLEN] = "?";
        inet_ntop(host->h_addrtype, *at, printed, sizeof printed);
        printf("  address %s%s\n", printed, (size_t)*at % 4 ? " (unaligned)" : "");
    }
}

static void run_static(struct address address) {
    h_errno = OWN_H_ERRNO;
    errno = OWN_ERRNO;
    struct hostent *host = gethostbyaddr(address.bytes, address.length, address.family);
    printf("  returns %s h_errno %s errno %s\n", host ? "a host" : "NULL", kept(h_errno, OWN_H_ERRNO),
           kept(errno, OWN_ERRNO));
    if (host)
        print_hostent(host);
}

static void run_reentrant(struct address address, size_t size, size_t pad) {
    char *memory = malloc(size + pad + 1); /* exactly as large as told, for a sanitizer to see any step beyond it */
    struct hostent host, *result = (void *)-1L;
    int h_error = OWN_H_ERRNO;
    errno = OWN_ERRNO;
    int error =
        gethostbyaddr_r(address.bytes, address.length, address.family, &host, memory + pad, size, &result, &h_error);
    printf("  returns %d result %s h_errno %s errno %s\n", error,
           result == &host ? "the host"
           : result        ? "?"
                           : "NULL",
           kept(h_error, OWN_H_ERRNO), kept(errno, OWN_ERRNO));
    if (result == &host)
        print_hostent(&host);
    free(memory);
}

static char *buffer(const char *word, size_t *size) {
    *size = number(word) < 0 ? 0 : (size_t)number(word);
    char *memory = number(word) < 0 ? NULL : malloc(*size + 1);
    if (memory)
        memset(memory, '#', *size + 1);
    return memory;
}

static void print_buffer(const char *title, const char *memory, size_t size) {
    if (memory)
        printf("  %s %.*s\n", title, (int)strnlen(memory, size), memory);
}

static void run_getnameinfo(char **words, int count) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage storage;
    } place = {0};
    struct address address = read_address(words + 1, 0);
    socklen_t length = address.family == AF_INET ? sizeof place.v4 : sizeof place.v6;
    place.any.sa_family = (sa_family_t)address.family;
    if (address.family == AF_INET)
        memcpy(&place.v4.sin_addr, address.bytes, 4);
    else
        memcpy(&place.v6.sin6_addr, address.bytes, 16);
    place.v4.sin_port = htons((uint16_t)number(words[2]));
    if (count > 6 && address.family == AF_INET6)
        place.v6.sin6_scope_id = (uint32_t)number(words[6]);
    if (count > 7)
        length = (socklen_t)number(words[7]);
    size_t host_size, service_size;
    char *host = buffer(words[3], &host_size), *service = buffer(words[4], &service_size);
    h_errno = OWN_H_ERRNO;
    errno = OWN_ERRNO;
    int error = getnameinfo(&place.any, length, host, (socklen_t)host_size, service, (socklen_t)service_size,
                            (int)number(words[5]));
    printf("  returns %d h_errno %s errno %s\n", error, kept(h_errno, OWN_H_ERRNO), kept(errno, OWN_ERRNO));
    if (error == 0) {
        print_buffer("host", host, host_size);
        print_buffer("service", service, service_size);
    }
    free(host);
    free(service);
}

static void run(char *line) {
    char *words[WORDS_MAX], *rest = line;
    int count = 0;
    while (count < WORDS_MAX && (words[count] = strtok_r(rest, " \n", &rest)))
        count++;
    if (count < 2)
        return;
    if (strcmp(words[0], "gethostbyaddr") == 0)
        run_static(read_address(words + 1, count >= 4 ? 1 : 0));
    else if (strcmp(words[0], "gethostbyaddr_r") == 0 && count >= 4)
        run_reentrant(read_address(words + 1, count >= 6 ? 3 : 0), (size_t)number(words[2]), (size_t)number(words[3]));
    else if (strcmp(words[0], "getnameinfo") == 0 && count >= 6)
        run_getnameinfo(words, count);
#ifdef __GLIBC__
    else if (strcmp(words[0], "resolver") == 0 && res_init() == 0)
        inet_pton(AF_INET, words[1], &_res.nsaddr_list[0].sin_addr);
#endif
    else
        printf("  what?\n");
}

int main(void) {
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        printf("%s", line);
        run(line);
        fflush(stdout);
    }
    return 0;
}
