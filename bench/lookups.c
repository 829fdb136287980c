/* Times one libc call by looking names up with it, and checks every answer. Arguments are FIELD=VALUE, see `read_job`.
 * The names are LABEL NUMBER.SUFFIX; benchUpstream.ts has the same rule for their addresses: `n` has one per family,
 * `m` has four, `o` has one of IPv4 and none of IPv6; IPv4 is 10.x.y.z with x.y.z = NUMBER and up, IPv6 is 2001:db8::
 * and the same four bytes. Prints one line: calls in a sample, lookups, calls per second of all processes, ns per call:
 * median, p90, p99. A wrong answer ends it with 1. Not timed: making the names. Timed: looking at the addresses, as any
 * caller does. */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX (1 << 17)
#define PROCESSES_MAX 16
#define BATCH_MAX 16
#define FAST_NS 2000 /* below this the clock's own 20 to 40 ns would show in a sample of one call */
#define NAME_SIZE 64
#define SWEEP_NS_MAX 2000000000
/* Lookups before the clock starts: sockets, files and caches of a process's start are not timed. */
#define UNCOUNTED "200"
#define UNCOUNTED_EACH "20"

enum call { GETHOSTBYNAME_R, GETADDRINFO_INET, GETADDRINFO_UNSPEC };

struct job {
    enum call call;
    char label;
    uint32_t first, names;   /* FIRST and the next ones */
    const uint32_t *numbers; /* or these, from a file */
    const char *suffix;
    bool in_order;            /* each name once, one call a sample; otherwise at random */
    bool sweep;               /* all names are looked up once before the clock starts */
    uint64_t millis, lookups; /* whichever ends first */
    uint32_t batch;           /* 0: by how fast the call is */
    uint32_t uncounted;
    int processes;
    uint64_t seed;
};

struct name {
    char text[NAME_SIZE];
    uint32_t number;
};

struct outcome {
    uint64_t lookups, elapsed_ns;
    uint32_t batch, samples;
    float ns[SAMPLES_MAX];
};

struct shared {
    _Atomic int waiting;
    struct outcome outcomes[];
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t address_count(const struct job *job) {
    return job->label == 'm' ? 4 : 1;
}

/* The bit of this address among those that the name has; 0 for a foreign one. */
static uint32_t bit_of(const struct job *job, const void *last_four, uint32_t number) {
    uint32_t value;
    memcpy(&value, last_four, 4);
    uint32_t place = ntohl(value) - (0x0a000000u + number);
    return place < address_count(job) ? 1u << place : 0;
}

static uint32_t bit_of_v6(const struct job *job, const unsigned char *address, uint32_t number) {
    static const unsigned char prefix[12] = {0x20, 0x01, 0x0d, 0xb8};
    uint32_t bit = memcmp(address, prefix, sizeof prefix) == 0 ? bit_of(job, address + 12, number) : 0;
    return bit << 4;
}

static bool by_gethostbyname_r(const struct job *job, const struct name *name) {
    struct hostent entry, *result = NULL;
    char buffer[1024];
    int error = 0;
    int code = gethostbyname_r(name->text, &entry, buffer, sizeof buffer, &result, &error);
    if (code != 0 || !result) {
        fprintf(stderr, "gethostbyname_r %s: %d, h_errno %d\n", name->text, code, error);
        return false;
    }
    uint32_t seen = 0, count = 0;
    for (char **address = result->h_addr_list; *address; address++, count++)
        seen |= bit_of(job, *address, name->number);
    if (count == address_count(job) && seen == (1u << count) - 1)
        return true;
    fprintf(stderr, "gethostbyname_r %s: wrong addresses\n", name->text);
    return false;
}

static bool by_getaddrinfo(const struct job *job, const struct name *name) {
    bool v4_only = job->call == GETADDRINFO_INET;
    struct addrinfo hints = {.ai_family = v4_only ? AF_INET : AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int code = getaddrinfo(name->text, NULL, &hints, &list);
    if (code != 0) {
        fprintf(stderr, "getaddrinfo %s: %s\n", name->text, gai_strerror(code));
        return false;
    }
    uint32_t seen = 0, count = 0;
    for (const struct addrinfo *entry = list; entry; entry = entry->ai_next, count++) {
        if (entry->ai_family == AF_INET)
            seen |= bit_of(job, &((struct sockaddr_in *)(void *)entry->ai_addr)->sin_addr, name->number);
        else
            seen |= bit_of_v6(job, ((struct sockaddr_in6 *)(void *)entry->ai_addr)->sin6_addr.s6_addr, name->number);
    }
    freeaddrinfo(list);
    uint32_t each = address_count(job), bits = (1u << each) - 1;
    v4_only |= job->label == 'o';
    if (count == (v4_only ? each : 2 * each) && seen == (v4_only ? bits : bits | bits << 4))
        return true;
    fprintf(stderr, "getaddrinfo %s: wrong addresses\n", name->text);
    return false;
}

static void look_up(const struct job *job, const struct name *name) {
    bool right = job->call == GETHOSTBYNAME_R ? by_gethostbyname_r(job, name) : by_getaddrinfo(job, name);
    if (!right)
        exit(1);
}

static void make_name(const struct job *job, uint32_t place, struct name *into) {
    into->number = job->numbers ? job->numbers[place] : job->first + place;
    snprintf(into->text, sizeof into->text, "%c%u.%s", job->label, into->number, job->suffix);
}

static uint32_t random_place(const struct job *job, uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)((*state >> 20) % job->names);
}

static void warm_up(const struct job *job, uint64_t *state) {
    struct name name;
    for (uint32_t i = 0; i < job->uncounted; i++) {
        make_name(job, job->in_order ? i : random_place(job, state), &name);
        look_up(job, &name);
    }
    uint64_t began = now_ns();
    for (uint32_t i = 0; job->sweep && i < job->names && now_ns() - began < SWEEP_NS_MAX; i++) {
        make_name(job, i, &name);
        look_up(job, &name);
    }
}

static uint32_t choose_batch(const struct job *job, uint64_t *state) {
    if (job->in_order)
        return 1;
    if (job->batch)
        return job->batch;
    struct name name;
    uint64_t fastest = UINT64_MAX;
    for (int i = 0; i < 20; i++) {
        make_name(job, random_place(job, state), &name);
        uint64_t began = now_ns();
        look_up(job, &name);
        uint64_t took = now_ns() - began;
        fastest = took < fastest ? took : fastest;
    }
    return fastest < FAST_NS ? BATCH_MAX : 1;
}

static void run(const struct job *job, int process, struct shared *shared) {
    struct outcome *outcome = &shared->outcomes[process];
    uint64_t state = job->seed + (uint64_t)process * 0x9e3779b97f4a7c15u + 1;
    struct name names[BATCH_MAX];
    warm_up(job, &state);
    outcome->batch = choose_batch(job, &state);

    atomic_fetch_sub(&shared->waiting, 1);
    while (atomic_load(&shared->waiting) > 0)
        sched_yield();

    uint32_t next = job->uncounted;
    uint64_t start = now_ns(), end = start + job->millis * 1000000u, ended = start;
    while (ended < end && outcome->lookups < job->lookups && outcome->samples < SAMPLES_MAX) {
        if (job->in_order && next >= job->names)
            break;
        for (uint32_t i = 0; i < outcome->batch; i++)
            make_name(job, job->in_order ? next++ : random_place(job, &state), &names[i]);
        uint64_t began = now_ns();
        for (uint32_t i = 0; i < outcome->batch; i++)
            look_up(job, &names[i]);
        ended = now_ns();
        outcome->elapsed_ns += ended - began;
        outcome->ns[outcome->samples++] = (float)(ended - began) / (float)outcome->batch;
        outcome->lookups += outcome->batch;
    }
}

static int by_size(const void *left, const void *right) {
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

static void report(const struct job *job, struct shared *shared) {
    uint64_t lookups = 0;
    uint32_t samples = 0;
    double per_second = 0;
    float *all = malloc(sizeof *all * SAMPLES_MAX * (size_t)job->processes);
    if (!all)
        exit(2);
    for (int i = 0; i < job->processes; i++) {
        const struct outcome *outcome = &shared->outcomes[i];
        memcpy(all + samples, outcome->ns, sizeof *all * outcome->samples);
        samples += outcome->samples;
        lookups += outcome->lookups;
        per_second += (double)outcome->lookups * 1e9 / (double)outcome->elapsed_ns;
    }
    qsort(all, samples, sizeof *all, by_size);
    printf("%u %llu %.0f %.1f %.1f %.1f\n", shared->outcomes[0].batch, (unsigned long long)lookups, per_second,
           all[samples / 2], all[(uint64_t)samples * 90 / 100], all[(uint64_t)samples * 99 / 100]);
    free(all);
}

static const char *value_of(int argc, char **argv, const char *field, const char *otherwise) {
    size_t length = strlen(field);
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], field, length) == 0 && argv[i][length] == '=')
            return argv[i] + length + 1;
    return otherwise;
}

static void read_numbers(struct job *job, const char *path) {
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) < 0)
        exit(2);
    job->numbers = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, file, 0);
    if (job->numbers == MAP_FAILED)
        exit(2);
    job->names = (uint32_t)(status.st_size / (off_t)sizeof *job->numbers);
    close(file);
}

static struct job read_job(int argc, char **argv) {
#define NUMBER(field, otherwise) strtoull(value_of(argc, argv, field, otherwise), NULL, 10)
    const char *call = value_of(argc, argv, "call", "gethostbyname_r");
    const char *numbers = value_of(argc, argv, "numbers", NULL);
    struct job job = {
        .call = strcmp(call, "gethostbyname_r") == 0  ? GETHOSTBYNAME_R
                : strcmp(call, "getaddrinfo-v4") == 0 ? GETADDRINFO_INET
                                                      : GETADDRINFO_UNSPEC,
        .label = *value_of(argc, argv, "label", "n"),
        .first = (uint32_t)NUMBER("first", "1"),
        .names = (uint32_t)NUMBER("names", "1"),
        .suffix = value_of(argc, argv, "suffix", "bench.example"),
        .in_order = strcmp(value_of(argc, argv, "order", "random"), "each") == 0,
        .sweep = NUMBER("sweep", "0") != 0,
        .millis = NUMBER("millis", "100"),
        .lookups = NUMBER("lookups", "1000000000"),
        .batch = (uint32_t)NUMBER("batch", "0"),
        .processes = (int)NUMBER("processes", "1"),
        .seed = NUMBER("seed", "1"),
    };
    job.uncounted = (uint32_t)NUMBER("uncounted", job.in_order ? UNCOUNTED_EACH : UNCOUNTED);
#undef NUMBER
    if (numbers)
        read_numbers(&job, numbers);
    return job;
}

int main(int argc, char **argv) {
    struct job job = read_job(argc, argv);
    if (job.processes < 1 || job.processes > PROCESSES_MAX || job.batch > BATCH_MAX || job.names == 0)
        return 2;
    size_t size = sizeof(struct shared) + sizeof(struct outcome) * (size_t)job.processes;
    struct shared *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 2;
    atomic_store(&shared->waiting, job.processes);
    for (int i = 0; i < job.processes; i++) {
        pid_t child = fork();
        if (child < 0)
            return 2;
        if (child == 0) {
            run(&job, i, shared);
            _exit(0);
        }
    }
    bool failed = false;
    for (int i = 0; i < job.processes; i++) {
        int status;
        wait(&status);
        if (status == 0)
            continue;
        failed = true;
        atomic_store(&shared->waiting, 0); /* the others wait for it */
    }
    if (failed)
        return 1;
    report(&job, shared);
    return 0;
}
