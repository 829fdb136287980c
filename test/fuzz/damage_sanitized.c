/* damage.c with the whole library inside, for the sanitizers: see test/shim/flags.ts. */
#include "damage.c"
