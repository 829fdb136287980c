/* /etc/resolv.conf, and glibc's LOCALDOMAIN and RES_OPTIONS: what changes answers. Servers, time-outs and the like are
 * the cache server's own matter; the nameservers are kept only to see whether they are local, whether the cache asks
 * them too, and whether the application has set others. */
#include "lookup.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define NDOTS_MAX 15

/* Options that make libc give other answers than the cache would. */
static const char *const UNKNOWN_OPTIONS[] = {"inet6", "no-tld-query", "no_tld_query"};

#define OLD_DOMAINS_MAX 6       /* glibc before 2.26 */
#define MUSL_LINE_BYTES_MAX 200 /* a line of 256 bytes or more is none to it; less, for we do not see the spaces */

void resolvconf_default(struct resolver *resolver) {
    *resolver = (struct resolver){.ndots = 1};
}

static void read_option(const char *option, struct resolver *resolver) {
    for (size_t i = 0; i < sizeof UNKNOWN_OPTIONS / sizeof *UNKNOWN_OPTIONS; i++)
        if (strcmp(option, UNKNOWN_OPTIONS[i]) == 0)
            resolver->changes_answers = true;
    if (strcmp(option, "no-aaaa") == 0 && glibc_since(36))
        resolver->no_aaaa = true;
    const char *ndots_at = strstr(option, "ndots:");
    if (!ndots_at || (on_glibc() && ndots_at != option))
        return;
    if (option[6] < '0' || option[6] > '9' || (!on_glibc() && (ndots_at != option || resolver->has_ndots)))
        resolver->changes_answers = true; /* 0 to glibc; musl takes a line's first number, wherever it stands */
    resolver->has_ndots = true;
    unsigned ndots = 0;
    for (const char *digit = option + 6; *digit >= '0' && *digit <= '9' && ndots <= NDOTS_MAX; digit++)
        ndots = ndots * 10 + (unsigned)(*digit - '0');
    resolver->ndots = ndots > NDOTS_MAX ? NDOTS_MAX : (uint8_t)ndots;
}

static void clear_search(struct resolver *resolver) {
    resolver->domain_count = 0;
    resolver->odd_search = false;
}

static void add_domain(struct resolver *resolver, struct domains *domains, const char *text) {
    uint8_t packed[WORD_BYTES] = {0};
    size_t length = strlen(text), most = on_glibc() && !glibc_since(26) ? OLD_DOMAINS_MAX : DOMAINS_MAX;
    if (length > 1 && text[length - 1] == '.' && on_glibc()) /* musl keeps it in the canonical name */
        length--;
    if (length > NW_NAME_BYTES_MAX || !name_is_domain(text, length) || resolver->domain_count >= most) {
        resolver->odd_search = true;
        return;
    }
    packed[0] = (uint8_t)length;
    memcpy(packed + 1, text, length);
    for (size_t i = 0; i <= length / 8; i++) {
        uint64_t word;
        memcpy(&word, packed + 8 * i, sizeof word);
        atomic_store_explicit(&domains->words[resolver->domain_count][i], word, memory_order_relaxed);
    }
    resolver->domain_count++;
}

static void read_nameserver(char *text, struct resolver *resolver, struct nameservers *nameservers) {
    if (resolver->nameserver_count == NAMESERVERS_MAX)
        return;
    uint8_t v4[4], *v6 = nameservers->addresses[resolver->nameserver_count];
    char *scope = strchr(text, '%');
    if (scope)
        *scope = '\0';
    if (inet_pton(AF_INET, text, v4) == 1) {
        map_v4(v4, v6);
        if (v4[0] == 127)
            resolver->has_loopback = true;
    } else if (inet_pton(AF_INET6, text, v6) == 1) {
        static const uint8_t loopback[16] = {[15] = 1}, mapped[13] = {[10] = 0xff, 0xff, 127};
        if (memcmp(v6, loopback, 16) == 0 || memcmp(v6, mapped, 13) == 0)
            resolver->has_loopback = true;
        resolver->v6_nameservers |= (uint8_t)(1u << resolver->nameserver_count);
    } else {
        resolver->changes_answers = true; /* the two libcs read such a thing in different ways */
        return;
    }
    resolver->nameserver_count++;
}

void resolvconf_read(struct words *words, struct resolver *resolver, struct nameservers *nameservers,
                     struct domains *domains) {
    enum { OTHER, DOMAIN, SEARCH, OPTIONS, NAMESERVER } line = OTHER;
    bool is_cleared = false;
    size_t line_bytes = 0;
    char word[WORD_BYTES];
    while (next_word(words, word)) {
        line_bytes = words->first ? 0 : line_bytes + strlen(word) + 1;
        bool is_too_long = line_bytes > MUSL_LINE_BYTES_MAX && !on_glibc();
        if (words->first) {
            line = OTHER;
            if (words->indented)
                continue; /* libc wants the keyword at the line's start */
            if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0) { /* the last line wins */
                line = word[0] == 'd' && on_glibc() ? DOMAIN : SEARCH;
                is_cleared = !on_glibc(); /* to glibc a line without a domain is none */
                if (is_cleared)
                    clear_search(resolver);
            }
            if (strcmp(word, "options") == 0)
                line = OPTIONS;
            else if (strcmp(word, "nameserver") == 0)
                line = NAMESERVER;
            else if (strcmp(word, "sortlist") == 0)
                resolver->changes_answers = true;
        } else if (line == SEARCH || line == DOMAIN) {
            if (!is_cleared)
                clear_search(resolver);
            is_cleared = true;
            add_domain(resolver, domains, word);
            resolver->odd_search |= is_too_long;
            if (line == DOMAIN) /* one word */
                line = OTHER;
        } else if (line == OPTIONS) {
            read_option(word, resolver);
            resolver->changes_answers |= is_too_long;
        } else if (line == NAMESERVER) {
            read_nameserver(word, resolver, nameservers);
            line = OTHER;
        }
    }
    resolver->changes_answers |= words->has_controls;
    if (resolver->nameserver_count == 0) { /* then libc asks 127.0.0.1 */
        map_v4((const uint8_t[]){127, 0, 0, 1}, nameservers->addresses[resolver->nameserver_count++]);
        resolver->has_loopback = true;
    }
}

/* Environment variables by which glibc gives other answers than the container's files say. */
static const char *const ODD_VARIABLES[] = {"RESOLV_HOST_CONF", "RESOLV_REORDER", "RESOLV_OVERRIDE_TRIM_DOMAINS"};

/* False when there is more of it than we read: half of it would be worse than none. */
static bool read_variable(const char *text, struct words *words) {
    if (text && strlen(text) >= sizeof words->buffer)
        return false;
    words_of(words, text ? text : "");
    return true;
}

static void read_environment(struct resolver *resolver, struct domains *domains) {
    const char *domain = variable("LOCALDOMAIN");
    struct words words;
    char word[WORD_BYTES];
    for (size_t i = 0; i < sizeof ODD_VARIABLES / sizeof *ODD_VARIABLES; i++)
        resolver->changes_answers |= variable(ODD_VARIABLES[i]) != NULL;
    if ((domain && !domain[0]) || !read_variable(variable("RES_OPTIONS"), &words)) {
        resolver->changes_answers = true;
        return;
    }
    while (next_word(&words, word))
        read_option(word, resolver);
    if (!domain)
        return;
    resolver->changes_answers |= !read_variable(domain, &words);
    clear_search(resolver);
    while (next_word(&words, word))
        add_domain(resolver, domains, word);
    if (strchr(" \t", domain[0]) || resolver->domain_count == 0) /* begins with an empty domain */
        resolver->odd_search = true;
}

/* The domain of this machine's name, which is glibc's search list where there is no other. */
OWN_FRAME static void add_own_domain(struct resolver *resolver, struct domains *domains) {
    struct utsname machine;
    const char *dot = uname(&machine) == 0 ? strchr(machine.nodename, '.') : NULL;
    if (dot && dot[1])
        add_domain(resolver, domains, dot + 1);
}

/* What is not in the file. As libc does, whenever the file is read. */
OWN_FRAME void resolvconf_finish(struct resolver *resolver, struct domains *domains) {
    if (!on_glibc())
        return;
    read_environment(resolver, domains);
    if (resolver->domain_count == 0 && !resolver->odd_search)
        add_own_domain(resolver, domains);
}
