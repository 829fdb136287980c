/* A hostent in the caller's buffer, in this libc's shape. All is summed up first; the writing cannot fail. */
#include "lookup.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* The names beside h_name. glibc: those of the chain before the canonical one. musl: the canonical name once more, then
 * the application's own spelling where that differs. */
static size_t count_aliases(const struct question *question, const struct answer *answer, const char *canonical) {
    if (on_glibc())
        return answer->chain_count;
    return strcmp(canonical, question->asked) == 0 ? 1 : 2;
}

static size_t chain_bytes(const struct answer *answer, size_t names) {
    const uint8_t *name = answer->chain;
    for (size_t i = 0; i < names; i++)
        name = chain_next(name);
    return (size_t)(name - answer->chain); /* a length byte becomes a final NUL */
}

static char *put(char **at, const void *text, size_t length) {
    char *place = *at;
    memcpy(place, text, length);
    place[length] = '\0';
    *at = place + length + 1;
    return place;
}

/* 0, or ERANGE with the buffer as it was. */
int hostent_write(const struct question *question, const struct answer *answer, const struct destination *addresses,
                  size_t count, const struct place *place) {
    struct hostent *host = place->host;
    char *buffer = place->buffer;
    char canonical_buffer[NW_NAME_BYTES_MAX + 1];
    const char *canonical =
        answer->chain_count == 0 ? question->spelled : canonical_of(question, answer, canonical_buffer);
    bool glibc = on_glibc();
    size_t alias_count = count_aliases(question, answer, canonical), bytes = answer->type == NW_TYPE_A ? 4 : 16;
    size_t pad = -(uintptr_t)buffer % sizeof(char *);
    size_t text = strlen(canonical) + 1;
    if (!glibc)
        text += alias_count == 2 ? strlen(question->asked) + 1 : 0;
    else if (alias_count > 0)
        text += question->length + 1u + chain_bytes(answer, alias_count - 1);
    size_t needed = pad + (alias_count + 1 + count + 1) * sizeof(char *) + count * bytes + text;
    if (needed > place->size)
        return ERANGE;

    host->h_aliases = (char **)(void *)(buffer + pad);
    host->h_addr_list = host->h_aliases + alias_count + 1;
    char *at = (char *)(host->h_addr_list + count + 1);
    host->h_addrtype = answer->type == NW_TYPE_A ? AF_INET : AF_INET6;
    host->h_length = (int)bytes;
    for (size_t i = 0; i < count; i++, at += bytes)
        host->h_addr_list[i] = memcpy(at, addresses[i].address, bytes);
    host->h_addr_list[count] = NULL;
    host->h_name = put(&at, canonical, strlen(canonical));
    if (!glibc) {
        host->h_aliases[0] = host->h_name;
        if (alias_count == 2)
            host->h_aliases[1] = put(&at, question->asked, strlen(question->asked));
    } else {
        const uint8_t *name = answer->chain;
        for (size_t i = 0; i < alias_count; i++) {
            host->h_aliases[i] = i == 0 ? put(&at, question->spelled, question->length) : put(&at, name + 1, name[0]);
            if (i > 0)
                name = chain_next(name);
        }
    }
    host->h_aliases[alias_count] = NULL;
    return 0;
}
