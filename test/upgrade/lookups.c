/* `lookups PROCESSES NAMES`: so many processes look up n0.example and so on by both functions all the time, and new
 * ones are started all the time, until it is asked to end. Every name has one address of each family by the cache and
 * another by libc; who has answered is counted, and a line tells of it from time to time. `lookups at NUMBER` is what
 * is started. */
#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMES_AT_ONCE 5
#define PAUSE_US 40000 /* servers are to have their turn on a small machine */
#define STARTS_AT_ONCE 10
#define TOLD_MAX 20

enum outcome { CACHE, LIBC, WRONG, FAILED, NOT_STARTED, OUTCOMES };
static const char *const ADDRESSES[][2] = {{"198.51.100.%u", "2001:db8::%x"}, {"203.0.113.%u", "2001:db8:1::%x"}};

static _Atomic unsigned long (*counts)[OUTCOMES]; /* of running processes, and of started ones; in common memory */
static volatile sig_atomic_t is_ending;

static void end(int number) {
    (void)number;
    is_ending = 1;
}

static enum outcome tell(enum outcome outcome, const char *what, const char *name, int code) {
    static int told;
    if (told++ < TOLD_MAX)
        fprintf(stderr, "%s: %s %d\n", name, what, code);
    return outcome;
}

static enum outcome whose(unsigned number, int family, const void *address) {
    char expected[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN];
    for (enum outcome from = CACHE; from <= LIBC; from++) {
        snprintf(expected, sizeof expected, ADDRESSES[from][family == AF_INET6], number + 1);
        if (inet_ntop(family, address, text, sizeof text) && strcmp(text, expected) == 0)
            return from;
    }
    return WRONG;
}

static enum outcome look_by_hostent(unsigned number, const char *name) {
    char buffer[1024];
    struct hostent host, *found = NULL;
    int h_error = 0, error = gethostbyname_r(name, &host, buffer, sizeof buffer, &found, &h_error);
    if (error || !found)
        return tell(FAILED, "gethostbyname_r failed", name, h_error);
    enum outcome from = found->h_addr_list[1] ? WRONG : whose(number, AF_INET, found->h_addr_list[0]);
    return from == WRONG ? tell(WRONG, "gethostbyname_r found another address", name, 0) : from;
}

/* Both families are of one answerer. */
static enum outcome look_by_list(unsigned number, const char *name) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int error = getaddrinfo(name, NULL, &hints, &list), found[2] = {0, 0};
    if (error)
        return tell(FAILED, "getaddrinfo failed", name, error);
    enum outcome from[2] = {WRONG, WRONG};
    for (struct addrinfo *at = list; at; at = at->ai_next) {
        int is_v6 = at->ai_family == AF_INET6;
        const void *address = is_v6 ? (void *)&((struct sockaddr_in6 *)(void *)at->ai_addr)->sin6_addr
                                    : (void *)&((struct sockaddr_in *)(void *)at->ai_addr)->sin_addr;
        found[is_v6]++;
        from[is_v6] = whose(number, at->ai_family, address);
    }
    freeaddrinfo(list);
    if (found[0] != 1 || found[1] != 1 || from[0] != from[1] || from[0] == WRONG)
        return tell(WRONG, "getaddrinfo found other addresses", name, found[0] * 10 + found[1]);
    return from[0];
}

static enum outcome look(unsigned number, enum outcome *other) {
    char name[32];
    snprintf(name, sizeof name, "n%u.example", number);
    *other = look_by_hostent(number, name);
    return look_by_list(number, name);
}

static void run(unsigned seed, unsigned names) {
    for (unsigned turn = seed; !is_ending; turn++) {
        enum outcome other;
        counts[0][look(turn % names, &other)]++;
        counts[0][other]++;
        if (turn % NAMES_AT_ONCE == 0)
            usleep(PAUSE_US);
    }
}

/* Tells how it went by its exit code: the worse of its lookups. */
static void start(const char *program, unsigned number) {
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    pid_t started = fork();
    if (started == 0) {
        execl(program, program, "at", text, (char *)NULL);
        _exit(NOT_STARTED);
    }
    int status = 0;
    while (waitpid(started, &status, 0) < 0)
        ;
    int is_fine = started > 0 && WIFEXITED(status) && WEXITSTATUS(status) < NOT_STARTED;
    if (!is_fine)
        tell(NOT_STARTED, "a program was not started, or was ended, with", text, status);
    counts[1][is_fine ? WEXITSTATUS(status) : NOT_STARTED]++;
}

static void tell_counts(void) {
    for (int i = 0; i < 2; i++) {
        printf(i == 0 ? "running" : " started");
        for (int outcome = 0; outcome < OUTCOMES; outcome++)
            printf(" %lu", counts[i][outcome]);
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 64;
    unsigned first = (unsigned)atoi(argv[1]), names = (unsigned)atoi(argv[2]);
    if (strcmp(argv[1], "at") == 0) {
        enum outcome one, other;
        one = look(names, &other);
        return (int)(one > other ? one : other);
    }
    counts = mmap(NULL, 2 * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t *children = calloc(first, sizeof *children);
    if (counts == MAP_FAILED || !children)
        return 64;
    signal(SIGTERM, end);
    for (unsigned i = 0; i < first; i++)
        if ((children[i] = fork()) == 0) {
            run(i, names);
            _exit(0);
        }
    for (unsigned turn = 0; !is_ending; turn++) {
        start(argv[0], turn % names);
        if (turn % STARTS_AT_ONCE == 0) {
            tell_counts();
            usleep(PAUSE_US);
        }
    }
    for (unsigned i = 0; i < first; i++)
        kill(children[i], SIGTERM);
    int killed = 0;
    for (unsigned i = 0; i < first; i++) {
        int status = 1;
        pid_t ended;
        while ((ended = waitpid(children[i], &status, 0)) < 0)
            ;
        if (status != 0)
            killed++;
    }
    tell_counts();
    printf("killed %d\n", killed);
    return 0;
}
