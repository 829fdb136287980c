/* The name of an address: the question for it (in-addr.arpa, ip6.arpa), whether the cache may answer that, and what it
 * says. In doubt: libc. */
#include "lookup.h"
#include <errno.h>
#include <string.h>

bool is_mapped(const uint8_t v6[16]) {
    static const uint8_t prefix[12] = {[10] = 0xff, 0xff};
    return memcmp(v6, prefix, sizeof prefix) == 0;
}

/* Of this machine, of this link, or nobody's. */
static bool is_local_v4(const uint8_t *v4) {
    return v4[0] == 0 || v4[0] == 127 || (v4[0] == 169 && v4[1] == 254) || v4[0] >= 224;
}

/* With them what is IPv4-compatible, which glibc asks for as IPv4 and musl as it stands. */
static bool is_local_v6(const uint8_t *v6) {
    static const uint8_t compatible[12];
    return memcmp(v6, compatible, sizeof compatible) == 0 || (v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80) || v6[0] == 0xff;
}

/* RFC 1918, RFC 6598; RFC 4193 and the site-local addresses before it. */
static bool is_private(const uint8_t *address, bool v4) {
    if (!v4)
        return (address[0] & 0xfe) == 0xfc || (address[0] == 0xfe && (address[1] & 0xc0) == 0xc0);
    return address[0] == 10 || (address[0] == 172 && (address[1] & 0xf0) == 16) ||
           (address[0] == 192 && address[1] == 168) || (address[0] == 100 && (address[1] & 0xc0) == 64);
}

static char *put_number(char *at, uint8_t number) {
    if (number >= 100)
        *at++ = (char)('0' + number / 100);
    if (number >= 10)
        *at++ = (char)('0' + number / 10 % 10);
    *at++ = (char)('0' + number % 10);
    return at;
}

static void write_question(const uint8_t *address, bool v4, struct question *question) {
    static const char digits[16] = "0123456789abcdef", v4_zone[] = "in-addr.arpa", v6_zone[] = "ip6.arpa";
    char *at = question->name;
    for (int i = v4 ? 3 : 15; i >= 0; i--) {
        if (v4) {
            at = put_number(at, address[i]);
        } else {
            *at++ = digits[address[i] & 15];
            *at++ = '.';
            *at++ = digits[address[i] >> 4];
        }
        *at++ = '.';
    }
    size_t zone_bytes = v4 ? sizeof v4_zone - 1 : sizeof v6_zone - 1;
    memcpy(at, v4 ? v4_zone : v6_zone, zone_bytes);
    question->length = (uint8_t)(at - question->name + (ptrdiff_t)zone_bytes);
    memset(question->name + question->length, 0, 16); /* more than the key's padding */
    question->asked = question->name;
    question->asked_length = question->length;
    question->candidate_count = 1;
    question->as_is = question->candidate = 0;
}

/* The address: 4 or 16 bytes. */
bool eligible_address(int family, const uint8_t *address, struct question *question) {
    const struct settings *user = settings();
    bool v4 = family == AF_INET;
    uint8_t key[16];
    struct facts facts;
    if (!v4 && is_mapped(address)) /* both libcs ask for it as IPv4 */
        address += 12, v4 = true;
    if (!user || user->off)
        return because(question, user ? user->off_why : WHY_BAD_SETTINGS);
    write_question(address, v4, question);
    if (v4 ? is_local_v4(address) : is_local_v6(address))
        return because(question, WHY_LOCAL);
    if (user->bypass[0] && is_bypassed(question, user->bypass))
        return because(question, WHY_BYPASS);
    question->now = tick_ms();
    if (v4)
        map_v4(address, key);
    else
        memcpy(key, address, sizeof key);
    if (!view_look(address_hash(key), question->now, &facts))
        return because(question, WHY_FILES);
    if (facts.named_here)
        return because(question, WHY_HOSTS);
    if (facts.resolver.changes_answers)
        return because(question, WHY_OPTIONS);
    question->view = facts.view;
    if (on_glibc() && (!facts.switches.plain || facts.switches.local_addresses))
        return because(question, WHY_NSSWITCH);
    if (on_glibc() && resolver_changed(&facts.resolver, question))
        return because(question, WHY_OWN_RESOLVER);
    bool is_of_here = is_private(address, v4);
    if (is_of_here && facts.resolver.has_loopback)
        return because(question, WHY_LOOPBACK);
    question->map = map_find(question->now);
    bool is_same = asks_the_same(question->map, &facts);
    if (is_of_here && !is_same)
        return because(question, WHY_OTHER_SERVERS); /* which may know the container's neighbours by such addresses */
    question->own_order = question->no_aaaa = false;
    question->negative_is_final = question->failure_is_final = is_same && !(on_glibc() && facts.switches.others_last);
    return true;
}

/* Of several names glibc takes the first, musl the last. */
static void take_name(const struct answer *answer, char *into) {
    const uint8_t *taken = answer->data;
    for (size_t i = 1; i < answer->count && !on_glibc(); i++)
        taken = chain_next(taken);
    memcpy(into, taken + 1, taken[0]);
    into[taken[0]] = '\0';
}

static int judge(struct question *question, const struct answer *answer) {
    if (answer->outcome == NW_OUTCOME_DATA && on_glibc() && answer->data[1] == '-')
        return TO_LIBC; /* which does not give out what a command may take for an option */
    if (answer->outcome == NW_OUTCOME_DATA)
        take_name(answer, question->spelled);
    else if (!(answer->outcome == NW_OUTCOME_TEMPORARY ? question->failure_is_final : question->negative_is_final))
        return TO_LIBC;
    else if (is_dead_end(answer))
        return TO_LIBC;
    return answer->outcome;
}

OWN_FRAME static int resolve(struct question *question) {
    struct reply reply;
    bool is_found = find(question, NW_FAMILY_PTR, &reply);
    int outcome = is_found ? judge(question, &reply.ptr) : TO_LIBC;
    if (is_found && outcome == TO_LIBC)
        because(question, reply.ptr.outcome == NW_OUTCOME_DATA ? WHY_FORM : WHY_MAY_KNOW_MORE);
    reply_end(&reply);
    return outcome;
}

static const char *told(int outcome) {
    return outcome == TO_LIBC                ? NULL
           : outcome == NW_OUTCOME_DATA      ? "found"
           : outcome == NW_OUTCOME_TEMPORARY ? "failed for now"
                                             : "no such name";
}

/* The outcome, or TO_LIBC; errno as it was. With data `spelled` holds the name: the question needs it no more, and the
 * stack has no room for another. */
int name_find(int family, const uint8_t *address, struct question *question) {
    int errno_before = errno;
    uint64_t began_ns = began_explained(question);
    question->name[0] = '\0';
    int outcome = eligible_address(family, address, question) ? resolve(question) : TO_LIBC;
    if (__builtin_expect(began_ns != 0, false))
        explain("name of", question->name, question->why, told(outcome), began_ns);
    errno = errno_before;
    return outcome;
}
