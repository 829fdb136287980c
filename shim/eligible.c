/* Whether the cache may answer for a name at all, and what a negative answer is worth then. In doubt: no. */
#include "lookup.h"
#include <netinet/in.h>
#include <string.h>

static char lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

/* Each byte of a host name in lower case; 0 for every other. */
#define SAME(byte) [byte] = byte
#define LOWER(byte) [byte] = byte, [byte - 0x20] = byte
static const uint8_t FOLDED[256] = {SAME('-'),  SAME('.'),  SAME('_'),  SAME('0'),  SAME('1'),  SAME('2'),  SAME('3'),
                                    SAME('4'),  SAME('5'),  SAME('6'),  SAME('7'),  SAME('8'),  SAME('9'),  LOWER('a'),
                                    LOWER('b'), LOWER('c'), LOWER('d'), LOWER('e'), LOWER('f'), LOWER('g'), LOWER('h'),
                                    LOWER('i'), LOWER('j'), LOWER('k'), LOWER('l'), LOWER('m'), LOWER('n'), LOWER('o'),
                                    LOWER('p'), LOWER('q'), LOWER('r'), LOWER('s'), LOWER('t'), LOWER('u'), LOWER('v'),
                                    LOWER('w'), LOWER('x'), LOWER('y'), LOWER('z')};

static bool is_label_length(size_t length) {
    return length - 1 < NW_LABEL_BYTES_MAX; /* 0 wraps round */
}

/* Copies a plain host name; counts its dots. False for all that libc treats in a way of its own: addresses in any
 * notation (each label then begins with a digit), empty and over-long labels, other characters, a leading hyphen. */
static bool copy_name(const char *name, struct question *question, unsigned *dots, bool *absolute) {
    size_t length = 0, label = 0;
    bool all_numeric = true;
    *dots = 0;
    if (name[0] == '-')
        return false;
    for (uint8_t byte; (byte = FOLDED[(uint8_t)name[length]]); length++) {
        if (length > NW_NAME_BYTES_MAX) /* one more than a name may have, for the final dot */
            return false;
        question->spelled[length] = name[length];
        question->name[length] = (char)byte;
        if (byte != '.')
            continue;
        if (!is_label_length(length - label))
            return false;
        all_numeric &= is_digit(name[label]);
        label = length + 1;
        ++*dots;
    }
    if (name[length] || length == 0)
        return false;
    *absolute = label == length;
    if (*absolute) {
        length--;
        --*dots;
    } else if (!is_label_length(length - label)) {
        return false;
    } else {
        all_numeric &= is_digit(name[label]);
    }
    if (length > NW_NAME_BYTES_MAX)
        return false;
    question->spelled[length] = '\0';
    memset(question->name + length, 0, 16); /* more than the key's padding; KEY_BYTES has room for it */
    question->length = (uint8_t)length;
    question->asked = name;
    return !all_numeric;
}

/* True when the name is the suffix, or ends in a dot and the suffix. */
static bool is_under(const struct question *question, const char *suffix, size_t length) {
    if (length == 0 || length > question->length)
        return false;
    const char *tail = question->name + question->length - length;
    for (size_t i = 0; i < length; i++)
        if (tail[i] != lower(suffix[i]))
            return false;
    return length == question->length || tail[-1] == '.';
}

bool is_bypassed(const struct question *question, const char *list) {
    while (*list) {
        size_t length = strcspn(list, ",");
        const char *suffix = list;
        size_t kept = length;
        while (kept && (*suffix == ' ' || *suffix == '.'))
            suffix++, kept--;
        while (kept && (suffix[kept - 1] == ' ' || suffix[kept - 1] == '.'))
            kept--;
        if (is_under(question, suffix, kept))
            return true;
        list += length + (list[length] == ',');
    }
    return false;
}

/* Names that belong to this machine or this link, whatever a server says (RFC 6761, RFC 6762, systemd's modules). */
static bool is_local_name(const struct question *question, unsigned dots) {
    if (dots == 0 && question->name[0] == '_')
        return true;
    switch (question->name[question->length - 1]) {
    case 'l': /* Kubernetes' names are in the DNS like any other, and what a node's cache is asked for most */
        return is_under(question, "local", 5) && !is_under(question, "cluster.local", 13);
    case 't':
        return is_under(question, "localhost", 9);
    case 'n':
        return is_under(question, "localdomain", 11);
    default:
        return false;
    }
}

/* The part of glibc's struct __res_state that has not moved since 2.2. */
struct thread_resolver {
    int retransmit, retry;
    unsigned long options;
    int nameserver_count;
    struct sockaddr_in nameservers[NAMESERVERS_MAX];
    unsigned short id;
    char *search[7], search_text[256];
    unsigned long unused;
    unsigned ndots : 4;
};
#define RES_INIT_BIT 0x1ul
#define RES_ANSWER_BITS 0x80022c0ul /* NOAAAA, USE_INET6, DNSRCH, DEFNAMES, RECURSE */
#define RES_ANSWER_DEFAULT 0x2c0ul

extern struct thread_resolver *__res_state(void) __attribute__((weak));

/* Did the application give this thread's resolver other servers or options than resolv.conf does? */
bool resolver_changed(const struct resolver *file) {
    if (!on_glibc() || !__res_state)
        return false;
    const struct thread_resolver *thread = __res_state();
    if (!(thread->options & RES_INIT_BIT))
        return false;
    if ((thread->options & RES_ANSWER_BITS) != RES_ANSWER_DEFAULT || thread->ndots != file->ndots ||
        thread->nameserver_count != file->nameserver_count)
        return true;
    for (int i = 0; i < file->nameserver_count; i++) {
        const struct sockaddr_in *server = &thread->nameservers[i];
        if (file->nameservers[i] ? server->sin_family != AF_INET || server->sin_addr.s_addr != file->nameservers[i] ||
                                       server->sin_port != htons(53)
                                 : server->sin_family == AF_INET)
            return true;
    }
    return false;
}

bool eligible(const char *name, struct question *question) {
    const struct settings *user = settings();
    unsigned dots;
    bool absolute;
    struct facts facts;
    if (!user || user->off || !name || !copy_name(name, question, &dots, &absolute))
        return false;
    if (is_local_name(question, dots) || is_bypassed(question, user->bypass))
        return false;
    question->now = tick_ms();
    question->hash = key_hash(&question->length);
    if (!view_look(question->hash, question->now, &facts) || facts.named_here || facts.resolver.changes_answers)
        return false;
    bool has_search = facts.resolver.has_search;
    question->own_order = false;
    if (on_glibc()) {
        if (!facts.switches.plain || (facts.switches.local && dots == 0) || resolver_changed(&facts.resolver))
            return false;
        has_search |= facts.has_own_domain;
        question->own_order = facts.switches.own_order;
    }
    if (!absolute && dots < facts.resolver.ndots && has_search)
        return false;
    if (dots == 0 && facts.resolver.has_loopback)
        return false; /* a server within this container's network may know it: Docker's */
    question->failure_is_final = !facts.resolver.has_loopback;
    question->negative_is_final = question->failure_is_final && (absolute || !has_search || !on_glibc());
    return true;
}
