/* endure.c with the whole library inside, for ThreadSanitizer. */
#include "endure.c"
