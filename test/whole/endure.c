/* `endure SECONDS THREADS CHILDREN early|late NAMES`: so many threads, and children forked before or amid them, look up
 * what is in the table, what is never there, what does not exist, and what is new, by both functions; ends with counts.
 * Every name has the addresses that follow from its number; whatever else comes is told. */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MUSL_ADDRESSES_MAX 48
#define MANY 60 /* addresses of many.example, too many for a slot */
#define FRESH 2000
#define CHILD_SECONDS 1
#define PATIENCE_SECONDS 60 /* of a child; libc's own time-outs are within it */
#define BUFFER_BYTES 16384

static unsigned names;
static _Atomic uint64_t lookups, failed, wrong;
static time_t end;
static pthread_t *threads; /* still to be seen by a leak check in a child */
static pid_t *children;

static time_t seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void count(_Atomic uint64_t *counter, const char *what, const char *name, int code) {
    if ((*counter)++ < 10)
        fprintf(stderr, "%s: %s %d\n", name, what, code);
}

static int is_right(unsigned number, int family, const void *address) {
    char expected[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN];
    snprintf(expected, sizeof expected, family == AF_INET ? "198.51.100.%u" : "2001:db8::%x", number + 1);
    return inet_ntop(family, address, text, sizeof text) && strcmp(text, expected) == 0;
}

static void look_by_hostent(unsigned number, const char *name) {
    char buffer[BUFFER_BYTES];
    struct hostent host, *found = NULL;
    int h_error = 0, error = ERANGE;
    for (size_t size = 16; error == ERANGE && size <= sizeof buffer; size *= 2)
        error = gethostbyname_r(name, &host, buffer, size, &found, &h_error);
    if (error || !found)
        count(&failed, "gethostbyname_r", name, h_error);
    else if (!is_right(number, AF_INET, found->h_addr_list[0]) || found->h_addr_list[1])
        count(&wrong, "gethostbyname_r", name, 0);
}

/* Expects so many of each family; number -1: whichever they are. */
static void look_by_list(int number, const char *name, unsigned v4, unsigned v6) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME}, *list = NULL;
    int error = getaddrinfo(name, "443", &hints, &list);
#ifndef __GLIBC__
    if (error && v4 == MANY) /* musl asks by UDP alone, and makes nothing of a reply that is cut short */
        return;
#endif
    if (error) {
        count(&failed, "getaddrinfo", name, error);
        return;
    }
    unsigned found[2] = {0, 0};
    for (struct addrinfo *at = list; at; at = at->ai_next) {
        int is_v4 = at->ai_family == AF_INET;
        const void *address = is_v4 ? (void *)&((struct sockaddr_in *)(void *)at->ai_addr)->sin_addr
                                    : (void *)&((struct sockaddr_in6 *)(void *)at->ai_addr)->sin6_addr;
        found[is_v4]++;
        if (number >= 0 && !is_right((unsigned)number, at->ai_family, address))
            count(&wrong, "getaddrinfo", name, at->ai_family);
    }
    int is_as_many = found[1] == v4 && found[0] == v6;
#ifndef __GLIBC__
    if (v4 == MANY) /* of both families together, and which of them is up to its version */
        is_as_many = found[0] + found[1] == MUSL_ADDRESSES_MAX;
#endif
    if (!is_as_many)
        count(&wrong, "getaddrinfo found", name, (int)(found[1] * 1000 + found[0]));
    struct addrinfo *rest = list->ai_next; /* in two parts, as some programs do */
    list->ai_next = NULL;
    freeaddrinfo(list);
    if (rest)
        freeaddrinfo(rest);
}

static void look_for_nothing(const char *name) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int error = getaddrinfo(name, NULL, &hints, &list);
    if (error == 0)
        freeaddrinfo(list);
    if (error == 0)
        count(&wrong, "exists", name, 0);
    else if (error != EAI_NONAME)
        count(&failed, "getaddrinfo", name, error);
}

static void look(unsigned random) {
    char name[32];
    unsigned kind = random % 16, number = random / 16 % names;
    snprintf(name, sizeof name, "n%u.example", number);
    if (kind < 6) {
        look_by_hostent(number, name);
    } else if (kind < 12) {
        look_by_list((int)number, name, 1, 1);
    } else if (kind < 14) {
        snprintf(name, sizeof name, "missing%u.example", number);
        look_for_nothing(name);
    } else if (kind < 15) {
        look_by_list(-1, "many.example", MANY, MANY);
    } else {
        snprintf(name, sizeof name, "u%u.example", random / 16 % FRESH);
        look_by_list(-1, name, 1, 0);
    }
    lookups++;
}

static void look_until(time_t until, uint32_t seed) {
    for (uint32_t random = seed * 2654435761u | 1; seconds() < until;) {
        random ^= random << 13, random ^= random >> 17, random ^= random << 5;
        look(random >> 3);
    }
}

static void *thread_main(void *seed) {
    look_until(end, (uint32_t)(uintptr_t)seed);
    return NULL;
}

static pid_t fork_child(uint32_t seed) {
    pid_t child = fork();
    if (child != 0)
        return child;
    alarm(PATIENCE_SECONDS);
    failed = wrong = 0;
    look_until(seconds() + CHILD_SECONDS + 1, seed);
    _exit(failed || wrong ? 1 : 0);
}

static int wait_for(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    if (status != 0)
        fprintf(stderr, "a child ended with %#x\n", (unsigned)status);
    return status != 0;
}

static int open_descriptors(void) {
    DIR *directory = opendir("/proc/self/fd");
    int found = 0;
    while (directory && readdir(directory))
        found++;
    if (directory)
        closedir(directory);
    return found;
}

int main(int argc, char **argv) {
    if (argc != 6)
        return 64;
    unsigned thread_count = (unsigned)atoi(argv[2]), child_count = (unsigned)atoi(argv[3]), bad_children = 0;
    int early = strcmp(argv[4], "early") == 0, before = open_descriptors();
    names = (unsigned)atoi(argv[5]);
    threads = calloc(thread_count, sizeof *threads);
    children = calloc(child_count + 1, sizeof *children);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    end = seconds() + atoi(argv[1]);
    for (unsigned i = 0; early && i < child_count; i++)
        children[i] = fork_child(1000 + i);
    for (unsigned i = 0; i < thread_count; i++)
        if (pthread_create(&threads[i], &attributes, thread_main, (void *)(uintptr_t)(i + 1)) != 0)
            return 2;
    for (unsigned i = 0; !early && i < child_count; i++) {
        children[i] = fork_child(1000 + i);
        usleep((useconds_t)(atoi(argv[1]) * 300000 / (int)child_count));
    }
    for (unsigned i = 0; i < child_count; i++)
        bad_children += (unsigned)wait_for(children[i]);
    puts("forked"); /* from now on a thread may be in libc's resolver, whose locks a child would inherit */
    fflush(stdout);
    for (unsigned i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    free(children);
    printf("lookups %llu failed %llu wrong %llu children %u descriptors %d\n", (unsigned long long)lookups,
           (unsigned long long)failed, (unsigned long long)wrong, bad_children, open_descriptors() - before);
    return 0;
}
