/* gethostbyname, gethostbyname2 and their _r forms, whose prototypes are the same on both libcs. */
#include "lookup.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STATIC_BYTES 65536 /* what does not fit goes to libc */

/* What a call comes to: the _r form's return value, TO_LIBC, or with *found NULL a failure that *h_error names. */
static int fail(int *h_error, int name_error, int result) {
    *h_error = name_error;
    return result;
}

static int failure_of(const struct question *question, const struct reply *reply, const struct answer *answer,
                      int *h_error) {
    uint8_t outcome = answer->outcome;
    if (outcome == NW_OUTCOME_TEMPORARY)
        return is_failure_final(question, reply) ? fail(h_error, TRY_AGAIN, EAGAIN) : TO_LIBC;
    if (!question->negative_is_final || is_dead_end(answer))
        return TO_LIBC;
    if (!on_glibc() && !musl_tells_no_data()) /* musl before 1.2.4 */
        return fail(h_error, HOST_NOT_FOUND, ENOENT);
    return fail(h_error, outcome == NW_OUTCOME_NO_DATA ? NO_DATA : HOST_NOT_FOUND, 0);
}

OWN_FRAME static int build(const struct question *question, const struct answer *answer, const struct place *place,
                           struct hostent **found, int *h_error) {
    bool glibc = on_glibc();
    if (glibc && !chain_is_plain(answer))
        return TO_LIBC;
    struct destination few[FEW_DESTINATIONS], *destinations = few;
    size_t count = answer->count;
    if (!glibc && count > MUSL_ADDRESSES_MAX)
        count = MUSL_ADDRESSES_MAX;
    if (count > FEW_DESTINATIONS && !(destinations = malloc(count * sizeof *destinations)))
        return TO_LIBC;
    take_addresses(answer, count, rotation(), false, MUSL_PORT, destinations);
    if (!glibc) /* glibc sorts in getaddrinfo only */
        order(destinations, count, NULL, question->now);
    int error = TO_LIBC;
    if (!place->writer || take(place->writer, question->now)) {
        error = hostent_write(question, answer, destinations, count, place);
        if (place->writer) {
            release(place->writer);
            error = error ? TO_LIBC : 0;
        }
    }
    if (destinations != few)
        free(destinations);
    if (error == 0)
        *found = place->host;
    if (glibc && error != TO_LIBC)
        *h_error = error ? NETDB_INTERNAL : NETDB_SUCCESS;
    return error;
}

OWN_FRAME static int resolve(struct question *question, int family, const struct place *place, struct hostent **found,
                             int *h_error) {
    struct reply reply;
    const struct answer *answer = family == AF_INET ? &reply.a : &reply.aaaa;
    uint8_t families = family == AF_INET ? NW_FAMILY_A : NW_FAMILY_AAAA;
    int error = TO_LIBC;
    if (find(question, families, &reply)) {
        bool is_found = answer->outcome == NW_OUTCOME_DATA;
        error =
            is_found ? build(question, answer, place, found, h_error) : failure_of(question, &reply, answer, h_error);
        if (error == TO_LIBC)
            because(question, is_found ? WHY_FORM : WHY_MAY_KNOW_MORE);
    }
    reply_end(&reply);
    return error;
}

static const char *told(int error, const struct hostent *found, const int *h_error) {
    return error == TO_LIBC        ? NULL
           : found                 ? "found"
           : error == ERANGE       ? "found, and the buffer is too small"
           : *h_error == TRY_AGAIN ? "failed for now"
                                   : "no such name";
}

static int from_cache(const char *name, int family, const struct place *place, struct hostent **found, int *h_error) {
    *found = NULL;
    if (!libc_is_whole())
        return TO_LIBC;
    int errno_before = errno;
    struct question question;
    int error = TO_LIBC;
    uint64_t began_ns = began_explained(&question);
    if (family != AF_INET && family != AF_INET6)
        because(&question, WHY_HINTS);
    else if (eligible(name, &question)) {
        if (family == AF_INET6 && question.no_aaaa)
            because(&question, WHY_OPTIONS);
        else
            error = resolve(&question, family, place, found, h_error);
    }
    if (__builtin_expect(began_ns != 0, false))
        explain("gethostbyname", name, question.why, told(error, *found, h_error), began_ns);
    errno = errno_before;
    if (error != TO_LIBC)
        errors_behind_name(error, h_error);
    return error;
}

/* The forms without _r have a static result each, as in glibc: programs use one while they make another. When two
 * threads write at once, one of them is libc's. */
struct static_place {
    char buffer[STATIC_BYTES];
    struct hostent host;
    _Atomic uint64_t writer;
};

static bool from_cache_static(const char *name, int family, struct static_place *own, struct hostent **found) {
    int h_error = NETDB_SUCCESS;
    const struct place place = {&own->host, own->buffer, sizeof own->buffer, &own->writer};
    if (from_cache(name, family, &place, found, &h_error) == TO_LIBC)
        return false;
    errors_behind_static_name(h_error);
    return true;
}

static int fail_alone(struct hostent **result, int *h_error) {
    *result = NULL;
    *h_error = NO_RECOVERY;
    return ENOSYS;
}

EXPORT int gethostbyname2_r(const char *restrict name, int family, struct hostent *restrict host, char *restrict buffer,
                            size_t size, struct hostent **restrict result, int *restrict h_error) {
    struct hostent *found;
    int error = from_cache(name, family, &(struct place){host, buffer, size, NULL}, &found, h_error);
    if (error == TO_LIBC) {
        int (*libc)(const char *, int, struct hostent *, char *, size_t, struct hostent **, int *) =
            real(REAL_GETHOSTBYNAME2_R);
        return libc ? libc(name, family, host, buffer, size, result, h_error) : fail_alone(result, h_error);
    }
    *result = found;
    return error;
}

EXPORT int gethostbyname_r(const char *restrict name, struct hostent *restrict host, char *restrict buffer, size_t size,
                           struct hostent **restrict result, int *restrict h_error) {
    struct hostent *found;
    int error = from_cache(name, AF_INET, &(struct place){host, buffer, size, NULL}, &found, h_error);
    if (error == TO_LIBC) {
        int (*libc)(const char *, struct hostent *, char *, size_t, struct hostent **, int *) =
            real(REAL_GETHOSTBYNAME_R);
        return libc ? libc(name, host, buffer, size, result, h_error) : fail_alone(result, h_error);
    }
    *result = found;
    return error;
}

EXPORT struct hostent *gethostbyname2(const char *name, int family) {
    static struct static_place own;
    struct hostent *found;
    if (from_cache_static(name, family, &own, &found))
        return found;
    struct hostent *(*libc)(const char *, int) = real(REAL_GETHOSTBYNAME2);
    if (libc)
        return libc(name, family);
    no_libc();
    return NULL;
}

EXPORT struct hostent *gethostbyname(const char *name) {
    static struct static_place own;
    struct hostent *found;
    if (from_cache_static(name, AF_INET, &own, &found))
        return found;
    struct hostent *(*libc)(const char *) = real(REAL_GETHOSTBYNAME);
    if (libc)
        return libc(name);
    no_libc();
    return NULL;
}
