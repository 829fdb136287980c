/* A claim on a static region. It holds the claimant's process id, so that a child, forked while another thread of its
 * parent was at work, can take over what nobody will release. Who does not get it waits a few milliseconds at most, and
 * then goes to libc. */
#include "lookup.h"
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

enum claim claim(_Atomic int *holder) {
    int self = getpid(), seen = 0;
    if (atomic_compare_exchange_strong(holder, &seen, self))
        return CLAIM_FREE;
    if (seen != self && atomic_compare_exchange_strong(holder, &seen, self))
        return CLAIM_INHERITED;
    return CLAIM_BUSY;
}

/* The threads of a process that starts with many lookups at once need what the first of them is still reading. True
 * after a millisecond, if somebody else holds the claim and it has not been waited for long enough already. */
bool await_claimant(_Atomic int *holder, int *waited_ms) {
    int seen = atomic_load_explicit(holder, memory_order_acquire);
    if (seen == 0 || seen != getpid() || *waited_ms >= CLAIMANT_MS_MAX)
        return false;
    poll(NULL, 0, 1);
    ++*waited_ms;
    return true;
}

void release(_Atomic int *holder) {
    atomic_store_explicit(holder, 0, memory_order_release);
}
