/* endure.c with the whole library inside, for AddressSanitizer and UBSan. */
#include "endure.c"
