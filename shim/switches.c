/* /etc/nsswitch.conf, host.conf and gai.conf: whether glibc goes the plain way, files and then the DNS, and sorts by
 * its own table. musl reads none of them. */
#include "lookup.h"
#include <string.h>

/* Besides files: modules that find a name in the DNS, and modules that know only names which we leave to libc anyway.
 * All but dns know addresses by themselves. */
static const char *const DNS_MODULES[] = {"dns", "resolve"};
static const char *const LOCAL_MODULES[] = {"myhostname", "mymachines",   "mdns",          "mdns4",
                                            "mdns6",      "mdns_minimal", "mdns4_minimal", "mdns6_minimal"};

static bool one_of(const char *word, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

void nsswitch_read(struct words *words, struct switches *switches) {
    words->hash_anywhere = true;
    bool hosts_line = false, seen = false, plain = true, has_dns = false, after_files = false, in_action = false;
    char word[WORD_BYTES];
    while (next_word(words, word)) {
        char *text = word;
        if (words->first) {
            hosts_line = strncmp(text, "hosts:", 6) == 0;
            if (!hosts_line)
                continue;
            seen = true, plain = true, has_dns = false, after_files = false, in_action = false;
            text += 6;
        }
        if (!hosts_line || !*text)
            continue;
        if (!in_action && *text == '[') {
            if (after_files)
                plain = false; /* names that are not in the file would never be asked */
            in_action = true;
        }
        if (in_action) {
            if (strchr(text, ']'))
                in_action = false;
            continue;
        }
        after_files = strcmp(text, "files") == 0;
        switches->local_addresses |= !after_files && strcmp(text, "dns") != 0;
        if (one_of(text, DNS_MODULES, sizeof DNS_MODULES / sizeof *DNS_MODULES))
            has_dns = true;
        else if (one_of(text, LOCAL_MODULES, sizeof LOCAL_MODULES / sizeof *LOCAL_MODULES))
            switches->local = true;
        else if (!after_files)
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
