/* The map of this folder. A call comes in at getaddrinfo.c or gethostbyname.c; eligible.c decides whether the cache may
 * answer it, as the container's own files (view.c) and the user (settings.c) have it; table.c looks into the published
 * table (map.c), else client.c asks the server; answer.c reads the record; order.c sorts as this libc sorts, by what
 * routes.c keeps; addrinfo.c and hostent.c give the result this libc's shape. Whatever is not ours or goes wrong is
 * handed to the real function (real.c). dlopen.c stands apart: it keeps PHP's extensions from going past all of this.
 */
#ifndef NAMEWELL_LOOKUP_H
#define NAMEWELL_LOOKUP_H

#include "layout.h"
#include <netdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are read in place, in little-endian order");
_Static_assert(sizeof(void *) == 8, "x86-64 and arm64 only");

#ifndef EAI_NODATA /* musl's header before 1.2.4 */
#define EAI_NODATA -5
#endif

#define EXPORT __attribute__((visibility("default")))
#define OWN_FRAME __attribute__((noinline)) /* its buffers are not to lie below those of what is called before it */

/* Our own verdict of a call, beside the EAI_* codes (small negative numbers) and 0: the real function shall answer. */
#define TO_LIBC 0x4e57

/* claim.c */
enum claim { CLAIM_BUSY, CLAIM_FREE, CLAIM_INHERITED };
enum claim claim(_Atomic uint64_t *holder);
void release(_Atomic uint64_t *holder);
#define CLAIMANT_MS_MAX 20
bool await_claimant(_Atomic uint64_t *holder, int *waited_ms);

/* settings.c: what the environment and our own place say; read once */
#define BYPASS_BYTES 4096
#define SOCKET_PATH_BYTES 108
struct settings {
    bool off;
    enum { BY_PROGRAM, ALWAYS, NEVER } clear_deepbind; /* dlopen.c */
    char socket_path[SOCKET_PATH_BYTES];
    char table_path[SOCKET_PATH_BYTES + 3];
    char bypass[BYPASS_BYTES];
};
const struct settings *settings(void);
const char *own_socket(void);
void settings_read(struct settings *into, const char *(*get)(const char *), bool secure);

/* real.c: the functions that we stand in front of, and which libc they are of */
enum real {
    REAL_GETADDRINFO,
    REAL_FREEADDRINFO,
    REAL_GETHOSTBYNAME,
    REAL_GETHOSTBYNAME2,
    REAL_GETHOSTBYNAME_R,
    REAL_GETHOSTBYNAME2_R,
    REAL_DLOPEN,
    REAL_COUNT
};
void *real(enum real function);
bool on_glibc(void);
bool musl_tells_no_data(void);

/* guard.c: errno and cancellation, put back as they were. Around whatever may make a system call; a hit makes none. */
struct guard {
    int error, cancel_state;
};
struct guard guard_enter(void);
void guard_leave(struct guard);

/* clock.c */
uint64_t now_ms(void);
uint64_t tick_ms(void);

/* words.c: the words of a small configuration file */
#define WORD_BYTES 256
struct words {
    int fd;
    int at, end;
    bool no_file;       /* read as if it were empty */
    bool hash_anywhere; /* '#' begins a comment everywhere, not only at the line's start */
    bool first;         /* the last word was its line's first */
    bool indented;
    bool line_open; /* a word of the present line has been given out */
    bool failed;
    char buffer[512];
};
bool next_word(struct words *, char word[WORD_BYTES]);

/* view.c: what /etc tells this container's lookups, at most a second old */
#define NAMESERVERS_MAX 3
struct resolver {
    uint8_t ndots;
    bool has_search;
    bool changes_answers; /* an option that the cache does not know how to obey */
    bool has_loopback;
    uint8_t nameserver_count;
    uint32_t nameservers[NAMESERVERS_MAX]; /* 0 where it is IPv6 */
};
struct switches {
    bool plain;     /* nsswitch.conf, host.conf: names are looked up in files, then in the DNS */
    bool local;     /* a module answers names without a dot by itself */
    bool own_order; /* gai.conf */
};
struct facts {
    bool named_here; /* in /etc/hosts, or this machine's own name */
    struct resolver resolver;
    struct switches switches;
    bool has_own_domain; /* the host name has a domain part */
};
bool view_look(uint64_t name_hash, uint64_t now, struct facts *);

/* hosts.c, resolvconf.c, switches.c: readers of single files, used by view.c */
#define HOSTS_SLOTS 4096
struct hosts {
    _Atomic bool overflow;
    _Atomic uint64_t hashes[HOSTS_SLOTS];
};
#define KEY_BYTES 272 /* a length, 253 of name, and zeros to spare */
uint64_t key_hash(const uint8_t *key);
uint64_t name_hash(const char *name);
void hosts_read(struct words *, struct hosts *);
bool hosts_has(const struct hosts *, uint64_t name_hash);
void resolvconf_read(struct words *, struct resolver *);
void resolvconf_default(struct resolver *);
void nsswitch_read(struct words *, struct switches *);
void hostconf_read(struct words *, struct switches *);
void gaiconf_read(struct words *, struct switches *);

/* eligible.c */
struct question {
    const char *asked;      /* as the application wrote it, final dot and all */
    bool negative_is_final; /* or else libc is asked as well, for it may know more */
    bool failure_is_final;
    bool own_order;                      /* by gai.conf */
    uint64_t now;                        /* tick_ms() */
    uint64_t hash;                       /* key_hash() */
    char spelled[NW_NAME_BYTES_MAX + 1]; /* without the final dot */
    /* In lower case, its length before it and zeros to a multiple of 16 after it: the key of the table. */
    _Alignas(16) uint8_t length;
    char name[KEY_BYTES - 1];
};
bool eligible(const char *name, struct question *);

/* answer.c */
struct answer {
    uint8_t outcome; /* NW_OUTCOME_EMPTY: not asked */
    uint8_t chain_count;
    uint16_t type;
    uint16_t count;
    uint16_t generation;
    uint64_t expires_ms, refresh_ms;
    const uint8_t *chain; /* u8 length and text, chain_count times */
    const uint8_t *data;
};
uint64_t mix(const uint8_t *bytes, size_t length, uint64_t seed_a, uint64_t seed_b);
size_t answer_read(const uint8_t *record, size_t available, const char *name, size_t name_length, uint16_t type,
                   struct answer *);
const uint8_t *chain_next(const uint8_t *name);

/* What is known of a question: from the table two slots' copies in `small`, from the server a frame. */
#define SMALL_REPLY_BYTES 1024
struct reply {
    struct answer a, aaaa;
    uint8_t *large;
    _Alignas(8) uint8_t small[SMALL_REPLY_BYTES];
};

/* map.c */
/* A place in our address space is never given back, since another thread may be reading there: a table that is no more
 * used is covered by empty pages, or by the next table of the same size. So base, bytes and set count of a map that was
 * once in use never change, and no look can leave them. */
struct map {
    _Atomic bool taken;
    const uint8_t *base;
    size_t bytes;
    uint32_t set_count;
    _Atomic uint64_t seed_a, seed_b;
    _Atomic uint64_t device, inode;
};
static inline uint64_t map_u64(const uint8_t *at) { /* the server may be writing there */
    return atomic_load_explicit((const _Atomic uint64_t *)(const void *)at, memory_order_relaxed);
}
const struct map *map_find(uint64_t now);
enum server { SERVER_UNKNOWN, SERVER_ALIVE, SERVER_GONE };
enum server map_server(uint64_t *heartbeat_ms);

/* table.c */
bool table_find(const struct question *, uint8_t families, struct reply *);

/* usage.c: what the server cannot see of hits in the table, told to it */
void usage_note(const uint8_t *epoch, uint32_t slot, uint16_t generation, bool is_due, uint64_t now);

/* client.c */
bool ask(const struct question *, uint8_t families, struct reply *);
void tell(uint8_t kind, uint8_t *frame, size_t length);
void reply_end(struct reply *);

/* interfaces.c */
struct interface_address {
    uint8_t address[16]; /* v4 mapped */
    uint32_t index;
    uint8_t prefix_bits;
    bool deprecated, home;
};
struct interfaces {
    bool has_v4, has_v6;
    bool lasting;                        /* or else the kernel would perhaps say more the next time */
    struct interface_address *addresses; /* malloc'd */
    size_t count;
};
void interfaces_read(struct interfaces *);
void interfaces_end(struct interfaces *);

/* order.c, order_glibc.c, order_musl.c */
struct destination {
    uint8_t address[16]; /* v4 in the first four */
    uint16_t family;
    uint16_t port; /* network order; the one that this libc asks for a route with */
    uint32_t key;  /* the greater goes first; 0: not learned */
};
#define KEY_BITS 24
#define MUSL_PORT 0xffff
uint32_t rotation(const struct question *);
#define FEW_DESTINATIONS 8
size_t take_addresses(const struct answer *, uint32_t rotation, bool mapped, uint16_t port, struct destination *);
void order(struct destination *, size_t count, const struct interfaces *known, uint64_t now_ms);
void learn_glibc(struct destination *, const struct interfaces *, int *fd);
void learn_musl(struct destination *);
bool source_of(const struct destination *, uint8_t source[16], int *fd);
unsigned common_bits(const uint8_t *, const uint8_t *, unsigned bytes);

/* routes.c: what was learned of them, kept for a second */
void route_find(struct destination *, uint64_t now_ms);
void route_keep(const struct destination *, uint64_t now_ms);
bool families_find(bool *v4, bool *v6, uint64_t now_ms);
void families_keep(bool v4, bool v6, uint64_t now_ms);
bool is_lasting(int error);

/* services.c */
#define SERVICES_MAX 8
struct service {
    int socktype, protocol;
    uint16_t port; /* network order */
};
int services_find(const char *service, int socktype, int protocol, int flags, struct service *, size_t *count);

/* addrinfo.c */
struct addrinfo *addrinfo_glibc(const struct destination *, size_t count, const struct service *, size_t service_count,
                                int flags, const char *canonical);
struct addrinfo *addrinfo_musl(const struct destination *, size_t count, const struct service *, size_t service_count,
                               const char *canonical);
void addrinfo_free(struct addrinfo *);

/* hostent.c */
int hostent_write(const struct question *, const struct answer *, const struct destination *, struct hostent *,
                  char *buffer, size_t size);

/* canonical.c: the name at the end of the chain, as this libc chooses it; into a buffer of NW_NAME_BYTES_MAX + 1 */
const char *canonical_of(const struct question *, const struct answer *, char *buffer);
bool chain_is_plain(const struct answer *);
bool has_punycode(const struct question *, const struct answer *);

#endif
