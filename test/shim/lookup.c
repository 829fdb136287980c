/* Prints every field of what a lookup function gives. Each line of the input is one call:
 *   getaddrinfo NAME SERVICE FAMILY SOCKTYPE PROTOCOL FLAGS     or with `nohints` for the last four
 *   gethostbyname NAME              gethostbyname2 NAME FAMILY
 *   gethostbyname_r NAME SIZE PAD   gethostbyname2_r NAME FAMILY SIZE PAD
 *   resolver ADDRESS, search DOMAIN changes this thread's nameserver or first domain, where libc has such a thing
 * `-` is a NULL, `''` an empty string; numbers in any base. Run with and without the preload, the two outputs say what
 * differs. Addresses of memory are never printed, relations between them are. */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char *text(const char *word) {
    return strcmp(word, "-") == 0 ? NULL : strcmp(word, "''") == 0 ? "" : word;
}

static int number(const char *word) {
    return (int)strtol(word, NULL, 0);
}

static void print_bytes(const void *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        printf("%02x", ((const unsigned char *)bytes)[i]);
}

static void print_addrinfo(const struct addrinfo *list) {
    const char *first_canonical = list ? list->ai_canonname : NULL;
    for (const struct addrinfo *entry = list; entry; entry = entry->ai_next) {
        char address[INET6_ADDRSTRLEN] = "?";
        const void *raw = entry->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)entry->ai_addr)->sin_addr
                                                      : (void *)&((struct sockaddr_in6 *)entry->ai_addr)->sin6_addr;
        inet_ntop(entry->ai_family, raw, address, sizeof address);
        printf("  entry %s flags %#x family %d socktype %d protocol %d length %u canonical %s%s raw ", address,
               (unsigned)entry->ai_flags, entry->ai_family, entry->ai_socktype, entry->ai_protocol,
               (unsigned)entry->ai_addrlen, entry->ai_canonname ? entry->ai_canonname : "NULL",
               entry->ai_canonname && entry->ai_canonname == first_canonical ? " (the first's)" : "");
        print_bytes(entry->ai_addr, entry->ai_addrlen);
        printf("\n");
    }
}

static void run_getaddrinfo(char **words, int count) {
    struct addrinfo hints = {0}, *list = (void *)-1L;
    int hinted = count >= 7;
    if (hinted) {
        hints.ai_family = number(words[3]);
        hints.ai_socktype = number(words[4]);
        hints.ai_protocol = number(words[5]);
        hints.ai_flags = number(words[6]);
    }
    int error = getaddrinfo(text(words[1]), text(words[2]), hinted ? &hints : NULL, &list);
    printf("  returns %d (%s)%s\n", error, error ? gai_strerror(error) : "",
           error && list != (void *)-1L ? " list set" : "");
    if (error)
        return;
    print_addrinfo(list);
    if (list->ai_next && list->ai_next->ai_next) { /* the halves of a list may be freed apart */
        struct addrinfo *rest = list->ai_next->ai_next;
        list->ai_next->ai_next = NULL;
        freeaddrinfo(rest);
    }
    freeaddrinfo(list);
}

static void print_hostent(const struct hostent *host) {
    printf("  name %s type %d length %d\n", host->h_name, host->h_addrtype, host->h_length);
    for (char **alias = host->h_aliases; *alias; alias++)
        printf("  alias %s%s\n", *alias, *alias == host->h_name ? " (h_name itself)" : "");
    for (char **address = host->h_addr_list; *address; address++) {
        char printed[INET6_ADDRSTRLEN] = "?";
        inet_ntop(host->h_addrtype, *address, printed, sizeof printed);
        printf("  address %s\n", printed);
    }
}

static void run_static(struct hostent *host) {
    printf("  returns %s h_errno %d\n", host ? "a host" : "NULL", host ? 0 : h_errno);
    if (host)
        print_hostent(host);
}

static void run_reentrant(const char *name, int family, size_t size, size_t pad) {
    char *memory = malloc(size + pad + 1); /* exactly as large as told, for a sanitizer to see any step beyond it */
    struct hostent host, *result = (void *)-1L;
    int h_error = 77;
    errno = 0;
    int error = family == -1 ? gethostbyname_r(name, &host, memory + pad, size, &result, &h_error)
                             : gethostbyname2_r(name, family, &host, memory + pad, size, &result, &h_error);
    printf("  returns %d result %s h_errno %d errno %d\n", error,
           result == &host ? "the host"
           : result        ? "?"
                           : "NULL",
           h_error, error ? errno : 0);
    if (result == &host)
        print_hostent(&host);
    free(memory);
}

static void run(char *line) {
    char *words[8], *rest = line;
    int count = 0;
    while (count < 8 && (words[count] = strtok_r(rest, " \n", &rest)))
        count++;
    if (count < 2)
        return;
    if (strcmp(words[0], "getaddrinfo") == 0 && count >= 3)
        run_getaddrinfo(words, count);
    else if (strcmp(words[0], "gethostbyname") == 0)
        run_static(gethostbyname(text(words[1])));
    else if (strcmp(words[0], "gethostbyname2") == 0 && count >= 3)
        run_static(gethostbyname2(text(words[1]), number(words[2])));
    else if (strcmp(words[0], "gethostbyname_r") == 0 && count >= 4)
        run_reentrant(text(words[1]), -1, (size_t)number(words[2]), (size_t)number(words[3]));
    else if (strcmp(words[0], "gethostbyname2_r") == 0 && count >= 5)
        run_reentrant(text(words[1]), number(words[2]), (size_t)number(words[3]), (size_t)number(words[4]));
#ifdef __GLIBC__
    else if (strcmp(words[0], "resolver") == 0 && res_init() == 0)
        inet_pton(AF_INET, words[1], &_res.nsaddr_list[0].sin_addr);
    else if (strcmp(words[0], "search") == 0 && res_init() == 0)
        _res.dnsrch[0] = strdup(words[1]);
#endif
    else
        printf("  what?\n");
}

int main(void) {
    char line[2048];
    while (fgets(line, sizeof line, stdin)) {
        printf("%s", line);
        run(line);
        fflush(stdout);
    }
    return 0;
}
