/* /etc/resolv.conf: what changes answers. Servers, time-outs and the like are the cache server's own matter; the
 * nameservers are kept only to see whether they are local, and whether the application has set others. */
#include "lookup.h"
#include <arpa/inet.h>
#include <string.h>

#define NDOTS_MAX 15

/* Options that make libc give other answers than the cache would. */
static const char *const UNKNOWN_OPTIONS[] = {"no-aaaa", "inet6", "no-tld-query", "no_tld_query"};

void resolvconf_default(struct resolver *resolver) {
    *resolver = (struct resolver){.ndots = 1};
}

static void read_option(const char *option, struct resolver *resolver) {
    for (size_t i = 0; i < sizeof UNKNOWN_OPTIONS / sizeof *UNKNOWN_OPTIONS; i++)
        if (strcmp(option, UNKNOWN_OPTIONS[i]) == 0)
            resolver->changes_answers = true;
    if (strncmp(option, "ndots:", 6) != 0)
        return;
    if (option[6] < '0' || option[6] > '9')
        resolver->changes_answers = true; /* 0 to glibc, nothing to musl */
    unsigned ndots = 0;
    for (const char *digit = option + 6; *digit >= '0' && *digit <= '9' && ndots <= NDOTS_MAX; digit++)
        ndots = ndots * 10 + (unsigned)(*digit - '0');
    resolver->ndots = ndots > NDOTS_MAX ? NDOTS_MAX : (uint8_t)ndots;
}

static void read_nameserver(char *text, struct resolver *resolver) {
    if (resolver->nameserver_count == NAMESERVERS_MAX)
        return;
    uint32_t v4 = 0;
    uint8_t v6[16];
    char *scope = strchr(text, '%');
    if (scope)
        *scope = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1) {
        if ((v4 & 0xff) == 127)
            resolver->has_loopback = true;
    } else if (inet_pton(AF_INET6, text, v6) == 1) {
        static const uint8_t loopback[16] = {[15] = 1}, mapped[13] = {[10] = 0xff, 0xff, 127};
        if (memcmp(v6, loopback, 16) == 0 || memcmp(v6, mapped, 13) == 0)
            resolver->has_loopback = true;
    } else {
        resolver->changes_answers = true; /* the two libcs read such a thing in different ways */
        return;
    }
    resolver->nameservers[resolver->nameserver_count++] = v4;
}

void resolvconf_read(struct words *words, struct resolver *resolver) {
    enum { OTHER, SEARCH, OPTIONS, NAMESERVER } line = OTHER;
    char word[WORD_BYTES];
    while (next_word(words, word)) {
        if (words->first) {
            line = OTHER;
            if (words->indented)
                continue; /* libc wants the keyword at the line's start */
            if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0)
                line = SEARCH;
            else if (strcmp(word, "options") == 0)
                line = OPTIONS;
            else if (strcmp(word, "nameserver") == 0)
                line = NAMESERVER;
            else if (strcmp(word, "sortlist") == 0)
                resolver->changes_answers = true;
        } else if (line == SEARCH) {
            resolver->has_search = true;
        } else if (line == OPTIONS) {
            read_option(word, resolver);
        } else if (line == NAMESERVER) {
            read_nameserver(word, resolver);
            line = OTHER;
        }
    }
    if (resolver->nameserver_count == 0) { /* then libc asks 127.0.0.1 */
        resolver->nameservers[resolver->nameserver_count++] = htonl(INADDR_LOOPBACK);
        resolver->has_loopback = true;
    }
}
