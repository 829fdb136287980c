/* What the container's own files say of its lookups, as client.so takes it (view.c). */
#include "doctor.h"
#include <string.h>

#define NOBODY "this-name-is-in-no-hosts-file.invalid"

static struct facts facts;
static bool is_known;

const struct facts *known_facts(void) {
    return is_known ? &facts : NULL;
}

static void check_servers(void) {
    const struct resolver *resolver = &facts.resolver;
    const struct map *map = map_find(tick_ms());
    uint8_t address[16];
    for (unsigned i = 0; i < resolver->nameserver_count; i++)
        if (view_nameserver(facts.view, i, address))
            note("its nameserver is %a", address);
    if (resolver->has_loopback)
        finding(501, "a nameserver is a loopback address, which is another server in each container");
    else if (!map)
        note("without a table nobody knows whom the server asks: that a name does not exist is left to libc");
    else if (!asks_the_same(map, &facts)) {
        static char upstreams[NW_UPSTREAMS_BYTES_MAX + 1];
        size_t length = map->base[NW_HEADER_UPSTREAMS] | (size_t)map->base[NW_HEADER_UPSTREAMS + 1] << 8;
        length = length < NW_UPSTREAMS_BYTES_MAX ? length : NW_UPSTREAMS_BYTES_MAX;
        memcpy(upstreams, map->base + NW_HEADER_UPSTREAMS + 2, length);
        finding(407, "the server does not ask all of them, but: %s", upstreams);
    } else {
        fine("the server asks the same: that a name does not exist is final");
    }
}

static void check_search(void) {
    char domain[NW_NAME_BYTES_MAX + 1];
    if (facts.resolver.odd_search) {
        finding(506, "the search list holds more than plain names");
        return;
    }
    for (unsigned i = 0; i < facts.resolver.domain_count; i++) {
        domain[view_domain(facts.view, i, domain, NW_NAME_BYTES_MAX)] = '\0';
        note("it searches in %s, names with fewer dots than %u there first", domain,
             (unsigned long)facts.resolver.ndots);
    }
}

void check_etc(void) {
    group("container");
    is_known = view_look(name_hash(NOBODY), tick_ms(), &facts);
    if (!is_known) {
        finding(504, "/etc/hosts, resolv.conf, nsswitch.conf, host.conf or gai.conf cannot be read");
        return;
    }
    if (facts.named_here)
        finding(505, "/etc/hosts has more names than client.so keeps");
    if (facts.resolver.changes_answers)
        finding(502, "/etc/resolv.conf or the environment has what only libc knows to obey");
    if (on_glibc() && !facts.switches.plain)
        finding(503, "/etc/nsswitch.conf or host.conf has more than files and the DNS");
    check_servers();
    check_search();
}
