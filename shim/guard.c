/* Around whatever of our own work makes system calls: a thread cancelled in our connect() or poll() would leave a
 * descriptor open. The real function is called outside of the guard, as cancellable as ever. */
#include "lookup.h"
#include <errno.h>
#include <pthread.h>

#pragma weak pthread_setcancelstate /* absent from a glibc program without threads, before 2.34 */

struct guard guard_enter(void) {
    struct guard guard = {.error = errno, .cancel_state = PTHREAD_CANCEL_ENABLE};
    if (pthread_setcancelstate)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &guard.cancel_state);
    return guard;
}

void guard_leave(struct guard guard) {
    if (pthread_setcancelstate)
        pthread_setcancelstate(guard.cancel_state, NULL);
    errno = guard.error;
}
