/* Lookups in a process whose clock is its own. Each line of the input is a step:
 *   look NAME        prints the first address, or what libc calls the failure
 *   families NAME    prints which families the addresses of a lookup with AI_ADDRCONFIG are of
 *   shift MS         the clock is so far from the machine's, from now on
 *   shift-in SOON MS the same after SOON ms, in a signal handler
 *   stand            the clock stands
 *   storm            signals come all the time
 *   coarse-fails     there is no CLOCK_MONOTONIC_COARSE
 *   fails, works     there is no clock, there is one again
 *   kernel-fails     nor is there one by a system call
 *   namespace MS     goes on in a child with a time namespace, whose clock is so far from the machine's
 *   run COMMAND      in a shell
 */
#define _GNU_SOURCE 1
#include "filter.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static volatile long long shift_ms, later_ms;
static volatile int has_no_coarse, has_none, stands;

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*libcs)(clockid_t, struct timespec *);
    static struct timespec standing;
    if (!libcs)
        libcs = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    if (has_none || (has_no_coarse && clock == CLOCK_MONOTONIC_COARSE)) {
        errno = EINVAL;
        return -1;
    }
    if (clock == CLOCK_REALTIME)
        return libcs(clock, now);
    if (!stands || standing.tv_sec == 0)
        libcs(clock, &standing);
    long long ms = standing.tv_sec * 1000ll + standing.tv_nsec / 1000000 + shift_ms;
    *now = (struct timespec){ms / 1000, ms % 1000 * 1000000};
    return 0;
}

static void look(const char *name) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    char text[INET6_ADDRSTRLEN];
    int error = getaddrinfo(name, "80", &hints, &list);
    if (!error) {
        inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr, text, sizeof text);
        freeaddrinfo(list);
    }
    printf("%s\n", error ? gai_strerror(error) : text);
}

static void look_at_families(const char *name) {
    struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM}, *list;
    int v4 = 0, v6 = 0, error = getaddrinfo(name, "80", &hints, &list);
    for (struct addrinfo *entry = error ? NULL : list; entry; entry = entry->ai_next)
        entry->ai_family == AF_INET ? v4++ : v6++;
    if (!error)
        freeaddrinfo(list);
    printf("%s%s\n", v4 ? "v4" : "", v6 ? "v6" : "");
}

static void shift(int signal) {
    (void)signal;
    shift_ms = later_ms;
}

static void ignore(int signal) {
    (void)signal;
}

static void arm(void (*handler)(int), long first_us, long interval_us) {
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = handler}, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = first_us, .it_interval.tv_usec = interval_us}, NULL);
}

static void enter_namespace(long long ms) {
    int status = 0;
    FILE *offsets = unshare(CLONE_NEWTIME) == 0 ? fopen("/proc/self/timens_offsets", "w") : NULL;
    if (!offsets || fprintf(offsets, "monotonic %lld 0\n", ms / 1000) < 0 || fclose(offsets) != 0)
        exit(2);
    pid_t child = fork();
    if (child == 0)
        return;
    wait(&status);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
}

int main(void) {
    char step[256], rest[200];
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(step, sizeof step, stdin)) {
        char *word = strtok(step, " \n");
        char *argument = strtok(NULL, "\n");
        strcpy(rest, argument ? argument : "");
        if (strcmp(word, "look") == 0)
            look(rest);
        else if (strcmp(word, "families") == 0)
            look_at_families(rest);
        else if (strcmp(word, "shift") == 0)
            shift_ms = atoll(rest);
        else if (strcmp(word, "shift-in") == 0)
            later_ms = atoll(strchr(rest, ' ')), arm(shift, atol(rest) * 1000, 0);
        else if (strcmp(word, "stand") == 0)
            stands = 1;
        else if (strcmp(word, "storm") == 0)
            arm(ignore, 300, 300);
        else if (strcmp(word, "coarse-fails") == 0)
            has_no_coarse = 1;
        else if (strcmp(word, "fails") == 0 || strcmp(word, "works") == 0)
            has_none = word[0] == 'f';
        else if (strcmp(word, "kernel-fails") == 0)
            forbid(SYS_clock_gettime, -1, FAILS | EINVAL);
        else if (strcmp(word, "namespace") == 0)
            enter_namespace(atoll(rest));
        else if (strcmp(word, "run") != 0 || system(rest) != 0)
            return 64;
    }
    return 0;
}
