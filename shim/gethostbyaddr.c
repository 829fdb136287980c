/* gethostbyaddr and gethostbyaddr_r, whose prototypes are the same on both libcs. */
#include "lookup.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define STATIC_BYTES 512 /* more than the longest name and its pointers */

/* All is summed up first; the writing cannot fail. musl repeats the name as an alias, and looks for more than the
 * text's end. glibc gives an IPv4 address in IPv6's form as itself. */
static int write_host(const char *name, int family, const uint8_t *address, const struct place *place) {
    bool glibc = on_glibc();
    if (glibc && family == AF_INET6 && is_mapped(address))
        family = AF_INET, address += 12;
    size_t bytes = family == AF_INET ? 4 : 16, text = strlen(name) + 1, pointers = glibc ? 2 : 4;
    size_t pad = -(uintptr_t)place->buffer % sizeof(char *);
    if (pad + pointers * sizeof(char *) + bytes + text > place->size)
        return ERANGE;
    char **list = (char **)(void *)(place->buffer + pad), *at = (char *)(list + pointers);
    list[0] = memcpy(at, address, bytes);
    list[1] = NULL;
    char *copy = memcpy(at + bytes, name, text);
    if (!glibc) {
        list[2] = copy;
        list[3] = NULL;
    }
    *place->host = (struct hostent){.h_name = copy,
                                    .h_aliases = list + (glibc ? 1 : 2),
                                    .h_addrtype = family,
                                    .h_length = (int)bytes,
                                    .h_addr_list = list};
    return 0;
}

/* The _r form's return value or TO_LIBC; with *found NULL a failure that *h_error names. */
static int from_cache(const void *address, socklen_t length, int family, const struct place *place,
                      struct hostent **found, int *h_error) {
    struct question question;
    *found = NULL;
    if (!libc_is_whole() || !address || !((family == AF_INET && length == 4) || (family == AF_INET6 && length == 16)))
        return TO_LIBC;
    int outcome = name_find(family, address, &question);
    if (outcome == TO_LIBC)
        return TO_LIBC;
    bool glibc = on_glibc();
    if (outcome != NW_OUTCOME_DATA) {
        if (glibc) {
            *h_error = h_error_of(outcome);
            errors_behind_address(0, outcome);
            return 0;
        }
        inet_ntop(family, address, question.spelled, sizeof question.spelled); /* to musl that is a name as well */
    }
    if (place->writer && !take(place->writer, question.now))
        return TO_LIBC;
    int error = write_host(question.spelled, family, address, place);
    if (place->writer)
        release(place->writer);
    if (error == 0)
        *found = place->host;
    if (glibc) {
        *h_error = error ? NETDB_INTERNAL : NETDB_SUCCESS;
        errors_behind_address(error, outcome);
    }
    return error;
}

EXPORT int gethostbyaddr_r(const void *restrict address, socklen_t length, int family, struct hostent *restrict host,
                           char *restrict buffer, size_t size, struct hostent **restrict result,
                           int *restrict h_error) {
    struct hostent *found;
    int error = from_cache(address, length, family, &(struct place){host, buffer, size, NULL}, &found, h_error);
    if (error != TO_LIBC) {
        *result = found;
        return error;
    }
    int (*libc)(const void *, socklen_t, int, struct hostent *, char *, size_t, struct hostent **, int *) =
        real(REAL_GETHOSTBYADDR_R);
    if (libc)
        return libc(address, length, family, host, buffer, size, result, h_error);
    *result = NULL;
    *h_error = NO_RECOVERY;
    return ENOSYS;
}

/* One static result, as in libc. When two threads write at once, one of them is libc's. */
EXPORT struct hostent *gethostbyaddr(const void *address, socklen_t length, int family) {
    static char buffer[STATIC_BYTES];
    static struct hostent host;
    static _Atomic uint64_t writer;
    const struct place place = {&host, buffer, sizeof buffer, &writer};
    struct hostent *found;
    int h_error;
    if (from_cache(address, length, family, &place, &found, &h_error) == 0)
        return found;
    struct hostent *(*libc)(const void *, socklen_t, int) = real(REAL_GETHOSTBYADDR);
    if (libc)
        return libc(address, length, family);
    no_libc();
    return NULL;
}
