/* What a call that the cache has answered leaves in errno and h_errno, as this libc does. Both are as they were when a
 * call comes here, and stay so where it goes to libc. musl's errno is what its last system call came to, be the name
 * found or not; there, and where glibc's may hold such a thing too, ours is left alone. */
#include "lookup.h"
#include <errno.h>

int h_error_of(int outcome) {
    return outcome == NW_OUTCOME_TEMPORARY ? TRY_AGAIN : outcome == NW_OUTCOME_NO_DATA ? NO_DATA : HOST_NOT_FOUND;
}

/* gethostbyname_r and gethostbyname2_r. glibc's leave their return value in errno; its resolver writes h_errno as well,
 * and takes each name for missing until it has an answer. */
void errors_behind_name(int error, const int *h_error) {
    if (!on_glibc())
        return;
    errno = error;
    if (*h_error != NETDB_INTERNAL)
        h_errno = *h_error == NETDB_SUCCESS ? HOST_NOT_FOUND : *h_error;
}

/* The same without _r, which add nothing on glibc. */
void errors_behind_static_name(int h_error) {
    if (!on_glibc() && h_error != NETDB_SUCCESS)
        h_errno = h_error;
}

/* glibc's gethostbyaddr, its _r form and getnameinfo, which asks by that; the error is 0 or ERANGE. */
void errors_behind_address(int error, int outcome) {
    errno = error;
    if (outcome != NW_OUTCOME_DATA)
        h_errno = h_error_of(outcome);
}

/* getaddrinfo. glibc asks for both families at once, or for IPv4 alone by gethostbyname2_r, unless the canonical name
 * is wanted too; for IPv6 addresses, or else mapped ones, it asks twice. */
void errors_behind_addrinfo(int error, int family, int flags, const struct reply *reply) {
    if (!on_glibc())
        return;
    if (error == EAI_NONAME || error == EAI_NODATA) {
        if (family == AF_INET && !(flags & AI_CANONNAME))
            errno = 0;
        h_errno = error == EAI_NODATA ? NO_DATA : HOST_NOT_FOUND;
        return;
    }
    uint8_t a = reply->a.outcome, aaaa = reply->aaaa.outcome;
    int h_error = NETDB_SUCCESS;
    if (error == EAI_AGAIN)
        h_error = TRY_AGAIN;
    else if (family == AF_UNSPEC && (aaaa == NW_OUTCOME_NO_DATA || aaaa == NW_OUTCOME_NO_NAME))
        h_error = HOST_NOT_FOUND;
    else if (family == AF_INET6 && flags & AI_ALL && a != NW_OUTCOME_DATA && a != NW_OUTCOME_EMPTY)
        h_error = h_error_of(a);
    errno = h_error == TRY_AGAIN ? EAGAIN : 0;
    h_errno = h_error;
}

/* For a hook that stands in front of nothing. */
void no_libc(void) {
    if (!libc_is_whole())
        return;
    errno = ENOSYS;
    h_errno = NO_RECOVERY;
}
