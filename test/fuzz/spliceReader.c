/* Looks a name up in a table where half of its record is somebody else's, and counts what comes that is not all of its
 * addresses: COUNT of them, PREFIX with 1, 2, 3 ... for the last byte.
 *   spliceReader NAME PREFIX COUNT                       until it is asked to end
 *   spliceReader NAME PREFIX COUNT TABLE OFFSET PAIRS    in each torn state of the slot at this offset of the table,
 * which it writes there itself: PAIRS holds a slot before a write, and after it The slot's tag is the name's already.
 */
#include "lookup.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WORDS (NW_SLOT_BYTES / 8)

static const char *name;
static uint8_t prefix[16];
static unsigned addresses;
static unsigned long states, right, forged, none;
static char last_forged[INET6_ADDRSTRLEN];

static void look(void) {
    char buffer[8192];
    struct hostent host, *found;
    int h_error;
    unsigned count = 0;
    states++;
    if (gethostbyname2_r(name, AF_INET6, &host, buffer, sizeof buffer, &found, &h_error) != 0 || !found) {
        none++;
        return;
    }
    for (; found->h_addr_list[count]; count++) {
        const uint8_t *address = (const uint8_t *)found->h_addr_list[count];
        if (memcmp(address, prefix, 15) == 0 && address[15] >= 1 && address[15] <= addresses)
            continue;
        inet_ntop(AF_INET6, address, last_forged, sizeof last_forged);
        forged++;
        return;
    }
    if (count == addresses)
        right++;
    else
        forged++;
}

static void beat(uint8_t *table) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_at = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    memcpy(table + NW_HEADER_HEARTBEAT_MS, &now_at, sizeof now_at);
}

/* Bytes from `first` on to `end` are of the one, all others of the other. */
static void show(uint8_t *slot, const uint8_t *outside, const uint8_t *inside, size_t first, size_t end) {
    memcpy(slot, outside, NW_SLOT_BYTES);
    memcpy(slot + first, inside + first, end - first);
    look();
}

static void tear(uint8_t *slot, const uint8_t *one, const uint8_t *other) {
    for (size_t cut = 0; cut <= NW_SLOT_BYTES; cut++)
        show(slot, one, other, cut, NW_SLOT_BYTES);
    for (size_t first = 1; first < WORDS; first++)
        for (size_t end = first + 1; end < WORDS && end < first + 16; end++)
            show(slot, one, other, 8 * first, 8 * end);
}

static void *map_whole(const char *path, int protection, size_t *bytes) {
    struct stat status;
    int fd = open(path, protection & PROT_WRITE ? O_RDWR : O_RDONLY);
    if (fd < 0 || fstat(fd, &status) != 0)
        exit(3);
    void *map = mmap(NULL, (size_t)status.st_size, protection, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        exit(3);
    close(fd);
    *bytes = (size_t)status.st_size;
    return map;
}

int main(int argc, char **argv) {
    size_t bytes, table_bytes;
    if (argc != 7 || inet_pton(AF_INET6, argv[2], prefix) != 1)
        return 2;
    name = argv[1];
    addresses = (unsigned)atoi(argv[3]);
    uint8_t *table = map_whole(argv[4], PROT_READ | PROT_WRITE, &table_bytes), *slot = table + atol(argv[5]);
    const uint8_t *pairs = map_whole(argv[6], PROT_READ, &bytes);
    for (size_t at = 0; at < bytes; at += 2 * NW_SLOT_BYTES) {
        beat(table);
        tear(slot, pairs + at, pairs + at + NW_SLOT_BYTES);
        beat(table);
        tear(slot, pairs + at + NW_SLOT_BYTES, pairs + at);
    }
    printf("states %lu right %lu forged %lu none %lu %s\n", states, right, forged, none, last_forged);
    return 0;
}
