/* `damage DIRECTORY SEED COUNT`: damages a live table, or what lies in its place, in COUNT ways that follow from SEED,
 * and looks names up in it. No look-up may bring an address that was never published for its name, nothing may crash,
 * and the mended table must answer again. Where the damaged record's checksum is made right again its content is by
 * definition published: then the result has to be sound, whatever it says.
 *
 * Without a server and with a nameserver that knows no name, so that an address can come from the table alone. */
#include "looks.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS (NW_SLOT_BYTES / 8)
#define PILE_MAX 32
#define FRESH_AGAIN_US 1100000 /* client.so looks at the path once a second */
#define CHILD_LOOKS 3
#define CHILD_DONE 10 /* exit codes from here on: how many of its looks were hits */
#define CHILD_WRONG 99
#define NOBODY 65534

/* In place by this process; in place or by another file, seen by a child that has the old one mapped; a file that is
 * there when a process looks for the first time. */
enum where { IN_PLACE, SEALED, IN_CHILD, FOLLOWED, FRESH };
enum kind {
    BITS,
    HIGH_BITS,
    BYTES,
    RUN,
    NOISE_SET,
    ZERO_SET,
    SWAPPED,
    COPIED_TAG,
    COPIED_RECORD,
    SPLICED,
    FIELDS,
    SEALED_FIELDS,
    SEALED_NAMES,
    SEALED_NOISE,
    HEADER,
    NEXT_FILE,
    FIRST_FILE,
    KINDS
};
static const struct {
    const char *title;
    enum where where;
    unsigned share; /* of 1000 */
} KIND[KINDS] = {[BITS] = {"flipped bits", IN_PLACE, 120},
                 [HIGH_BITS] = {"high bits in one lane", IN_PLACE, 20},
                 [BYTES] = {"random bytes", IN_PLACE, 100},
                 [RUN] = {"run of noise", IN_PLACE, 100},
                 [NOISE_SET] = {"set of noise", IN_PLACE, 50},
                 [ZERO_SET] = {"set of zeros", IN_PLACE, 30},
                 [SWAPPED] = {"swapped slots", IN_PLACE, 80},
                 [COPIED_TAG] = {"copied tag", IN_PLACE, 60},
                 [COPIED_RECORD] = {"another's record", IN_PLACE, 60},
                 [SPLICED] = {"half of another's record", IN_PLACE, 100},
                 [FIELDS] = {"lengths, counts, offsets", IN_PLACE, 80},
                 [SEALED_FIELDS] = {"the same, sealed again", SEALED, 60},
                 [SEALED_NAMES] = {"names, sealed again", SEALED, 50},
                 [SEALED_NOISE] = {"noise, sealed again", SEALED, 40},
                 [HEADER] = {"header", IN_CHILD, 25},
                 [NEXT_FILE] = {"next file", FOLLOWED, 15},
                 [FIRST_FILE] = {"first file", FRESH, 10}};

static struct { unsigned long damages, hits, misses; } counts[KINDS];
static unsigned long mended_hits;

static const char *directory;
static char path[128], kept[128], aside[128];
static uint8_t *table, whole[TABLE_BYTES], other[TABLE_BYTES]; /* the file, what is right, and a file that is not */
static int slots[NAMES][2];
static unsigned pile; /* damages since the table was whole */

/* For whoever reads of a crash. */
static char now_at[128];

static uint64_t random_state;
static uint64_t random_word(void) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static unsigned below(unsigned limit) {
    return (unsigned)(random_word() % limit);
}

static void make_noise(uint8_t *at, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)random_word();
}

static void crashed(int number) {
    if (write(2, "\ncrashed at ", 12) < 0 || write(2, now_at, strlen(now_at)) < 0 || write(2, "\n", 1) < 0)
        _exit(CHILD_WRONG);
    signal(number, SIG_DFL);
    raise(number);
}

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", now_at, what);
    exit(CHILD_WRONG);
}

static void check(bool holds, const char *what) {
    if (!holds)
        fail(what);
}

/* ---- What is damaged in place */

static unsigned slot_of(unsigned i) {
    int slot;
    do
        slot = slots[i][below(2)];
    while (slot < 0);
    return (unsigned)slot;
}

static unsigned some_name(void) {
    unsigned i;
    do
        i = below(NAMES);
    while (slots[i][0] < 0 || slots[i][1] < 0);
    return i;
}

/* A number of the kind that a decoder forgets. */
static uint16_t odd_number(uint16_t right) {
    static const uint16_t ODD[] = {0,   1,   7,   8,   51,  52,  56,  127,    128,    253,    254,
                                   255, 256, 488, 503, 504, 505, 512, 0x7fff, 0x8000, 0xfff8, 0xffff};
    switch (below(4)) {
    case 0:
        return ODD[below(sizeof ODD / sizeof *ODD)];
    case 1:
        return (uint16_t)(right + below(33) - 16);
    case 2:
        return (uint16_t)below(NW_SLOT_BYTES + 1);
    default:
        return (uint16_t)random_word();
    }
}

static void damage_field(uint8_t *record) {
    static const uint8_t AT[] = {NW_RECORD_LENGTH, NW_RECORD_DATA_COUNT, NW_RECORD_DATA_OFFSET, NW_RECORD_TYPE};
    uint16_t right;
    unsigned field = below(6);
    if (field < 4) {
        memcpy(&right, record + AT[field], 2);
        put16(record + AT[field], odd_number(right));
    } else {
        uint8_t *at = record + (field == 4 ? NW_RECORD_OUTCOME : NW_RECORD_CHAIN_COUNT);
        *at = (uint8_t)odd_number(*at);
    }
}

/* Also where there are no names. */
static void damage_names(uint8_t *record) {
    uint8_t *at = record + NW_RECORD_NAMES;
    for (unsigned step = below(4); step > 0 && at + 1 + at[0] < record + NW_SLOT_BYTES; step--)
        at += 1 + at[0];
    if (below(2))
        *at = (uint8_t)odd_number(*at);
    else
        at[below((unsigned)(record + NW_SLOT_BYTES - at))] = (uint8_t)random_word();
}

/* A length that has a checksum, so that what lies behind that test is reached. */
static void seal_again(uint8_t *record) {
    if (below(2) || !seal(record)) {
        toggle(record, NW_SLOT_BYTES);
        put16(record + NW_RECORD_LENGTH, (uint16_t)(56 + 16 * below(29)));
        toggle(record, NW_SLOT_BYTES);
        check(seal(record), "the fuzzer's own lengths are wrong");
    }
}

static void copy_words(uint8_t *to, const uint8_t *from, unsigned first, unsigned end) {
    if (end > first)
        memcpy(to + first * 8, from + first * 8, (end - first) * 8);
}

static void swap(uint8_t *a, uint8_t *b, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        uint8_t kept_byte = a[i];
        a[i] = b[i];
        b[i] = kept_byte;
    }
}

static void damage_in_place(enum kind kind, unsigned victim) {
    unsigned slot = slot_of(victim), another = slot_of(some_name());
    uint8_t *record = slot_at(table, slot), *set = set_at(table, slot / NW_WAYS);
    unsigned at;
    switch (kind) {
    case BITS:
        for (unsigned i = 1 + below(8); i > 0; i--)
            record[below(NW_SLOT_BYTES)] ^= (uint8_t)(1u << below(8));
        break;
    case HIGH_BITS: /* of words that the mix takes in one after the other: they must not cancel */
        at = 8 * (1 + below(12));
        record[at + 7] ^= 0x80;
        record[at + 16 + 7] ^= 0x80;
        record[at + 16 + 3] ^= 0x80;
        break;
    case BYTES:
        for (unsigned i = 1 + below(16); i > 0; i--)
            (below(4) ? record + below(NW_SLOT_BYTES) : set + below(NW_SET_BYTES))[0] = (uint8_t)random_word();
        break;
    case RUN:
        at = below(NW_SLOT_BYTES);
        make_noise(record + at, 1 + below(NW_SLOT_BYTES - at));
        break;
    case NOISE_SET: /* where the tags are left, the looks reach the slots */
        at = below(2) ? NW_TAG_LINE_BYTES : 0;
        make_noise(set + at, NW_SET_BYTES - at);
        break;
    case ZERO_SET:
        at = below(2) ? NW_TAG_LINE_BYTES : 0;
        memset(set + at, 0, NW_SET_BYTES - at);
        break;
    case SWAPPED:
        swap(record, slot_at(table, another), NW_SLOT_BYTES);
        if (below(2))
            swap(tag_at(table, slot), tag_at(table, another), NW_TAG_BYTES);
        break;
    case COPIED_TAG: /* the name's own tag on other slots of its set, before or behind its own */
        for (unsigned way = 0; way < NW_WAYS; way++)
            if (below(2))
                memcpy(set + way * NW_TAG_BYTES, tag_at(table, slot), NW_TAG_BYTES);
        break;
    case COPIED_RECORD:
        memcpy(record, slot_at(whole, another), NW_SLOT_BYTES);
        break;
    case SPLICED:
        at = below(WORDS);
        copy_words(record, slot_at(whole, another), at, below(3) ? WORDS : at + below(WORDS - at));
        break;
    case FIELDS:
    case SEALED_FIELDS:
        toggle(record, NW_SLOT_BYTES);
        for (unsigned i = 1 + below(3); i > 0; i--)
            damage_field(record);
        toggle(record, NW_SLOT_BYTES);
        break;
    case SEALED_NAMES:
        toggle(record, NW_SLOT_BYTES);
        for (unsigned i = 1 + below(3); i > 0; i--)
            damage_names(record);
        toggle(record, NW_SLOT_BYTES);
        break;
    default:
        for (unsigned i = 1 + below(16); i > 0; i--)
            record[8 + below(NW_SLOT_BYTES - 8)] = (uint8_t)random_word();
        break;
    }
    if (KIND[kind].where == SEALED)
        seal_again(record);
}

/* ---- What is damaged in the header */

static void damage_header(uint8_t *header) {
    uint64_t now = clock_ms();
    const uint64_t TIMES[] = {0,          1,          now - NW_HEARTBEAT_OLD_MS, now + 500,
                              now + 5000, UINT64_MAX, UINT64_MAX - 1000,         random_word()};
    const uint32_t SET_COUNTS[] = {
        0, 1, SETS / 2, SETS - 1, SETS + 1, NW_ENTRIES_MAX / NW_WAYS, UINT32_MAX, (uint32_t)random_word()};
    switch (below(9)) {
    case 0:
        put32(header + NW_HEADER_STATE, below(2) ? NW_STATE_RETIRED : (uint32_t)random_word());
        break;
    case 1:
        put64(header + NW_HEADER_HEARTBEAT_MS, TIMES[below(8)]);
        break;
    case 2:
        put32(header + NW_HEADER_SET_COUNT, SET_COUNTS[below(8)]);
        break;
    case 3:
        make_noise(header + NW_HEADER_SEED_A, 16);
        break;
    case 4:
        make_noise(header + NW_HEADER_EPOCH, 8);
        break;
    case 5:
        put32(header + NW_HEADER_LAYOUT_VERSION, NW_LAYOUT_VERSION + 1);
        break;
    case 6:
        make_noise(header + 8 + below(80), 1 + below(8));
        break;
    case 7:
        memset(header, 0, NW_HEADER_BYTES);
        break;
    default:
        make_noise(header, NW_HEADER_BYTES);
    }
}

/* ---- What lies in the table's place instead */

static void write_file(const uint8_t *bytes, size_t length, off_t size) {
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    check(fd >= 0 && write(fd, bytes, length) == (ssize_t)length && ftruncate(fd, size) == 0, "cannot write a file");
    close(fd);
}

/* True: only who has no rights will notice. */
static bool put_other_file(void) {
    size_t length = TABLE_BYTES;
    bool is_forbidden = false;
    memcpy(other, whole, TABLE_BYTES);
    put64(other + NW_HEADER_HEARTBEAT_MS, clock_ms());
    check(unlink(path) == 0, "cannot remove the table's name");
    switch (below(11)) {
    case 0:
        check(mkdir(path, 0755) == 0, "mkdir");
        return false;
    case 1:
        check(mkfifo(path, 0644) == 0, "mkfifo");
        return false;
    case 2:
        check(symlink(kept, path) == 0, "symlink");
        return false;
    case 3:
        is_forbidden = true;
        break;
    case 4:
        length = below(TABLE_BYTES);
        break;
    case 5:
        length = below(2) ? 0 : below(2) ? NW_HEADER_BYTES : below(NW_HEADER_BYTES);
        break;
    case 6: /* as its count says, or less by a little */
        put32(other + NW_HEADER_SET_COUNT, 1 + below(SETS));
        uint32_t sets;
        memcpy(&sets, other + NW_HEADER_SET_COUNT, 4);
        length = NW_HEADER_BYTES + sets * NW_SET_BYTES - below(2) * below(NW_SET_BYTES);
        break;
    case 7:
        length = NW_HEADER_BYTES + below(SETS) * NW_SET_BYTES;
        make_noise(other + length, TABLE_BYTES - length);
        length = TABLE_BYTES;
        break;
    case 8: /* 2 GiB of holes */
        put32(other + NW_HEADER_SET_COUNT, NW_ENTRIES_MAX / NW_WAYS);
        write_file(other, TABLE_BYTES, NW_HEADER_BYTES + (off_t)NW_ENTRIES_MAX / NW_WAYS * NW_SET_BYTES - below(2));
        check(rename(aside, path) == 0, "rename");
        return false;
    default:
        damage_header(other);
    }
    write_file(other, length, (off_t)length);
    check(chmod(aside, is_forbidden ? 0 : 0644) == 0 && rename(aside, path) == 0, "rename");
    return is_forbidden;
}

static void put_back(void) {
    check((unlink(path) == 0 || rmdir(path) == 0) && link(kept, path) == 0, "cannot put the table back");
}

/* ---- Looks */

static void look(enum kind kind, unsigned i, bool strict) {
    enum look look = look_up(i, (enum way)below(WAYS_TO_LOOK), strict);
    if (look == LOOK_WRONG)
        fail(complaint);
    if (look == LOOK_HIT)
        counts[kind].hits++;
    else
        counts[kind].misses++;
}

static void look_in_child(enum kind kind, bool drops_rights) {
    pid_t child = fork();
    if (child == 0) {
        int hits = CHILD_DONE;
        if (drops_rights && setuid(NOBODY) != 0)
            _exit(CHILD_DONE); /* no root here: the file's owner is refused as well */
        for (int i = 0; i < CHILD_LOOKS; i++) {
            enum look found = look_up(below(NAMES), (enum way)below(WAYS_TO_LOOK), true);
            if (found == LOOK_WRONG)
                fail(complaint);
            hits += found == LOOK_HIT;
        }
        _exit(hits);
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) < CHILD_DONE || WEXITSTATUS(status) > CHILD_DONE + CHILD_LOOKS)
        fail("the child crashed or found what was never published");
    counts[kind].hits += (unsigned)WEXITSTATUS(status) - CHILD_DONE;
    counts[kind].misses += CHILD_LOOKS - ((unsigned)WEXITSTATUS(status) - CHILD_DONE);
}

static void beat(void) {
    put64(table + NW_HEADER_HEARTBEAT_MS, clock_ms());
}

/* And then it must answer: a fuzzer that only sees misses proves nothing. */
static void mend(bool looks) {
    memcpy(table, whole, TABLE_BYTES);
    beat();
    pile = 0;
    unsigned i;
    enum way way;
    do
        i = below(NAMES), way = (enum way)below(WAYS_TO_LOOK);
    while (!has_hit(i, way, slots));
    enum look found = looks ? look_up(i, way, true) : LOOK_HIT;
    if (found != LOOK_HIT)
        fail(found == LOOK_WRONG ? complaint : "the mended table does not answer");
    mended_hits += looks;
}

static enum kind kind_of_turn(void) {
    unsigned at = below(1000), kind = 0;
    for (; kind < KINDS - 1 && at >= KIND[kind].share; kind++)
        at -= KIND[kind].share;
    return (enum kind)kind;
}

static void turn(enum kind kind) {
    enum where where = KIND[kind].where;
    unsigned victim = some_name();
    if (pile && where != IN_PLACE)
        mend(true);
    counts[kind].damages++;
    if (where == IN_PLACE || where == SEALED) {
        damage_in_place(kind, victim);
        pile++;
        beat();
        look(kind, victim, where == IN_PLACE);
        look(kind, below(2) ? victim : below(NAMES), where == IN_PLACE);
        if (where == SEALED || pile == PILE_MAX || below(2))
            mend(true);
        return;
    }
    bool drops_rights = false;
    if (where == IN_CHILD) {
        damage_header(table);
    } else {
        drops_rights = put_other_file();
        if (where == FOLLOWED && below(2))
            put32(table + NW_HEADER_STATE, NW_STATE_RETIRED);
        else if (where == FOLLOWED)
            put64(table + NW_HEADER_HEARTBEAT_MS, clock_ms() - 2 * NW_HEARTBEAT_OLD_MS);
    }
    look_in_child(kind, drops_rights);
    if (where != IN_CHILD)
        put_back();
    mend(where != FRESH);
}

static void make_table(void) {
    snprintf(path, sizeof path, "%s/cache.table", directory);
    snprintf(kept, sizeof kept, "%s/cache.table.kept", directory);
    snprintf(aside, sizeof aside, "%s/cache.table.aside", directory);
    check(write_table(whole, slots), "no boot id");
    int fd = open(kept, O_RDWR | O_CREAT | O_EXCL, 0644);
    check(fd >= 0 && write(fd, whole, TABLE_BYTES) == TABLE_BYTES && link(kept, path) == 0, "cannot make the table");
    table = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(table != MAP_FAILED, "cannot map the table");
    close(fd);
}

/* What a process finds at its first look comes first, since each turn's child inherits what this process has looked at.
 */
static void run(uint64_t seed, unsigned long count, bool is_first) {
    for (unsigned long number = 0; number < count; number++) {
        random_state = seed ^ (number + 1) * 0xd1342543de82ef95u;
        enum kind kind = kind_of_turn();
        if ((KIND[kind].where == FRESH) != is_first)
            continue;
        snprintf(now_at, sizeof now_at, "damage %lu (%s) of seed %llu", number, KIND[kind].title,
                 (unsigned long long)seed);
        turn(kind);
    }
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    directory = argv[1];
    uint64_t seed = strtoull(argv[2], NULL, 0);
    unsigned long count = strtoul(argv[3], NULL, 0);
    const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    for (int i = 0; i < 5; i++)
        signal(SIGNALS[i], crashed);
    make_table();
    run(seed, count, true);
    mend(true);
    usleep(FRESH_AGAIN_US);
    run(seed, count, false);
    mend(true);
    for (int kind = 0; kind < KINDS; kind++)
        printf("%-26s %7lu damages %7lu hits %7lu misses\n", KIND[kind].title, counts[kind].damages, counts[kind].hits,
               counts[kind].misses);
    printf("mended: %lu hits\n", mended_hits);
    return 0;
}
