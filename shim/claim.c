/* A claim on some work: when it was made, and the claimant's process id. A claim that will hardly be released can be
 * taken over: by a child that was forked while another thread of its parent was at work, and by anybody when it is so
 * old that its thread has probably left by longjmp. Who does not get it waits a few milliseconds at most, and then goes
 * to libc. */
#include "lookup.h"
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#define PID_BITS 22 /* PID_MAX_LIMIT of Linux */
#define ABANDONED_MS 2000

static int claimant(uint64_t claim) {
    return (int)(claim & ((1u << PID_BITS) - 1));
}

/* Of this age at most. */
static bool is_young(uint64_t claim, uint64_t ms) {
    return is_waiting(now_ms(), (claim >> PID_BITS) + ms + 1, ms);
}

enum claim claim(_Atomic uint64_t *holder) {
    uint64_t seen = 0, own = now_ms() << PID_BITS | (uint64_t)getpid();
    if (atomic_compare_exchange_strong(holder, &seen, own))
        return CLAIM_FREE;
    if ((claimant(seen) != getpid() || !is_young(seen, ABANDONED_MS)) &&
        atomic_compare_exchange_strong(holder, &seen, own))
        return CLAIM_INHERITED;
    return CLAIM_BUSY;
}

/* The threads of a process that starts with many lookups at once need what the first of them is still reading. True
 * after a millisecond, if somebody else holds the claim and it has not been waited for long enough already. */
bool await_claimant(_Atomic uint64_t *holder, int *waited_ms) {
    uint64_t seen = atomic_load_explicit(holder, memory_order_acquire);
    if (seen == 0 || claimant(seen) != getpid() || !is_young(seen, CLAIMANT_MS_MAX) || *waited_ms >= CLAIMANT_MS_MAX)
        return false;
    poll(NULL, 0, 1);
    ++*waited_ms;
    return true;
}

/* For a moment's writing, where claim() would cost a system call, for the process id. What is so old has lost its
 * writer: to a longjmp, or to the parent of a fork. */
bool take(_Atomic uint64_t *writing_since, uint64_t now) {
    uint64_t seen = 0, own = now ? now : 1;
    return atomic_compare_exchange_strong(writing_since, &seen, own) ||
           (!is_waiting(now, seen + ABANDONED_MS, ABANDONED_MS) &&
            atomic_compare_exchange_strong(writing_since, &seen, own));
}

void release(_Atomic uint64_t *holder) {
    atomic_store_explicit(holder, 0, memory_order_release);
}
