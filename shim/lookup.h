/* The map of this folder. A call comes in at getaddrinfo.c or gethostbyname.c; eligible.c decides whether the cache may
 * answer it, as the container's own files (view.c), the user (settings.c) and the servers that are asked (servers.c)
 * have it; search.c goes through the names of its search list (candidate.c); table.c looks into the published table
 * (map.c), else client.c asks the server; answer.c reads the record; order.c sorts as this libc sorts, by what routes.c
 * keeps; addrinfo.c and hostent.c give the result this libc's shape, errors.c leaves in errno and h_errno what it
 * would. Whatever is not ours or goes wrong is handed to the real function (real.c). The name of an address is wanted
 * at gethostbyaddr.c and getnameinfo.c; reverse.c does for them what eligible.c does for names, and asks. start.c makes
 * all of that ready, and explain.c says what became of a call, on request. dlopen.c stands apart: it keeps PHP's
 * extensions from going past all of this. */
#ifndef NAMEWELL_LOOKUP_H
#define NAMEWELL_LOOKUP_H

#include "layout.h"
#include "libc.h"
#include <netdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are read in place, in little-endian order");
_Static_assert(sizeof(void *) == 8, "x86-64 and arm64 only");

#ifndef EAI_NODATA /* musl's header before 1.2.4 */
#define EAI_NODATA -5
#endif

#define EXPORT __attribute__((visibility("default")))
#define OWN_FRAME __attribute__((noinline)) /* its buffers are not to lie below those of what is called before it */

/* Our own verdict of a call, beside the EAI_* codes (small negative numbers) and 0: the real function shall answer. */
#define TO_LIBC 0x4e57

/* libc.c, and real.c for which one it is; here what each call asks for several times */
enum libc { LIBC_UNKNOWN, LIBC_NONE, LIBC_GLIBC, LIBC_MUSL, LIBC_MUSL_WITH_NO_DATA };
extern _Atomic int libc_found;
enum libc libc_find(void);
bool libc_is_there(void);
static inline enum libc which_libc(void) {
    int found = atomic_load_explicit(&libc_found, memory_order_relaxed);
    return found ? (enum libc)found : libc_find();
}
static inline bool libc_is_whole(void) {
    return which_libc() != LIBC_NONE;
}
static inline bool on_glibc(void) {
    return which_libc() == LIBC_GLIBC;
}
static inline bool musl_tells_no_data(void) {
    return which_libc() == LIBC_MUSL_WITH_NO_DATA;
}

/* claim.c: so that not all do the same work at once. It protects no data: a claim may be taken over, and then two are
 * at it; what they write has to stand that. */
enum claim { CLAIM_BUSY, CLAIM_FREE, CLAIM_INHERITED };
enum claim claim(_Atomic uint64_t *holder);
void release(_Atomic uint64_t *holder);
#define CLAIMANT_MS_MAX 20
bool await_claimant(_Atomic uint64_t *holder, int *waited_ms);
bool take(_Atomic uint64_t *writing_since, uint64_t now);

/* settings.c: what the environment and our own place say, as the process was started */
#define BYPASS_BYTES 4096
#define SOCKET_PATH_BYTES 108
#define SOCKET_NAME "/dns.sock"
struct settings {
    bool off;
    bool explain;
    uint8_t off_why;                                   /* enum why */
    uint64_t stderr_device, stderr_inode;              /* as it was at the start */
    enum { BY_PROGRAM, ALWAYS, NEVER } clear_deepbind; /* dlopen.c */
    struct folder {
        char socket_path[SOCKET_PATH_BYTES];
        char table_path[SOCKET_PATH_BYTES + 3];
    } folders[2];
    unsigned folder_count;
    char bypass[BYPASS_BYTES];
};
const struct settings *settings(void);
const char *variable(const char *name);
void settings_begin(char **environment);
void settings_read(struct settings *into, const char *(*get)(const char *), bool secure);
void folder_look(void);
const struct folder *folder(void); /* where the server's files are, as folder_look() has found it last */

/* folder.c */
const char *own_socket(void);
bool folders_find(struct settings *into, const char *directory);
bool is_elsewhere_safe(void);

/* real.c: the functions that we stand in front of, and which libc they are of */
enum real {
    REAL_GETADDRINFO,
    REAL_FREEADDRINFO,
    REAL_GETHOSTBYNAME,
    REAL_GETHOSTBYNAME2,
    REAL_GETHOSTBYNAME_R,
    REAL_GETHOSTBYNAME2_R,
    REAL_GETHOSTBYADDR,
    REAL_GETHOSTBYADDR_R,
    REAL_GETNAMEINFO,
    REAL_DLOPEN,
    REAL_COUNT
};
void *real(enum real function);
bool glibc_since(int minor);
bool libc_is_next(void);
void *in_libc(const char *name);

/* descriptor.c */
bool descriptor_identify(int fd, uint64_t *device, uint64_t *inode, bool *is_socket);

/* guard.c: errno and cancellation, put back as they were. Around whatever may make a system call; a hit makes none. */
struct guard {
    int error, cancel_type;
};
struct guard guard_enter(void);
void guard_leave(struct guard);

/* errors.c: what a call leaves in errno and h_errno */
struct reply;
int h_error_of(int outcome);
void errors_behind_name(int error, const int *h_error);
void errors_behind_static_name(int h_error);
void errors_behind_address(int error, int outcome);
void errors_behind_addrinfo(int error, int family, int flags, const struct reply *);
void no_libc(void);

/* clock.c; time 0: nobody can tell it, and then nothing that has an end is given out */
uint64_t now_ms(void);
uint64_t tick_ms(void);
void clock_find(void);
bool clock_read(clockid_t clock, struct timespec *now);
#define CLOCK_SLACK_MS 1000 /* one thread's time may be that much older than another's */
/* Is this still to come, which nobody sets further ahead than `most`? If it is further, the clock has gone back since:
 * in a new time namespace, or after a restore. */
static inline bool is_waiting(uint64_t now, uint64_t until, uint64_t most) {
    return until - now - 1 < most + CLOCK_SLACK_MS;
}

/* words.c: the words of a small configuration file, or of a text */
#define WORD_BYTES 256
struct words {
    int fd;
    int at, end;
    bool no_file;       /* there is no more than the buffer holds */
    bool hash_anywhere; /* '#' begins a comment everywhere, not only at the line's start */
    bool first;         /* the last word was its line's first */
    bool indented;
    bool line_open; /* a word of the present line has been given out */
    bool failed;
    bool has_controls; /* bytes that the two libcs take in different ways */
    char buffer[512];
};
bool next_word(struct words *, char word[WORD_BYTES]);
void words_of(struct words *, const char *text);

/* view.c: what /etc tells this container's lookups, at most a second old */
#define NAMESERVERS_MAX 3
struct resolver {
    uint8_t ndots;
    uint8_t domain_count; /* of the search list */
    bool odd_search;      /* not to be taken as it stands */
    bool has_ndots;
    bool no_aaaa;
    bool changes_answers; /* an option that the cache does not know how to obey */
    bool has_loopback;
    uint8_t nameserver_count;
    uint8_t v6_nameservers; /* which of them: bits, the first is the lowest */
};
struct nameservers {
    uint8_t addresses[NAMESERVERS_MAX][16]; /* v4 mapped; without a scope */
};
#define DOMAINS_MAX (NW_CANDIDATES_MAX - 1)
struct domains { /* each a length, text and zeros */
    _Atomic uint64_t words[DOMAINS_MAX][WORD_BYTES / 8];
};
struct switches {
    bool plain; /* nsswitch.conf, host.conf: names are looked up in files, then in the DNS */
    bool local; /* a module answers names without a dot by itself */
    bool local_addresses;
    bool own_order;   /* gai.conf */
    bool others_last; /* a module behind the DNS has the last word on what is not found */
};
struct facts {
    bool named_here; /* in /etc/hosts, be it a name or an address, or this machine's own name */
    struct resolver resolver;
    struct switches switches;
    uint32_t view; /* which one this was */
};
bool view_nameserver(uint32_t view, unsigned index, uint8_t address[16]);
size_t view_domain(uint32_t view, unsigned index, char *into, size_t room);
bool view_look(uint64_t hash, uint64_t now, struct facts *);

/* hosts.c, resolvconf.c, switches.c: readers of single files, used by view.c */
#define HOSTS_SLOTS 8192
struct hosts {
    _Atomic bool overflow;
    _Atomic uint32_t slots; /* of them in use, a power of two */
    _Atomic uint64_t hashes[HOSTS_SLOTS];
};
#define KEY_BYTES 272 /* a length, 253 of name, and zeros to spare */
uint64_t key_hash(const uint8_t *key);
uint64_t name_hash(const char *name);
uint64_t address_hash(const uint8_t address[16]);
void map_v4(const uint8_t v4[4], uint8_t address[16]);
void hosts_read(struct words *, struct hosts *, off_t file_bytes);
bool hosts_has(const struct hosts *, uint64_t hash);
void resolvconf_default(struct resolver *);
void resolvconf_read(struct words *, struct resolver *, struct nameservers *, struct domains *);
void resolvconf_finish(struct resolver *, struct domains *);
void nsswitch_read(struct words *, struct switches *);
void hostconf_read(struct words *, struct switches *);
void gaiconf_read(struct words *, struct switches *);

/* map.c */
/* A place in our address space is never given back, since another thread may be reading there: a table that is no more
 * used is covered by empty pages, or by the next table of the same size. So base, bytes and set count of a map that was
 * once in use never change, and no look can leave them. */
struct map {
    _Atomic bool taken;
    const uint8_t *base;
    size_t bytes;
    uint32_t set_count; /* 0: the header alone */
    _Atomic uint64_t seed_a, seed_b;
    _Atomic uint64_t device, inode;
};
static inline uint64_t map_u64(const uint8_t *at) { /* the server may be writing there */
    return atomic_load_explicit((const _Atomic uint64_t *)(const void *)at, memory_order_relaxed);
}
const struct map *map_find(uint64_t now);
void map_retry(uint64_t now);
enum server { SERVER_UNKNOWN, SERVER_ALIVE, SERVER_GONE };
enum server map_server(uint64_t *heartbeat_ms);

/* servers.c */
bool asks_the_same(const struct map *, const struct facts *);

/* explain.c: where an answer comes from, or why it is libc's */
enum why {
    WHY_TABLE,
    WHY_SOCKET,
    WHY_OFF,
    WHY_OTHER_PRELOAD,
    WHY_BAD_SETTINGS,
    WHY_HINTS,
    WHY_NAME,
    WHY_LOCAL,
    WHY_FILES,
    WHY_HOSTS,
    WHY_OPTIONS,
    WHY_NSSWITCH,
    WHY_ALIASES,
    WHY_OWN_RESOLVER,
    WHY_LOOPBACK,
    WHY_BYPASS,
    WHY_OTHER_SERVERS,
    WHY_NO_SERVER,
    WHY_HANGS,
    WHY_NO_SOCKET,
    WHY_NO_ANSWER,
    WHY_UNFIT,
    WHY_MAY_KNOW_MORE,
    WHY_FORM,
    WHY_COUNT
};
extern _Atomic bool may_explain;
struct question;
uint64_t explain_begin(struct question *);
static inline uint64_t began_explained(struct question *question) {
    bool may = atomic_load_explicit(&may_explain, memory_order_relaxed);
    return __builtin_expect(may, false) ? explain_begin(question) : 0;
}
void explain(const char *call, const char *name, enum why, const char *answer, uint64_t began_ns);

/* eligible.c */
struct question {
    const char *asked;      /* as the application wrote it, final dot and all */
    bool negative_is_final; /* or else libc is asked as well, for it may know more */
    bool failure_is_final;
    bool own_order;                      /* by gai.conf */
    bool no_aaaa;                        /* by resolv.conf: IPv6 addresses are not to be looked up */
    uint8_t why;                         /* enum why; tells something where the call is libc's, or is explained */
    uint8_t asked_length;                /* without the final dot */
    uint8_t candidate_count;             /* 1 at least */
    uint8_t as_is;                       /* which of the candidates the name itself is: the first or the last */
    uint8_t candidate;                   /* which of them the names below are of */
    uint32_t view;                       /* the others end in its domains */
    const struct map *map;               /* NULL: there is none */
    uint64_t now;                        /* tick_ms() */
    char spelled[NW_NAME_BYTES_MAX + 2]; /* without the final dot */
    /* In lower case, its length before it and zeros to a multiple of 16 after it: the key of the table. */
    _Alignas(16) uint8_t length;
    char name[KEY_BYTES - 1];
};
static inline bool because(struct question *question, enum why why) {
    question->why = (uint8_t)why;
    return false;
}
bool eligible(const char *name, struct question *);
bool is_bypassed(const struct question *, const char *list);
bool resolver_changed(const struct resolver *file, const struct question *);

/* name.c */
bool name_read(const char *name, struct question *, unsigned *dots, bool *absolute);
void name_fold(struct question *, size_t from, size_t length);
bool name_is_domain(const char *text, size_t length);

/* answer.c */
struct answer {
    uint8_t outcome; /* NW_OUTCOME_EMPTY: not asked */
    uint8_t chain_count;
    uint16_t type;
    uint16_t count;
    uint16_t nonce; /* its low bits */
    uint16_t flags;
    uint32_t ttl_seconds; /* 0: just fetched, and kept by nobody */
    uint64_t expires_ms, refresh_ms;
    const uint8_t *chain; /* u8 length and text, chain_count times */
    const uint8_t *data;  /* of PTR: u8 length and text, count times */
};
uint64_t mix(const uint8_t *bytes, size_t length, uint64_t seed_a, uint64_t seed_b);
size_t answer_read(const uint8_t *from, size_t available, uint8_t *record, const uint8_t *key, uint16_t type,
                   struct answer *);
const uint8_t *chain_next(const uint8_t *name);

/* What is known of a question: from the table two slots' copies in `small`, from the server a frame. The n-th answer is
 * for the n-th bit of `families`. */
#define SMALL_REPLY_BYTES 1024
#define TYPES_MAX 3
static const uint16_t TYPES[TYPES_MAX] = {NW_TYPE_A, NW_TYPE_AAAA, NW_TYPE_PTR};
_Static_assert(NW_FAMILY_A == 1 << 0 && NW_FAMILY_AAAA == 1 << 1 && NW_FAMILY_PTR == 1 << 2, "in the order of TYPES");
struct reply {
    union {
        struct answer answers[TYPES_MAX];
        struct {
            struct answer a, aaaa, ptr;
        };
    };
    uint8_t *large;
    _Alignas(8) uint8_t small[SMALL_REPLY_BYTES];
};

void reply_begin(struct reply *);
void reply_end(struct reply *);

/* candidate.c */
bool candidate(struct question *, unsigned index);

/* table.c */
bool table_find(const struct question *, uint8_t families, struct reply *);

/* search.c */
bool is_failure_final(const struct question *, const struct reply *);
bool find(struct question *, uint8_t families, struct reply *);

/* usage.c: what the server cannot see of hits in the table, told to it */
void usage_note(const uint8_t *epoch, uint32_t slot, uint16_t nonce, bool is_due, uint64_t now);

/* client.c */
bool ask(struct question *, uint8_t families, struct reply *);
void tell(uint8_t kind, uint8_t *frame, size_t length);

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
uint32_t rotation(void);
#define FEW_DESTINATIONS 8
#define MUSL_ADDRESSES_MAX 48 /* MAXADDRS of its lookup.h, of both families together */
void take_addresses(const struct answer *, size_t count, uint32_t rotation, bool mapped, uint16_t port,
                    struct destination *);
void order(struct destination *, size_t count, const struct interfaces *known, uint64_t now_ms);
void learn_glibc(struct destination *, const struct interfaces *, int *fd);
void learn_musl(struct destination *);

/* source.c */
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
bool services_find(const char *service, int socktype, int protocol, int flags, struct service *, size_t *count);

/* php.c, for dlopen.c */
bool is_php(const char *path);

/* addrinfo.c */
struct addrinfo *addrinfo_glibc(const struct destination *, size_t count, const struct service *, size_t service_count,
                                int flags, const char *canonical);
struct addrinfo *addrinfo_musl(const struct destination *, size_t count, const struct service *, size_t service_count,
                               const char *canonical);
void addrinfo_free(struct addrinfo *);

/* hostent.c */
struct place { /* where the result goes; a static one has to be claimed, for the moment of writing */
    struct hostent *host;
    char *buffer;
    size_t size;
    _Atomic uint64_t *writer;
};
int hostent_write(const struct question *, const struct answer *, const struct destination *, size_t count,
                  const struct place *);

/* reverse.c */
bool is_mapped(const uint8_t v6[16]);
bool eligible_address(int family, const uint8_t *address, struct question *);
int name_find(int family, const uint8_t *address, struct question *);

/* canonical.c: the name at the end of the chain, as this libc chooses it; into a buffer of NW_NAME_BYTES_MAX + 1 */
const char *canonical_of(const struct question *, const struct answer *, char *buffer);
bool chain_is_plain(const struct answer *);
/* An alias of a name that has no such record: what glibc calls it depends on the function and on glibc's version. */
static inline bool is_dead_end(const struct answer *answer) {
    return answer->outcome == NW_OUTCOME_NO_DATA && answer->chain_count > 0 && on_glibc();
}
bool has_punycode(const struct question *, const struct answer *);

#endif
