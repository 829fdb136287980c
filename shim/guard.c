/* Around whatever of our own work makes system calls: a thread cancelled in our connect() or poll() would leave a
 * descriptor open. The real function is called outside of the guard, as cancellable as ever. */
#include "lookup.h"
#include <errno.h>
#include <pthread.h>

/* absent from a glibc program without threads, before 2.34 */
#pragma weak pthread_setcancelstate
#pragma weak pthread_setcanceltype

/* The type as well as the state: glibc's signal handler of a cancellation that is already on its way looks at the type
 * alone. */
struct guard guard_enter(void) {
    struct guard guard = {errno, PTHREAD_CANCEL_ENABLE, PTHREAD_CANCEL_DEFERRED};
    if (pthread_setcancelstate && pthread_setcanceltype) {
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &guard.cancel_state);
        pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &guard.cancel_type);
    }
    return guard;
}

void guard_leave(struct guard guard) {
    if (pthread_setcancelstate && pthread_setcanceltype) {
        pthread_setcancelstate(guard.cancel_state, NULL);
        pthread_setcanceltype(guard.cancel_type, NULL); /* where it is asynchronous, what came meanwhile acts here */
    }
    errno = guard.error;
}
