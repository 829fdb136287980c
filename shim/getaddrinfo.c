/* getaddrinfo and freeaddrinfo. */
#include "lookup.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDN_FLAGS (0x40 | 0x80 | 0x100 | 0x200) /* AI_IDN, AI_CANONIDN and two that glibc no longer heeds */
#define MUSL_FLAGS (AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG | AI_NUMERICSERV)

struct request {
    int family, socktype, protocol, flags;
    bool mapped; /* v4 addresses wanted as v6 */
    bool knows_interfaces;
    struct interfaces interfaces;
};

static bool understand(const struct addrinfo *hints, struct request *request) {
    *request = (struct request){.flags = on_glibc() ? AI_V4MAPPED | AI_ADDRCONFIG : 0};
    if (hints) {
        request->family = hints->ai_family;
        request->socktype = hints->ai_socktype;
        request->protocol = hints->ai_protocol;
        request->flags = hints->ai_flags;
    }
    int known = on_glibc() ? MUSL_FLAGS | IDN_FLAGS : MUSL_FLAGS;
    if (request->flags & ~known || request->flags & AI_NUMERICHOST)
        return false;
    return request->family == AF_UNSPEC || request->family == AF_INET || request->family == AF_INET6;
}

/* musl's test of AI_ADDRCONFIG: can the family's loopback address be reached? */
static bool musl_has(int family, bool *lasting) {
    struct destination loopback = {.family = (uint16_t)family, .port = MUSL_PORT};
    uint8_t source[16];
    int fd = -1;
    if (family == AF_INET)
        memcpy(loopback.address, (uint8_t[]){127, 0, 0, 1}, 4);
    else
        loopback.address[15] = 1;
    bool reached = source_of(&loopback, source, &fd);
    *lasting &= reached || is_lasting(errno);
    if (fd >= 0)
        close(fd);
    return reached;
}

/* AI_ADDRCONFIG: narrows the family to what this machine has. False: it has not what was asked for. */
static bool configure(struct request *request) {
    if (!(request->flags & AI_ADDRCONFIG))
        return true;
    uint64_t now = tick_ms();
    bool v4, v6, lasting = true;
    if (!families_find(&v4, &v6, now)) {
        struct guard guard = guard_enter();
        if (on_glibc()) {
            interfaces_read(&request->interfaces);
            request->knows_interfaces = true;
            v4 = request->interfaces.has_v4, v6 = request->interfaces.has_v6, lasting = request->interfaces.lasting;
        } else {
            v4 = musl_has(AF_INET, &lasting), v6 = musl_has(AF_INET6, &lasting);
        }
        guard_leave(guard);
        if (lasting)
            families_keep(v4, v6, now);
    }
    if (request->family == AF_UNSPEC && !v4 && !v6)
        return on_glibc();
    if (request->family == AF_UNSPEC && v4 != v6)
        request->family = v4 ? AF_INET : AF_INET6;
    return request->family == AF_UNSPEC || (request->family == AF_INET ? v4 : v6);
}

static bool has_data(const struct answer *answer) {
    return answer->outcome == NW_OUTCOME_DATA;
}

/* What libc calls it when there is no address. A temporary failure of either family goes before the other's denial. */
static int failure_of(const struct question *question, const struct reply *reply) {
    uint8_t a = reply->a.outcome, aaaa = reply->aaaa.outcome;
    if (a == NW_OUTCOME_TEMPORARY || aaaa == NW_OUTCOME_TEMPORARY)
        return is_failure_final(question, reply) ? EAI_AGAIN : TO_LIBC;
    if (!question->negative_is_final || is_dead_end(&reply->a) || is_dead_end(&reply->aaaa))
        return TO_LIBC;
    bool no_name = a == NW_OUTCOME_NO_NAME || aaaa == NW_OUTCOME_NO_NAME;
    return no_name || !(on_glibc() || musl_tells_no_data()) ? EAI_NONAME : EAI_NODATA;
}

/* Is there an address to give out? A good A is one on both libcs, even where musl would fail for a broken AAAA; the
 * other way round each libc has its own rule. */
static bool succeeds(const struct reply *reply) {
    if (has_data(&reply->a))
        return true;
    uint8_t a = reply->a.outcome;
    return has_data(&reply->aaaa) && (on_glibc() || a == NW_OUTCOME_EMPTY || a == NW_OUTCOME_NO_DATA);
}

/* For IPv6 addresses, or else mapped ones, glibc searches twice. Would the first of its searches, and of all addresses
 * the second, have come to this candidate as well? */
static bool is_of_both_searches(const struct question *question, const struct request *request,
                                const struct reply *reply) {
    return question->candidate_count == 1 || !request->mapped || !on_glibc() ||
           (has_data(&reply->aaaa) && (has_data(&reply->a) || !(request->flags & AI_ALL)));
}

static bool holds_mapped(const struct answer *aaaa) {
    static const uint8_t prefix[12] = {[10] = 0xff, 0xff};
    for (size_t i = 0; has_data(aaaa) && i < aaaa->count; i++)
        if (memcmp(aaaa->data + i * 16, prefix, 12) == 0)
            return true;
    return false;
}

OWN_FRAME static int build(const struct question *question, const struct request *request, const struct reply *reply,
                           const struct service *services, size_t service_count, struct addrinfo **result) {
    bool all = request->flags & AI_ALL, glibc = on_glibc();
    bool takes_a = !(request->mapped && has_data(&reply->aaaa) && !all);
    const struct answer *canonical_from = takes_a && has_data(&reply->a) ? &reply->a : &reply->aaaa;
    if (request->mapped && has_data(&reply->aaaa))
        canonical_from = &reply->aaaa;
    if (glibc && ((request->mapped && holds_mapped(&reply->aaaa)) || !chain_is_plain(canonical_from) ||
                  (request->flags & IDN_FLAGS && has_punycode(question, canonical_from))))
        return TO_LIBC;

    struct destination few[FEW_DESTINATIONS], *destinations = few;
    size_t v4_count = takes_a && has_data(&reply->a) ? reply->a.count : 0;
    size_t v6_count = has_data(&reply->aaaa) ? reply->aaaa.count : 0, count = v4_count + v6_count;
    bool v6_first = !glibc && musl_tells_no_data(); /* from 1.2.4 on, and equals stay in this order */
    if (!glibc && count > MUSL_ADDRESSES_MAX) {     /* which takes the other family's as far as there is room */
        size_t *first = v6_first ? &v6_count : &v4_count, *second = v6_first ? &v4_count : &v6_count;
        *first = *first < MUSL_ADDRESSES_MAX ? *first : MUSL_ADDRESSES_MAX;
        *second = MUSL_ADDRESSES_MAX - *first;
        count = MUSL_ADDRESSES_MAX;
    }
    if (glibc && count > 1 && question->own_order)
        return TO_LIBC;
    if (count > FEW_DESTINATIONS && !(destinations = malloc(count * sizeof *destinations)))
        return EAI_MEMORY;
    uint32_t turn = rotation();
    uint16_t port = glibc ? services[0].port : MUSL_PORT;
    if (v4_count > 0)
        take_addresses(&reply->a, v4_count, turn, request->mapped, port, destinations + (v6_first ? v6_count : 0));
    if (v6_count > 0)
        take_addresses(&reply->aaaa, v6_count, turn, false, port, destinations + (v6_first ? 0 : v4_count));
    order(destinations, count, request->knows_interfaces ? &request->interfaces : NULL, question->now);

    char buffer[NW_NAME_BYTES_MAX + 1];
    const char *canonical =
        glibc && !(request->flags & AI_CANONNAME) ? NULL : canonical_of(question, canonical_from, buffer);
    struct addrinfo *list =
        glibc ? addrinfo_glibc(destinations, count, services, service_count, request->flags, canonical)
              : addrinfo_musl(destinations, count, services, service_count, canonical);
    if (destinations != few)
        free(destinations);
    if (!list)
        return EAI_MEMORY;
    *result = list;
    return 0;
}

static int to_libc(struct question *question, enum why why) {
    because(question, why);
    return TO_LIBC;
}

OWN_FRAME static int resolve(struct question *question, struct request *request, const char *service,
                             struct addrinfo **result) {
    struct service services[SERVICES_MAX];
    size_t service_count;
    if (request->flags & IDN_FLAGS && has_punycode(question, NULL))
        return to_libc(question, WHY_HINTS);
    if (!configure(request))
        return to_libc(question, WHY_HINTS); /* libc says it, at once, without looking up anything */
    request->mapped = request->family == AF_INET6 && request->flags & AI_V4MAPPED;
    if (!services_find(service, request->socktype, request->protocol, request->flags, services, &service_count))
        return to_libc(question, WHY_HINTS);
    uint8_t families = request->family == AF_INET                        ? NW_FAMILY_A
                       : request->family == AF_INET6 && !request->mapped ? NW_FAMILY_AAAA
                                                                         : NW_FAMILY_A | NW_FAMILY_AAAA;
    if (question->no_aaaa && request->family == AF_INET6)
        return to_libc(question, WHY_OPTIONS);
    if (question->no_aaaa)
        families = NW_FAMILY_A;
    struct reply reply;
    int error = TO_LIBC;
    if (find(question, families, &reply)) {
        bool is_found = succeeds(&reply);
        if (!is_found)
            error = failure_of(question, &reply);
        else if (is_of_both_searches(question, request, &reply))
            error = build(question, request, &reply, services, service_count, result);
        if (error == TO_LIBC)
            because(question, is_found ? WHY_FORM : WHY_MAY_KNOW_MORE);
    }
    reply_end(&reply);
    if (error != TO_LIBC && error != EAI_MEMORY)
        errors_behind_addrinfo(error, request->family, request->flags, &reply);
    return error;
}

static const char *told(int error) {
    return error == TO_LIBC      ? NULL
           : error == 0          ? "found"
           : error == EAI_AGAIN  ? "failed for now"
           : error == EAI_MEMORY ? "no memory"
                                 : "no such name";
}

static int from_cache(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    if (!libc_is_whole())
        return TO_LIBC;
    int errno_before = errno;
    struct question question;
    struct request request;
    int error = TO_LIBC;
    uint64_t began_ns = began_explained(&question);
    if (!node || !understand(hints, &request)) {
        because(&question, WHY_HINTS);
    } else if (eligible(node, &question)) {
        error = resolve(&question, &request, service, result);
        interfaces_end(&request.interfaces);
    }
    if (__builtin_expect(began_ns != 0, false))
        explain("getaddrinfo", node, question.why, told(error), began_ns);
    if (error == TO_LIBC)
        errno = errno_before;
    return error;
}

EXPORT int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                       struct addrinfo **restrict result) {
    int error = from_cache(node, service, hints, result);
    if (error != TO_LIBC)
        return error;
    int (*libc)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = real(REAL_GETADDRINFO);
    if (libc)
        return libc(node, service, hints, result);
    no_libc();
    return EAI_SYSTEM;
}

EXPORT void freeaddrinfo(struct addrinfo *list) {
    addrinfo_free(list);
}
