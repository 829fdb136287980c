/* `lookers PROCESSES NAMES`: so many processes look the names n0.example and so on up, by both functions, until they
 * are asked to end. Every name has the addresses that follow from its number; whatever else comes is told. */
#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOKS_AT_ONCE 50
#define PAUSE_US 2000 /* the server is to have its turn on a small machine */

static struct counts { unsigned long lookups, failed, wrong; } * counts; /* each process's own, in common memory */
static volatile sig_atomic_t is_ending;

static void end(int number) {
    (void)number;
    is_ending = 1;
}

static void tell(const char *what, const char *name, int code) {
    fprintf(stderr, "%s: %s %d\n", name, what, code);
}

static int is_right(unsigned i, int family, const void *address) {
    char expected[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN];
    snprintf(expected, sizeof expected, family == AF_INET ? "198.51.100.%u" : "2001:db8::%x", i + 1);
    return inet_ntop(family, address, text, sizeof text) && strcmp(text, expected) == 0;
}

static void look_by_hostent(unsigned i, const char *name, struct counts *own) {
    char buffer[1024];
    struct hostent host, *found;
    int h_error = 0, error = gethostbyname_r(name, &host, buffer, sizeof buffer, &found, &h_error);
    own->lookups++;
    if (error || !found) {
        own->failed++;
        tell("gethostbyname_r failed", name, h_error);
    } else if (!is_right(i, AF_INET, found->h_addr_list[0]) || found->h_addr_list[1]) {
        own->wrong++;
        tell("wrong address", name, 0);
    }
}

static void look_by_list(unsigned i, const char *name, struct counts *own) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int error = getaddrinfo(name, NULL, &hints, &list), v4 = 0, v6 = 0;
    own->lookups++;
    if (error) {
        own->failed++;
        tell("getaddrinfo failed", name, error);
        return;
    }
    for (struct addrinfo *at = list; at; at = at->ai_next)
        if (at->ai_family == AF_INET)
            v4 += is_right(i, AF_INET, &((struct sockaddr_in *)(void *)at->ai_addr)->sin_addr) ? 1 : 1000;
        else
            v6 += is_right(i, AF_INET6, &((struct sockaddr_in6 *)(void *)at->ai_addr)->sin6_addr) ? 1 : 1000;
    freeaddrinfo(list);
    if (v4 != 1 || v6 != 1) {
        own->wrong++;
        tell("wrong addresses", name, v4 * 10000 + v6);
    }
}

static void look(unsigned names, struct counts *own) {
    for (unsigned turn = 0; !is_ending; turn++) {
        char name[32];
        snprintf(name, sizeof name, "n%u.example", turn % names);
        look_by_hostent(turn % names, name, own);
        look_by_list(turn % names, name, own);
        if (turn + 1 == names) /* all have been looked up */
            kill(getppid(), SIGUSR1);
        if (turn % LOOKS_AT_ONCE == 0)
            usleep(PAUSE_US);
    }
}

static volatile sig_atomic_t round_count;
static void count_round(int number) {
    (void)number;
    round_count++;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    unsigned processes = (unsigned)atoi(argv[1]), names = (unsigned)atoi(argv[2]);
    counts = mmap(NULL, processes * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    signal(SIGUSR1, count_round);
    pid_t *children = calloc(processes, sizeof *children);
    if (counts == MAP_FAILED || !children)
        return 2;
    for (unsigned i = 0; i < processes; i++)
        if ((children[i] = fork()) == 0) {
            signal(SIGTERM, end);
            look(names, &counts[i]);
            _exit(0);
        }
    signal(SIGTERM, end);
    while (round_count == 0 && !is_ending)
        usleep(1000);
    puts("ready");
    fflush(stdout);
    while (!is_ending)
        usleep(1000);
    int crashed = 0;
    struct counts sum = {0, 0, 0};
    for (unsigned i = 0; i < processes; i++) {
        int status;
        kill(children[i], SIGTERM);
        if (waitpid(children[i], &status, 0) != children[i] || status != 0)
            crashed++;
        sum.lookups += counts[i].lookups;
        sum.failed += counts[i].failed;
        sum.wrong += counts[i].wrong;
    }
    printf("lookups %lu failed %lu wrong %lu crashed %d\n", sum.lookups, sum.failed, sum.wrong, crashed);
    return 0;
}
