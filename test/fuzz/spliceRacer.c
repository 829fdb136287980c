/* `spliceRacer NAME PREFIX COUNT`, with the whole library inside: looks into the table over and over, as a lookup does,
 * but asks nobody where nothing is there, until it is asked to end; counts as spliceReader.c does. */
#include "lookup.h"
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define LOOKS_A_ROUND 256
#define HELD_UP_EVERY_US 200
#define HELD_UP_NS 50000

static uint8_t prefix[16];
static unsigned addresses;
static unsigned long looks, right, forged, none;
static char last_forged[INET6_ADDRSTRLEN];

static void look(const struct question *question) {
    static struct reply reply;
    looks++;
    if (!table_find(question, NW_FAMILY_AAAA, &reply)) {
        none++;
        return;
    }
    unsigned i = 0;
    const uint8_t *address = reply.aaaa.data;
    for (; i < reply.aaaa.count; i++, address += 16)
        if (memcmp(address, prefix, 15) != 0 || address[15] < 1 || address[15] > addresses)
            break;
    if (i == addresses && i == reply.aaaa.count) {
        right++;
        return;
    }
    forged++;
    inet_ntop(AF_INET6, address, last_forged, sizeof last_forged);
}

/* In the middle of a look, as a busy machine holds a process up: the writer is to overtake it there. */
static void hold_up(int number) {
    (void)number;
    int error = errno;
    nanosleep(&(struct timespec){.tv_nsec = HELD_UP_NS}, NULL);
    errno = error;
}

static volatile sig_atomic_t is_ending;

static void end(int number) {
    (void)number;
    is_ending = 1;
}

int main(int argc, char **argv) {
    static struct question question;
    if (argc != 4 || inet_pton(AF_INET6, argv[2], prefix) != 1 || !eligible(argv[1], &question))
        return 2;
    addresses = (unsigned)atoi(argv[3]);
    signal(SIGTERM, end);
    signal(SIGALRM, hold_up);
    struct timeval often = {.tv_usec = HELD_UP_EVERY_US};
    setitimer(ITIMER_REAL, &(struct itimerval){.it_interval = often, .it_value = often}, NULL);
    puts("ready");
    fflush(stdout);
    while (!is_ending) {
        question.now = tick_ms();
        for (int i = 0; i < LOOKS_A_ROUND; i++)
            look(&question);
    }
    printf("states %lu right %lu forged %lu none %lu %s\n", looks, right, forged, none, last_forged);
    return 0;
}
