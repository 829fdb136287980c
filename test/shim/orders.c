/* The order of addresses in a process that looks many names up. `orders TASK [COUNT]` reads lines of a name and, but
 * for the task `list`, the addresses that are expected, in their order; exit 0 when all went well.
 *   list      prints each name and its addresses
 *   again     looks all up COUNT times
 *   threads   the same in four threads, each in its own sequence
 *   forks     forks COUNT children while threads do so; each child looks some up
 *   shortage  looks all up with one free descriptor, which may give other orders, and again with enough */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES_MAX 1000
#define LINE_BYTES 1000
static char names[LINES_MAX][LINE_BYTES]; /* what comes after the name's end are the addresses */
static size_t lines;
static int count;
static _Atomic int wrong, stopping;

static void look_up(const char *name, char text[LINE_BYTES]) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int error = getaddrinfo(name, "80", &hints, &list);
    size_t at = (size_t)snprintf(text, LINE_BYTES, "%s", error ? gai_strerror(error) : "");
    for (struct addrinfo *entry = error ? NULL : list; entry && at + INET6_ADDRSTRLEN < LINE_BYTES;
         entry = entry->ai_next) {
        const void *address = entry->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)entry->ai_addr)->sin_addr
                                                          : (void *)&((struct sockaddr_in6 *)entry->ai_addr)->sin6_addr;
        if (at > 0)
            text[at++] = ' ';
        inet_ntop(entry->ai_family, address, text + at, INET6_ADDRSTRLEN);
        at += strlen(text + at);
    }
    if (!error)
        freeaddrinfo(list);
}

static int is_wrong(size_t line) {
    char text[LINE_BYTES];
    look_up(names[line], text);
    const char *expected = names[line] + strlen(names[line]) + 1;
    if (strcmp(text, expected) == 0)
        return 0;
    if (wrong++ == 0)
        printf("%s is %s\n  and not %s\n", names[line], text, expected);
    return 1;
}

static int list(void) {
    for (size_t line = 0; line < lines; line++) {
        char text[LINE_BYTES];
        look_up(names[line], text);
        printf("%s %s\n", names[line], text);
    }
    return 0;
}

static int again(void) {
    for (int i = 0; i < count; i++)
        for (size_t line = 0; line < lines; line++)
            is_wrong(line);
    return wrong != 0;
}

/* Each thread in steps of its own. */
static void *all_names(void *step) {
    for (int i = 0; i < count; i++)
        for (size_t line = 0; line < lines; line++)
            is_wrong((line + 1) * (uintptr_t)step % lines);
    return NULL;
}

static void *all_names_for_ever(void *step) {
    while (!stopping)
        for (size_t line = 0; !stopping && line < lines; line++)
            is_wrong((line + 1) * (uintptr_t)step % lines);
    return NULL;
}

static void start(pthread_t threads[4], void *(*run)(void *)) {
    static const uintptr_t STEPS[] = {1, 7, 11, 13};
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, run, (void *)STEPS[i]);
}

static void join(pthread_t threads[4]) {
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static int in_threads(void) {
    pthread_t threads[4];
    start(threads, all_names);
    join(threads);
    return wrong != 0;
}

static int shortage(void) {
    struct rlimit limit, one_left;
    getrlimit(RLIMIT_NOFILE, &limit);
    int first_free = dup(0);
    close(first_free);
    one_left = limit;
    one_left.rlim_cur = (rlim_t)first_free + 1;
    setrlimit(RLIMIT_NOFILE, &one_left);
    int other = 0;
    char text[LINE_BYTES];
    for (size_t line = 0; line < lines; line++) {
        look_up(names[line], text);
        other += strcmp(text, names[line] + strlen(names[line]) + 1) != 0;
    }
    setrlimit(RLIMIT_NOFILE, &limit);
    printf("%s orders in a shortage\n", other ? "other" : "the same");
    return again();
}

static int forks(void) {
    pthread_t threads[4];
    start(threads, all_names_for_ever);
    int failed = 0;
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            int found_wrong = 0;
            alarm(20);
            for (size_t line = 0; line < lines; line += 5)
                found_wrong |= is_wrong((line + (size_t)i) % lines);
            _exit(found_wrong);
        }
        int status = -1;
        waitpid(child, &status, 0);
        failed += status != 0;
    }
    stopping = 1;
    join(threads);
    printf("%d of %d children failed\n", failed, count);
    return failed != 0 || wrong != 0;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(void);
    } TASKS[] = {{"list", list}, {"again", again}, {"threads", in_threads}, {"forks", forks}, {"shortage", shortage}};
    for (; lines < LINES_MAX && fgets(names[lines], LINE_BYTES, stdin); lines++) {
        names[lines][strcspn(names[lines], "\n")] = '\0';
        names[lines][strcspn(names[lines], " ")] = '\0';
    }
    count = argc > 2 ? atoi(argv[2]) : 1;
    for (size_t i = 0; argc > 1 && i < sizeof TASKS / sizeof *TASKS; i++)
        if (strcmp(TASKS[i].name, argv[1]) == 0)
            return TASKS[i].run();
    return 64;
}
