/* Prints every field of what a lookup function gives. Each line of the input is one call:
 *   getaddrinfo NAME SERVICE FAMILY SOCKTYPE PROTOCOL FLAGS     or without the last four: no hints
 *   gethostbyname NAME              gethostbyname2 NAME FAMILY
 *   gethostbyname_r NAME SIZE PAD   gethostbyname2_r NAME FAMILY SIZE PAD
 *   gethostbyaddr ADDRESS LENGTH FAMILY   gethostbyaddr_r ADDRESS LENGTH FAMILY SIZE PAD
 *   getnameinfo FAMILY ADDRESS SCOPE PORT LENGTH HOST_SIZE SERVICE_SIZE FLAGS     a size `-`: no buffer
 *   resolver ADDRESS, search DOMAIN changes this thread's nameserver or first domain, where libc has such a thing
 * `-` is a NULL, `''` an empty string; numbers in any base. A SIZE with a `*` behind it doubles until it is enough, as
 * callers do. Run with and without the preload, the two outputs say what differs. Addresses of memory are never
 * printed, relations between them are. `lookup apart` gives each call a process of its own, which has looked up nothing
 * before, and a time in which it has to end. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_MAX 20
#define OWN_ERRNO 7777 /* no call leaves these by itself */
#define OWN_H_ERRNO 8888

static void mark(void) {
    errno = OWN_ERRNO;
    h_errno = OWN_H_ERRNO;
}

struct left {
    int error, h_error;
};

static struct left look(void) {
    return (struct left){errno, h_errno};
}

static void print_left(struct left left) {
    char errors[2][16] = {"kept", "kept"};
    if (left.error != OWN_ERRNO)
        snprintf(errors[0], sizeof errors[0], "%d", left.error);
    if (left.h_error != OWN_H_ERRNO)
        snprintf(errors[1], sizeof errors[1], "%d", left.h_error);
    printf("  leaves errno %s, h_errno %s\n", errors[0], errors[1]);
}

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
    mark();
    int error = getaddrinfo(text(words[1]), text(words[2]), hinted ? &hints : NULL, &list);
    struct left left = look();
    printf("  returns %d (%s)%s\n", error, error ? gai_strerror(error) : "",
           error && list != (void *)-1L ? " list set" : "");
    print_left(left);
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
    struct left left = look();
    printf("  returns %s h_errno %d\n", host ? "a host" : "NULL", host ? 0 : left.h_error);
    print_left(left);
    if (host)
        print_hostent(host);
}

/* What the _r forms have in common; a NULL name: by address. */
struct reentrant {
    const char *name;
    int family;
    unsigned char address[16];
    socklen_t length;
};

static int call_reentrant(const struct reentrant *call, struct hostent *host, char *buffer, size_t size,
                          struct hostent **result, int *h_error) {
    if (!call->name)
        return gethostbyaddr_r(call->address, call->length, call->family, host, buffer, size, result, h_error);
    return call->family == -1 ? gethostbyname_r(call->name, host, buffer, size, result, h_error)
                              : gethostbyname2_r(call->name, call->family, host, buffer, size, result, h_error);
}

static void run_reentrant(const struct reentrant *call, const char *size_word, size_t pad) {
    int grows = strchr(size_word, '*') != NULL, error, h_error;
    struct left left;
    struct hostent host, *result;
    char *memory = NULL;
    for (size_t size = (size_t)number(size_word);; size = size ? size * 2 : 1) {
        free(memory);
        memory = malloc(size + pad + 1); /* exactly as large as told, for a sanitizer to see any step beyond it */
        result = (void *)-1L;
        h_error = 77;
        mark();
        error = call_reentrant(call, &host, memory + pad, size, &result, &h_error);
        left = look();
        if (!grows || error != ERANGE)
            break;
    }
    printf("  returns %d result %s h_errno %d\n", error, result == &host ? "the host" : result ? "?" : "NULL", h_error);
    print_left(left);
    if (result == &host)
        print_hostent(&host);
    free(memory);
}

static void parse_address(const char *word, unsigned char address[16]) {
    memset(address, 0, 16);
    if (inet_pton(AF_INET, word, address) != 1)
        inet_pton(AF_INET6, word, address);
}

static void print_buffer(const char *title, const char *buffer, size_t size) {
    size_t length = strnlen(buffer, size);
    printf("  %s %.*s%s\n", title, (int)length, buffer, length == size ? " (no end)" : "");
}

static void run_getnameinfo(char **words) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage whole;
    } socket_address = {0};
    unsigned char address[16];
    parse_address(words[2], address);
    socket_address.any.sa_family = (sa_family_t)number(words[1]);
    socket_address.v4.sin_port = htons((uint16_t)number(words[4])); /* v6 has it in the same place */
    if (socket_address.any.sa_family == AF_INET6) {
        memcpy(&socket_address.v6.sin6_addr, address, 16);
        socket_address.v6.sin6_scope_id = (uint32_t)number(words[3]);
    } else {
        memcpy(&socket_address.v4.sin_addr, address, 4);
    }
    const char *host_word = text(words[6]), *service_word = text(words[7]);
    size_t host_size = host_word ? (size_t)number(host_word) : 0;
    size_t service_size = service_word ? (size_t)number(service_word) : 0;
    char *host = host_word ? memset(malloc(host_size + 1), '!', host_size + 1) : NULL;
    char *service = service_word ? memset(malloc(service_size + 1), '!', service_size + 1) : NULL;
    mark();
    int error = getnameinfo(&socket_address.any, (socklen_t)number(words[5]), host, (socklen_t)host_size, service,
                            (socklen_t)service_size, number(words[8]));
    struct left left = look();
    print_left(left);
    printf("  returns %d (%s)\n", error, error ? gai_strerror(error) : "");
    if (error == 0 && host_size > 0)
        print_buffer("host", host, host_size);
    if (error == 0 && service_size > 0)
        print_buffer("service", service, service_size);
    if ((host && host[host_size] != '!') || (service && service[service_size] != '!'))
        printf("  wrote beyond a buffer\n");
    free(host);
    free(service);
}

static void run(char *line) {
    char *words[10], *rest = line;
    int count = 0;
    while (count < 10 && (words[count] = strtok_r(rest, " \n", &rest)))
        count++;
    if (count < 2)
        return;
    struct reentrant call = {.name = text(words[1]), .family = -1};
    mark();
    if (strcmp(words[0], "getaddrinfo") == 0 && count >= 3) {
        run_getaddrinfo(words, count);
    } else if (strcmp(words[0], "gethostbyname") == 0) {
        run_static(gethostbyname(text(words[1])));
    } else if (strcmp(words[0], "gethostbyname2") == 0 && count >= 3) {
        run_static(gethostbyname2(text(words[1]), number(words[2])));
    } else if (strcmp(words[0], "gethostbyname_r") == 0 && count >= 4) {
        run_reentrant(&call, words[2], (size_t)number(words[3]));
    } else if (strcmp(words[0], "gethostbyname2_r") == 0 && count >= 5) {
        call.family = number(words[2]);
        run_reentrant(&call, words[3], (size_t)number(words[4]));
    } else if (strncmp(words[0], "gethostbyaddr", 13) == 0 && count >= 4) {
        parse_address(words[1], call.address);
        call.name = NULL;
        call.length = (socklen_t)number(words[2]);
        call.family = number(words[3]);
        if (count >= 6)
            run_reentrant(&call, words[4], (size_t)number(words[5]));
        else
            run_static(gethostbyaddr(call.address, call.length, call.family));
    } else if (strcmp(words[0], "getnameinfo") == 0 && count >= 9) {
        run_getnameinfo(words);
#ifdef __GLIBC__
    } else if (strcmp(words[0], "resolver") == 0 && res_init() == 0) {
        inet_pton(AF_INET, words[1], &_res.nsaddr_list[0].sin_addr);
    } else if (strcmp(words[0], "search") == 0 && res_init() == 0) {
        _res.dnsrch[0] = strdup(words[1]);
#endif
    } else {
        printf("  what?\n");
    }
}

static void run_apart(char *line) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS_MAX);
        run(line);
        fflush(stdout);
        _exit(0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    if (WIFSIGNALED(status))
        printf("  %s (signal %d)\n", WTERMSIG(status) == SIGALRM ? "did not end" : "died", WTERMSIG(status));
}

int main(int count, char **arguments) {
    int apart = count > 1 && strcmp(arguments[1], "apart") == 0;
    char line[2048];
    while (fgets(line, sizeof line, stdin)) {
        printf("%s", line);
        (apart ? run_apart : run)(line);
        fflush(stdout);
    }
    return 0;
}
