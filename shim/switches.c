/* /etc/nsswitch.conf, host.conf and gai.conf: whether glibc goes the plain way, files and then the DNS, and sorts by
 * its own table. musl reads none of them. */
#include "lookup.h"
#include <string.h>

/* Besides files: modules that find a name in the DNS, and modules that know only names which we leave to libc anyway.
 * All but dns know addresses by themselves. */
static const char *const DNS_MODULES[] = {"dns", "resolve"};
static const char *const LOCAL_MODULES[] = {"myhostname", "mymachines",   "mdns",          "mdns4",
                                            "mdns6",      "mdns_minimal", "mdns4_minimal", "mdns6_minimal"};
/* Behind the DNS, or a module that finds itself unavailable for names that are not its own, these change nothing. */
static const char *const ACTIONS[] = {"[NOTFOUND=return]", "[!UNAVAIL=return]"};
#define ONE_OF(word, list) one_of(word, list, sizeof list / sizeof *list)

static bool one_of(const char *word, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

void nsswitch_read(struct words *words, struct switches *switches) {
    /* A '#' within the line begins a comment to some versions of glibc and a module's name to others. */
    bool hosts_line = false, seen = false, plain = true, has_dns = false, may_act = false;
    char word[WORD_BYTES];
    while (next_word(words, word)) {
        char *text = word;
        if (words->first) {
            hosts_line = strncmp(text, "hosts", 5) == 0 && (text[5] == ':' || !text[5]); /* glibc needs no colon */
            if (!hosts_line)
                continue;
            switches->others_last = false;
            seen = true, plain = true, has_dns = false, may_act = false;
            text += text[5] ? 6 : 5;
        }
        if (!hosts_line || !*text)
            continue;
        if (*text == '[') {
            plain &= may_act && ONE_OF(text, ACTIONS);
            continue;
        }
        bool is_files = strcmp(text, "files") == 0, is_dns = ONE_OF(text, DNS_MODULES);
        switches->local_addresses |= !is_files && strcmp(text, "dns") != 0;
        has_dns |= is_dns;
        switches->others_last = !is_dns && (switches->others_last || has_dns);
        may_act = is_dns || strstr(text, "_minimal");
        if (ONE_OF(text, LOCAL_MODULES))
            switches->local = true;
        else if (!is_files && !is_dns)
            plain = false;
    }
    if (seen && !(plain && has_dns))
        switches->plain = false;
}

void hostconf_read(struct words *words, struct switches *switches) {
    words->hash_anywhere = true;
    char word[WORD_BYTES];
    while (next_word(words, word))
        if (words->first && strcmp(word, "reorder") == 0)
            switches->plain = false;
}

void gaiconf_read(struct words *words, struct switches *switches) {
    words->hash_anywhere = true;
    char word[WORD_BYTES];
    switches->own_order = next_word(words, word);
}
