/* What is kept of routes, by itself, to be built with the sanitizers. `sets TASK`; exit 0 when all went well. */
#include "answer.c"
#include "routes.c"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW_MS 5000000
#define CROWD 9

static int failures;

static void check(bool good, const char *claim) {
    if (!good)
        printf("not so: %s\n", claim);
    failures += !good;
}

static struct destination v4(uint32_t number) {
    struct destination destination = {.family = AF_INET, .port = 80};
    memcpy(destination.address, &number, sizeof number);
    return destination;
}

/* Another for each address and port, as no real one is; never 0. */
static uint32_t key_of(const struct destination *destination) {
    uint32_t number;
    memcpy(&number, destination->address, sizeof number);
    return (number * 2654435761u + destination->port * 40503u) >> (32 - KEY_BITS) | 1;
}

static void keep(struct destination destination, uint64_t now_ms) {
    destination.key = key_of(&destination);
    route_keep(&destination, now_ms);
}

static uint32_t found(struct destination destination, uint64_t now_ms) {
    destination.key = 0;
    route_find(&destination, now_ms);
    return destination.key;
}

static bool knows(struct destination destination, uint64_t now_ms) {
    return found(destination, now_ms) == key_of(&destination);
}

static struct route *home_of(const struct destination *destination) {
    uint64_t address[2];
    memcpy(address, destination->address, sizeof address);
    return set_of(address);
}

/* More destinations of one set than it has ways. */
static void crowd(void) {
    struct destination crowd[CROWD];
    uint32_t number = 0;
    for (int i = 0; i < CROWD; number++) {
        crowd[i] = v4(number);
        if (i == 0 || home_of(&crowd[i]) == home_of(&crowd[0]))
            i++;
    }
    for (int last = 0; last < CROWD; last++) {
        keep(crowd[last], NOW_MS + last);
        for (int i = 0; i < CROWD; i++) {
            bool kept = i <= last && i > last - WAYS;
            check(kept ? knows(crowd[i], NOW_MS + last) : found(crowd[i], NOW_MS + last) == 0,
                  "a set has the last four that were learned");
        }
    }
}

static void identity(void) {
    struct destination one = v4(htonl(0xc0000201)), port = one, six = one;
    port.port = 443;
    six.family = AF_INET6;
    keep(one, NOW_MS);
    check(found(port, NOW_MS) == 0, "another port is another destination");
    check(found(six, NOW_MS) == 0, "the same bytes as IPv6 are another destination");
    keep(port, NOW_MS);
    keep(six, NOW_MS);
    check(knows(one, NOW_MS) && knows(port, NOW_MS) && knows(six, NOW_MS), "each is kept beside the others");
}

static void time_passes(void) {
    struct destination one = v4(htonl(0xc0000201)), nothing = {.family = AF_INET6};
    check(found(nothing, 0) == 0 && found(nothing, 1) == 0, "the unwritten is unknown, at the beginning of time too");
    bool has_v4, has_v6;
    keep(one, 0);
    families_keep(true, true, 0);
    check(found(one, 0) == 0 && !families_find(&has_v4, &has_v6, 0), "nothing is kept where nobody can tell the time");
    const uint64_t starts[] = {1, NOW_MS, 1ull << 39, (1ull << 40) - 500};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        uint64_t start = starts[i];
        one = v4((uint32_t)i);
        keep(one, start);
        check(knows(one, start) && knows(one, start + KEPT_MS - 1), "known for a second");
        check(found(one, start + KEPT_MS) == 0 && found(one, start + 1000000) == 0, "unknown after it");
        check(knows(one, start - 1), "known to a thread whose time is a little older");
        check(found(one, start - CLOCK_SLACK_MS - 1) == 0 && found(one, start - 1000000) == 0, "unknown long before");
        has_v4 = false, has_v6 = true;
        families_keep(true, false, start);
        check(families_find(&has_v4, &has_v6, start) && has_v4 && !has_v6, "families are known");
        check(families_find(&has_v4, &has_v6, start + KEPT_MS - 1), "families are known for a second");
        check(!families_find(&has_v4, &has_v6, start + KEPT_MS), "families are unknown after it");
        check(families_find(&has_v4, &has_v6, start - 1), "families are known to another thread as well");
        check(!families_find(&has_v4, &has_v6, start - CLOCK_SLACK_MS - 1), "families are unknown long before");
        atomic_store(&families, 0);
        check(!families_find(&has_v4, &has_v6, start), "the unwritten says nothing of families");
    }
}

static void damage(void) {
    struct destination one = v4(htonl(0xc0000201));
    keep(one, NOW_MS);
    struct route *route = home_of(&one);
    while (!load(&route->checksum))
        route++;
    _Atomic uint64_t *words[] = {&route->address[0], &route->address[1], &route->learned, &route->checksum};
    for (int bit = 0; bit < 256; bit++) {
        uint64_t whole = load(words[bit / 64]);
        store(words[bit / 64], whole ^ 1ull << bit % 64);
        check(found(one, NOW_MS) == 0, "one bit changed is unknown");
        store(words[bit / 64], whole);
    }
    check(knows(one, NOW_MS), "and known again when it is whole");
}

#define CROWDED 24 /* addresses, each with two ports, all of two sets: writers meet all the time */
static struct destination crowded[CROWDED];
static _Atomic long wrong, right;

static void *write_and_read(void *seed) {
    uint64_t state = (uintptr_t)seed;
    for (int i = 0; i < 400000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        struct destination destination = crowded[(state >> 33) % CROWDED];
        destination.port = state >> 60 & 1 ? 80 : 443;
        if (state >> 61 & 1) {
            keep(destination, NOW_MS);
            continue;
        }
        uint32_t key = found(destination, NOW_MS);
        right += key == key_of(&destination);
        wrong += key != 0 && key != key_of(&destination);
    }
    return NULL;
}

static void threads(void) {
    uint32_t number = 0;
    for (int i = 0; i < CROWDED; number++) {
        crowded[i] = v4(number);
        i += home_of(&crowded[i]) < routes[2];
    }
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, write_and_read, (void *)(i + 1));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    check(right > 0, "something is found");
    check(wrong == 0, "nothing is found that was not kept");
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } TASKS[] = {
        {"crowd", crowd}, {"identity", identity}, {"time", time_passes}, {"damage", damage}, {"threads", threads}};
    for (size_t i = 0; argc > 1 && i < sizeof TASKS / sizeof *TASKS; i++)
        if (strcmp(TASKS[i].name, argv[1]) == 0) {
            TASKS[i].run();
            return failures != 0;
        }
    return 64;
}
