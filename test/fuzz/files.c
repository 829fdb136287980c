/* `files SEED COUNT`: writes the files of /etc in COUNT ways that follow from SEED, most of them with a sound search
 * list and the rest of pieces in any order, and has names of every length and addresses judged under each. Every
 * candidate has to be a whole name within its bounds; the sanitizers see whatever leaves them. */
#define _GNU_SOURCE 1
#include "lookup.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NAMES 6
#define NAME_ROOM 400
#define LABEL_BYTES 63

static uint64_t state;

static unsigned below(unsigned limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 16) % limit;
}

/* Two seconds later each time, so that the files are looked at again at once. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    static time_t seconds = 1000;
    if (clock == CLOCK_REALTIME)
        return (int)syscall(SYS_clock_gettime, clock, now);
    *now = (struct timespec){.tv_sec = seconds += 2};
    return 0;
}

static FILE *begin(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file)
        exit(2);
    return file;
}

static void write_pieces(const char *path) {
    static const char *const PIECES[] = {"search ",
                                         "domain ",
                                         "options ",
                                         "nameserver ",
                                         "sortlist ",
                                         "ndots:",
                                         "no-aaaa",
                                         "hosts:",
                                         "files",
                                         "dns",
                                         "[NOTFOUND=return]",
                                         "reorder",
                                         "label",
                                         "127.0.0.1",
                                         "10.0.0.1",
                                         "::1",
                                         "fe80::1%x",
                                         "b.c",
                                         "::ffff:127.0.0.1",
                                         "xn--a",
                                         "a",
                                         ".",
                                         "..",
                                         "-",
                                         "_",
                                         "15",
                                         "#",
                                         ";",
                                         " ",
                                         "\t",
                                         "\r",
                                         "\n",
                                         "\n",
                                         "\n"};
    FILE *file = begin(path);
    for (unsigned left = below(20) ? below(40) : 2000; left > 0; left--) {
        if (below(12) == 0)
            fputc((int)below(256), file);
        else
            fputs(PIECES[below(sizeof PIECES / sizeof *PIECES)], file);
    }
    fclose(file);
}

static void write_text(const char *path, const char *text) {
    FILE *file = begin(path);
    fputs(text, file);
    fclose(file);
}

static char letter(void) {
    return "abcXYZ09-_"[below(10)];
}

static void write_search_list(void) {
    FILE *file = begin("/etc/resolv.conf");
    fputs("nameserver 10.0.0.1\nsearch", file);
    for (unsigned domains = below(34); domains > 0; domains--) {
        fputc(' ', file);
        unsigned length = 1 + below(below(4) ? 20 : NW_NAME_BYTES_MAX);
        for (unsigned i = 0; i < length; i++)
            fputc(i % LABEL_BYTES == LABEL_BYTES - 1 ? '.' : letter(), file);
    }
    fprintf(file, "\noptions ndots:%u\n", below(17));
    fclose(file);
}

static void write_files(void) {
    static const char *const OTHERS[] = {"/etc/hosts", "/etc/host.conf", "/etc/gai.conf"};
    bool any = below(4) == 0;
    if (below(3) == 0)
        write_pieces("/etc/resolv.conf");
    else
        write_search_list();
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        any ? write_pieces(OTHERS[i]) : write_text(OTHERS[i], "");
    any ? write_pieces("/etc/nsswitch.conf") : write_text("/etc/nsswitch.conf", "hosts: files dns\n");
}

static void make_name(char name[NAME_ROOM]) {
    unsigned length = below(4) ? below(NW_NAME_BYTES_MAX + 7) : NW_NAME_BYTES_MAX - 8 + below(14);
    for (unsigned i = 0; i < length; i++)
        name[i] = i % (LABEL_BYTES + 1) == LABEL_BYTES || (i && name[i - 1] != '.' && below(9) == 0) ? '.' : letter();
    name[length] = '\0';
}

static long judge_name(void) {
    char name[NAME_ROOM];
    struct question *question = malloc(sizeof *question); /* for the sanitizer to see any step beyond it */
    long candidates = 0;
    make_name(name);
    if (eligible(name, question)) {
        for (unsigned i = 0; i < question->candidate_count; i++) {
            if (!candidate(question, i))
                continue;
            candidates++;
            if (question->length > NW_NAME_BYTES_MAX || question->length < question->asked_length ||
                strlen(question->spelled) != question->length || strlen(question->name) != question->length)
                abort();
        }
        if (!candidate(question, question->as_is) || question->length != question->asked_length)
            abort();
    }
    free(question);
    return candidates;
}

static void judge_address(void) {
    uint8_t any[16], mapped[16];
    for (size_t i = 0; i < sizeof any; i++)
        any[i] = (uint8_t)below(256);
    map_v4(any, mapped);
    struct question *question = malloc(sizeof *question);
    eligible_address(below(2) ? AF_INET : AF_INET6, below(4) ? any : mapped, question);
    free(question);
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 64;
    state = strtoull(argv[1], NULL, 10) * 0x9e3779b97f4a7c15 + 1;
    long candidates = 0;
    for (long left = atol(argv[2]); left > 0; left--) {
        write_files();
        for (int i = 0; i < NAMES; i++) {
            candidates += judge_name();
            judge_address();
        }
    }
    printf("%ld candidates\n", candidates);
    return 0;
}
