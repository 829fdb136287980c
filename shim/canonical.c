/* The canonical name: the end of the CNAME chain, where this libc accepts its text as a host name. */
#include "lookup.h"
#include <string.h>

/* musl keeps what it had before when a CNAME's target is no host name by its rule, an underscore being enough. */
static bool musl_accepts(const uint8_t *text, size_t length) {
    return memchr(text, '_', length) == NULL;
}

const char *canonical_of(const struct question *question, const struct answer *answer, char *buffer) {
    const uint8_t *name = answer->chain, *last = NULL;
    for (int i = 0; i < answer->chain_count; i++, name = chain_next(name))
        if (on_glibc() || musl_accepts(name + 1, name[0]))
            last = name;
    if (!last)
        return question->spelled;
    memcpy(buffer, last + 1, last[0]);
    buffer[last[0]] = '\0';
    return buffer;
}

/* glibc fails on a chain with a name that begins with a hyphen. */
bool chain_is_plain(const struct answer *answer) {
    const uint8_t *name = answer->chain;
    for (int i = 0; i < answer->chain_count; i++, name = chain_next(name))
        if (name[1] == '-')
            return false;
    return true;
}

/* Names in Punycode, which AI_IDN and AI_CANONIDN rewrite. */
bool has_punycode(const struct question *question, const struct answer *answer) {
    if (strstr(question->name, "xn--"))
        return true;
    const uint8_t *name = answer ? answer->chain : NULL;
    for (int i = 0; answer && i < answer->chain_count; i++, name = chain_next(name))
        for (int at = 1; at + 3 <= name[0]; at++)
            if (memcmp(name + at, "xn--", 4) == 0)
                return true;
    return false;
}
