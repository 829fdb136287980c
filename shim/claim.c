/* A claim on a static region. Nobody waits for one: who does not get it goes to libc. It holds the claimant's process
 * id, so that a child, forked while another thread of its parent was at work, can take over what nobody will release.
 */
#include "lookup.h"
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

void release(_Atomic int *holder) {
    atomic_store_explicit(holder, 0, memory_order_release);
}
