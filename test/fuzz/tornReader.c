/* `tornReader NAMES`: looks names up that tornWriter.ts rewrites all the time, until it is asked to end. All of an
 * answer has to be of one write: the counter in its canonical name, and addresses made of the counter and the name's
 * number. */
#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES 8
#define LOOKS_A_ROUND 255
#define LISTS_EVERY 17 /* glibc's getaddrinfo sorts, which takes longer than the look; no multiple of the names */

static unsigned long reads, misses, torn, foreign, changes;
static uint32_t last_counter;

/* As tornWriter.ts makes it: 24 bits that look like noise, the name's number, the address's. */
static uint32_t address_of(uint32_t counter, unsigned name, unsigned j) {
    return (counter * 0x9e3779b1u & ~0xffu) | name << 3 | j;
}

/* `canonical`: c0123456789.h3.torn.example */
static void judge(unsigned name, const char *canonical, const uint32_t *addresses, size_t count) {
    uint32_t counter = 0;
    unsigned number = 0, seen = 0;
    if (sscanf(canonical, "c%10u.h%u.torn.example", &counter, &number) != 2 || number != name) {
        foreign++;
        return;
    }
    for (size_t i = 0; i < count; i++)
        for (unsigned j = 0; j < ADDRESSES; j++)
            if (ntohl(addresses[i]) == address_of(counter, name, j))
                seen |= 1u << j;
    torn += count != ADDRESSES || seen != (1u << ADDRESSES) - 1;
    changes += counter != last_counter;
    last_counter = counter;
}

static void look_by_hostent(unsigned number, const char *name) {
    char buffer[4096];
    struct hostent host, *found;
    int h_error;
    uint32_t addresses[64];
    size_t count = 0;
    reads++;
    if (gethostbyname_r(name, &host, buffer, sizeof buffer, &found, &h_error) != 0 || !found) {
        misses++;
        return;
    }
    for (; count < 64 && found->h_addr_list[count]; count++)
        memcpy(&addresses[count], found->h_addr_list[count], 4);
    judge(number, found->h_name, addresses, count);
}

static void look_by_list(unsigned number, const char *name) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME}, *list;
    uint32_t addresses[64];
    size_t count = 0;
    reads++;
    if (getaddrinfo(name, NULL, &hints, &list) != 0) {
        misses++;
        return;
    }
    for (struct addrinfo *at = list; at && count < 64; at = at->ai_next)
        addresses[count++] = ((struct sockaddr_in *)(void *)at->ai_addr)->sin_addr.s_addr;
    judge(number, list->ai_canonname ? list->ai_canonname : "", addresses, count);
    freeaddrinfo(list);
}

static volatile sig_atomic_t is_ending;

static void end(int number) {
    (void)number;
    is_ending = 1;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    unsigned names = (unsigned)atoi(argv[1]);
    signal(SIGTERM, end);
    puts("ready");
    fflush(stdout);
    while (!is_ending)
        for (unsigned i = 0; i < LOOKS_A_ROUND; i++) {
            char name[64];
            sprintf(name, "h%u.torn.example", i % names);
            if (i % LISTS_EVERY == 0)
                look_by_list(i % names, name);
            else
                look_by_hostent(i % names, name);
        }
    printf("reads %lu misses %lu torn %lu foreign %lu changes %lu\n", reads, misses, torn, foreign, changes);
    return 0;
}
