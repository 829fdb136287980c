/* The order of addresses: an rrset is rotated from call to call, so that no address gets all the load, and then sorted
 * as this libc sorts, stably. */
#include "lookup.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* A number by chance, for where the next list starts. Of no counter alone, for two calls in turn would fall into step
 * with two addresses, and children are forked with one state: the processor's clock is in it, which is read without a
 * system call. The counter is for a clock so slow that it may stand from one call to the next; threads may lose a
 * count. */
uint32_t rotation(void) {
#ifdef NAMEWELL_STEADY /* a test build, to compare orders with libc's */
    return 0;
#else
    static _Atomic uint64_t calls;
    uint64_t turn = atomic_load_explicit(&calls, memory_order_relaxed) + 0x9e3779b97f4a7c15, time;
    atomic_store_explicit(&calls, turn, memory_order_relaxed);
#if defined __x86_64__
    time = __builtin_ia32_rdtsc();
#else
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(time));
#endif
    uint64_t mixed = (time ^ turn) * 0xd6e8feb86659fd93;
    mixed = (mixed ^ mixed >> 32) * 0xd6e8feb86659fd93;
    return (uint32_t)(mixed >> 32);
#endif
}

/* What has just been fetched and is not kept was not frozen by us either: it keeps its server's order, as with libc. */
static bool keeps_order(const struct answer *answer) {
    return answer->ttl_seconds == 0 || answer->flags & NW_RECORD_FLAG_FIXED_ORDER;
}

/* Writes so many of the answer's addresses, starting with another one each time; v4 as v4-mapped v6 on request. */
void take_addresses(const struct answer *answer, size_t count, uint32_t rotation, bool mapped, uint16_t port,
                    struct destination *into) {
    size_t next = keeps_order(answer) ? 0 : (size_t)((uint64_t)rotation * answer->count >> 32);
    for (size_t i = 0; i < count; i++) {
        struct destination *destination = &into[i];
        *destination = (struct destination){.family = AF_INET6, .port = port};
        uint8_t *address = destination->address;
        if (answer->type == NW_TYPE_AAAA) {
            memcpy(address, answer->data + 16 * next, 16);
        } else if (mapped) {
            address[10] = address[11] = 0xff;
            memcpy(address + 12, answer->data + 4 * next, 4);
        } else {
            destination->family = AF_INET;
            memcpy(address, answer->data + 4 * next, 4);
        }
        next = next + 1 == answer->count ? 0 : next + 1;
    }
}

/* What the kernel says of those that are not known; in a frame of its own, since a hit does without. */
OWN_FRAME static void learn(struct destination *destinations, size_t count, const struct interfaces *known,
                            uint64_t now_ms) {
    bool glibc = on_glibc();
    struct interfaces present = {.lasting = true};
    struct guard guard = guard_enter();
    if (glibc && !known)
        interfaces_read(&present);
    const struct interfaces *interfaces = known ? known : &present;
    int fds[2] = {-1, -1};
    for (size_t i = 0; i < count; i++) {
        struct destination *destination = &destinations[i];
        if (destination->key != 0)
            continue;
        errno = 0;
        if (glibc)
            learn_glibc(destination, interfaces, &fds[destination->family == AF_INET6]);
        else
            learn_musl(destination);
        if (interfaces->lasting && (errno == 0 || is_lasting(errno)))
            route_keep(destination, now_ms);
    }
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    interfaces_end(&present);
    guard_leave(guard);
}

/* By insertion: answers are short, and equals keep their places. The key's last byte, the common bits, says nothing
 * between two families on glibc. */
static void sort(struct destination *destinations, size_t count, bool glibc) {
    for (size_t i = 1; i < count; i++) {
        struct destination moving = destinations[i];
        size_t place = i;
        for (; place > 0; place--) {
            const struct destination *before = &destinations[place - 1];
            unsigned unheeded = glibc && before->family != moving.family ? 8 : 0;
            if (before->key >> unheeded >= moving.key >> unheeded)
                break;
            destinations[place] = *before;
        }
        if (place != i)
            destinations[place] = moving;
    }
}

/* As each libc does, one address is left alone, and musl leaves a list of v4 alone. */
void order(struct destination *destinations, size_t count, const struct interfaces *known, uint64_t now_ms) {
    bool glibc = on_glibc(), any_v6 = false, all_known = true;
    for (size_t i = 0; i < count; i++)
        any_v6 |= destinations[i].family == AF_INET6;
    if (count < 2 || !(glibc || any_v6))
        return;
    for (size_t i = 0; i < count; i++) {
        route_find(&destinations[i], now_ms);
        all_known &= destinations[i].key != 0;
    }
    if (!all_known)
        learn(destinations, count, known, now_ms);
    sort(destinations, count, glibc);
}
