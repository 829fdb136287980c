/* What the server cannot see of hits in the table: how many there were, and that an entry in use is past its refresh
 * time. Counted in a few words and told seldom, in one frame that waits for nothing; what gets lost is no loss. */
#include "lookup.h"
#include <stdatomic.h>
#include <string.h>

#define TOUCH_EVERY_MS 20      /* at most: what is due meanwhile goes into one frame */
#define TOUCH_EVERY_MS_MAX 160 /* by then doubled each time, while touches lead to nothing and follow one another */
#define AT_ONCE 64             /* entries of a frame, for it is made on the stack */
#define FIRST_TOLD_AFTER_MS 1000
#define TOLD_AFTER_MS_MAX 16000 /* by then doubled each time, for thousands of processes may be at it */

/* A word: slot | nonce | hits, as an entry of the frame, and above the slot's 30 bits what is to be done. Entries
 * push each other out; threads may lose a count. */
#define DUE (1ull << 63)     /* past its refresh time, and not told yet */
#define TOUCHED (1ull << 62) /* told */
#define ENTRY (DUE | TOUCHED | ~0xffffull)
#define HITS_MAX 0xffffu
static _Atomic uint64_t uses[NW_USE_ENTRIES_MAX];
static _Atomic uint64_t next_touch_ms, touch_pause_ms, next_told_ms, told_after_ms;
static _Atomic uint32_t next_place; /* where the last frame was full: the next begins there */

_Static_assert(NW_USE_SLOT == 0 && NW_USE_NONCE == 4 && NW_USE_HITS == 6 && NW_USE_ENTRY_BYTES == 8, "one word");
_Static_assert(NW_ENTRIES_MAX <= 1u << 30, "slots leave room for two bits");

static void put_entry(uint8_t *at, uint64_t use) {
    use &= ~(DUE | TOUCHED);
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(use >> (56 - 8 * i));
}

/* Moves what is to be told into a frame: for a touch what is due, else every count. */
OWN_FRAME static void tell_uses(const uint8_t *epoch, bool is_touch) {
    uint8_t frame[NW_USE_ENTRIES + AT_ONCE * NW_USE_ENTRY_BYTES] = {0};
    size_t length = NW_USE_ENTRIES;
    memcpy(frame + NW_USE_EPOCH, epoch, NW_EPOCH_BYTES);
    uint32_t first = atomic_load_explicit(&next_place, memory_order_relaxed);
    for (uint32_t step = 0; step < NW_USE_ENTRIES_MAX; step++) {
        uint32_t i = (first + step) % NW_USE_ENTRIES_MAX;
        uint64_t use = atomic_load_explicit(&uses[i], memory_order_relaxed);
        bool is_wanted = is_touch ? use & DUE : use & HITS_MAX;
        if (!is_wanted)
            continue;
        if (length == sizeof frame) {
            atomic_store_explicit(&next_place, i, memory_order_relaxed);
            break;
        }
        put_entry(frame + length, use);
        length += NW_USE_ENTRY_BYTES;
        /* With the counts a touch is forgotten, so that one that led to nothing is made again. */
        uint64_t told = is_touch ? (use & ~(DUE | HITS_MAX)) | TOUCHED : use & ~(TOUCHED | HITS_MAX);
        atomic_store_explicit(&uses[i], told, memory_order_relaxed);
    }
    if (length > NW_USE_ENTRIES)
        tell(is_touch ? NW_KIND_TOUCH : NW_KIND_HITS, frame, length);
}

/* True for one caller, when the time has come; then not before `pause` has passed. */
static bool take_turn(_Atomic uint64_t *next_ms, uint64_t now, uint64_t pause) {
    uint64_t next = atomic_load_explicit(next_ms, memory_order_relaxed);
    return !is_waiting(now, next, pause) && atomic_compare_exchange_strong(next_ms, &next, now + pause);
}

static void tell_counts(const uint8_t *epoch, uint64_t now) {
    uint64_t after = atomic_load_explicit(&told_after_ms, memory_order_relaxed);
    uint64_t pause = after == 0 ? FIRST_TOLD_AFTER_MS : after < TOLD_AFTER_MS_MAX ? 2 * after : TOLD_AFTER_MS_MAX;
    if (!take_turn(&next_told_ms, now, pause))
        return;
    atomic_store_explicit(&told_after_ms, pause, memory_order_relaxed);
    if (after != 0) /* else this is the first hit */
        tell_uses(epoch, false);
}

/* Who has just told goes slower: an upstream that does not answer leaves entries due for minutes. */
static bool take_touch(uint64_t now) {
    uint64_t next = atomic_load_explicit(&next_touch_ms, memory_order_relaxed);
    uint64_t pause = atomic_load_explicit(&touch_pause_ms, memory_order_relaxed);
    if (now >= next + TOUCH_EVERY_MS_MAX)
        pause = TOUCH_EVERY_MS;
    if (!take_turn(&next_touch_ms, now, pause))
        return false;
    atomic_store_explicit(&touch_pause_ms, pause < TOUCH_EVERY_MS_MAX ? 2 * pause : pause, memory_order_relaxed);
    return true;
}

/* Slots of one way are WAYS apart, and most sets have only their first ways in use. */
static _Atomic uint64_t *place_of(uint32_t slot) {
    return &uses[slot * 0x9e3779b1u >> 24];
}
_Static_assert(NW_USE_ENTRIES_MAX == 1 << 8, "the upper 8 bits");

/* A hit in the table with this epoch. */
void usage_note(const uint8_t *epoch, uint32_t slot, uint16_t nonce, bool is_due, uint64_t now) {
    _Atomic uint64_t *place = place_of(slot);
    uint64_t seen = atomic_load_explicit(place, memory_order_relaxed),
             own = (uint64_t)slot << 32 | (uint64_t)nonce << 16;
    uint64_t use = (seen & ENTRY & ~(DUE | TOUCHED)) == own ? seen : own;
    if ((use & HITS_MAX) != HITS_MAX)
        use++;
    if (is_due && !(use & TOUCHED))
        use |= DUE;
    atomic_store_explicit(place, use, memory_order_relaxed);
    if (use & DUE && take_touch(now))
        tell_uses(epoch, true);
    if (!is_waiting(now, atomic_load_explicit(&next_told_ms, memory_order_relaxed), TOLD_AFTER_MS_MAX))
        tell_counts(epoch, now);
}
