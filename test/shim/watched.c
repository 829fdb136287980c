/* orders.c with the whole library inside, for ThreadSanitizer: see flags.ts. */
#include "orders.c"
