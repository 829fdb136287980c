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

static bool is_name_byte(char byte) {
    return (byte >= 'a' && byte <= 'z') || is_digit(byte) || byte == '-' || byte == '_' || byte == '.';
}

/* Copies a plain host name; counts its dots. False for all that libc treats in a way of its own: addresses in any
 * notation (each label then begins with a digit), empty and over-long labels, other characters, a leading hyphen. */
static bool copy_name(const char *name, struct question *question, unsigned *dots, bool *absolute) {
    size_t length = 0, label = 0;
    bool all_numeric = true;
    *dots = 0;
    *absolute = false;
    if (name[0] == '-')
        return false;
    for (; name[length]; length++) {
        char byte = lower(name[length]);
        if (length > NW_NAME_BYTES_MAX || !is_name_byte(byte))
            return false;
        if (byte == '.') {
            if (label == 0)
                return false;
            label = 0;
            if (!name[length + 1]) {
                *absolute = true;
                break;
            }
            ++*dots;
        } else {
            if (label == 0 && !is_digit(byte))
                all_numeric = false;
            if (++label > NW_LABEL_BYTES_MAX)
                return false;
        }
        if (length >= NW_NAME_BYTES_MAX)
            return false;
        question->spelled[length] = name[length];
        question->name[length] = byte;
    }
    question->spelled[length] = '\0';
    question->length = (uint8_t)length;
    memset(question->name + length, 0, 16); /* more than the key's padding; KEY_BYTES has room for it */
    question->asked = name;
    return length > 0 && !all_numeric;
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

static bool is_bypassed(const struct question *question, const char *list) {
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
    if (is_under(question, "cluster.local", 13))
        return false; /* Kubernetes': in the DNS like any other, and what a node's cache is asked for most */
    return is_under(question, "localhost", 9) || is_under(question, "localdomain", 11) ||
           is_under(question, "local", 5) || (dots == 0 && question->name[0] == '_');
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
static bool resolver_changed(const struct resolver *file) {
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
