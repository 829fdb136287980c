/* Around whatever of our own work makes system calls: a thread cancelled at any moment in it would leave a descriptor
 * open. Our calls are no points of cancellation (kernel.c), so it is enough that it is not asynchronous. The real
 * function is called outside of the guard, as cancellable as ever. */
#include "lookup.h"
#include <errno.h>
#include <pthread.h>

struct guard guard_enter(void) {
    struct guard guard = {errno, PTHREAD_CANCEL_DEFERRED};
    if (pthread_setcanceltype)
        pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &guard.cancel_type);
    return guard;
}

void guard_leave(struct guard guard) {
    if (pthread_setcanceltype)
        pthread_setcanceltype(guard.cancel_type, NULL); /* where it is asynchronous, what came meanwhile acts here */
    errno = guard.error;
}
