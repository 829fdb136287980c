/* Whether the cache may answer for a name at all, and what a negative answer is worth then. In doubt: no. */
#include "lookup.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static char lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
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
#define RES_NO_AAAA 0x8000000ul
#define RES_SEARCH_MAX 6

extern struct thread_resolver *__res_state(void);

/* Does the thread's search list, as much of it as fits there, begin as the file's does? An empty domain is old glibc's
 * way to say that there is none. */
static bool same_search(const struct thread_resolver *thread, const struct question *question) {
    char domain[NW_NAME_BYTES_MAX];
    for (unsigned i = 0; i < RES_SEARCH_MAX && thread->search[i] && *thread->search[i]; i++) {
        size_t length = i + 1u < question->candidate_count ? view_domain(question->view, i, domain, sizeof domain) : 0;
        if (length == 0 || strncmp(thread->search[i], domain, length) != 0)
            return false;
        const char *rest = thread->search[i] + length;
        if (strcmp(rest, "") != 0 && strcmp(rest, ".") != 0)
            return false;
    }
    return true;
}

/* Did the application give this thread's resolver other servers, options or domains than resolv.conf does? */
bool resolver_changed(const struct resolver *file, const struct question *question) {
    if (!__res_state)
        return false;
    const struct thread_resolver *thread = __res_state();
    if (!(thread->options & RES_INIT_BIT))
        return false;
    if ((thread->options & RES_ANSWER_BITS) !=
            (file->no_aaaa ? RES_ANSWER_DEFAULT | RES_NO_AAAA : RES_ANSWER_DEFAULT) ||
        thread->ndots != file->ndots || thread->nameserver_count != file->nameserver_count)
        return true;
    for (int i = 0; i < file->nameserver_count; i++) {
        const struct sockaddr_in *server = &thread->nameservers[i];
        bool is_v4 = server->sin_family == AF_INET;
        uint8_t address[16];
        if (is_v4 == (file->v6_nameservers >> i & 1) ||
            (is_v4 && (server->sin_port != htons(53) || !view_nameserver(question->view, (unsigned)i, address) ||
                       memcmp(address + 12, &server->sin_addr, 4) != 0)))
            return true;
    }
    bool has_no_search = file->domain_count == 0 && !file->odd_search;
    return (has_no_search || question->candidate_count > 1) && !same_search(thread, question);
}

/* The candidates of this libc's search. False: its list is not to be taken as it stands. */
static bool plan_search(struct question *question, unsigned dots, bool absolute, const struct facts *facts) {
    const struct resolver *resolver = &facts->resolver;
    bool as_is_first = dots >= resolver->ndots;
    question->view = facts->view;
    question->candidate_count = 1;
    question->as_is = question->candidate = 0;
    question->negative_is_final = true;
    if (absolute || (as_is_first && !on_glibc()))
        return true;
    if (resolver->odd_search) { /* the name as it is may do all the same */
        question->negative_is_final = false;
        return as_is_first;
    }
    question->candidate_count += resolver->domain_count;
    question->as_is = question->candidate = as_is_first ? 0 : resolver->domain_count;
    return true;
}

static bool any_is_bypassed(struct question *question, const char *list) {
    if (!list[0])
        return false;
    for (unsigned i = 0; i < question->candidate_count; i++)
        if (!candidate(question, i) || is_bypassed(question, list))
            return true;
    return false;
}

bool eligible(const char *name, struct question *question) {
    const struct settings *user = settings();
    unsigned dots;
    bool absolute;
    struct facts facts;
    if (!user || user->off)
        return because(question, user ? user->off_why : WHY_BAD_SETTINGS);
    if (!name || !name_read(name, question, &dots, &absolute))
        return because(question, WHY_NAME);
    if (is_local_name(question, dots))
        return because(question, WHY_LOCAL);
    question->now = tick_ms();
    if (!view_look(key_hash(&question->length), question->now, &facts))
        return because(question, WHY_FILES);
    if (facts.named_here)
        return because(question, WHY_HOSTS);
    if (facts.resolver.changes_answers || !plan_search(question, dots, absolute, &facts))
        return because(question, WHY_OPTIONS);
    question->own_order = false;
    if (on_glibc()) {
        if (!facts.switches.plain || (facts.switches.local && dots == 0))
            return because(question, WHY_NSSWITCH);
        if (dots == 0 && variable("HOSTALIASES"))
            return because(question, WHY_ALIASES);
        if (resolver_changed(&facts.resolver, question))
            return because(question, WHY_OWN_RESOLVER);
        question->own_order = facts.switches.own_order;
    }
    if (dots == 0 && facts.resolver.has_loopback)
        return because(question, WHY_LOOPBACK);
    if (any_is_bypassed(question, user->bypass))
        return because(question, WHY_BYPASS);
    question->map = map_find(question->now);
    bool is_same = asks_the_same(question->map, &facts);
    if (dots == 0 && !is_same)
        return because(question, WHY_OTHER_SERVERS); /* which may know the container's neighbours by such names */
    question->no_aaaa = facts.resolver.no_aaaa;
    question->failure_is_final = is_same && !(on_glibc() && facts.switches.others_last);
    question->negative_is_final &= question->failure_is_final;
    return true;
}
