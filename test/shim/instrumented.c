/* hardship.c with the whole library inside, for the sanitizers: see flags.ts. */
#include "hardship.c"
