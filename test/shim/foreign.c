/* What processes do to themselves around a lookup. `foreign TASK NAME [COUNT]` prints a line for each lookup that tells
 * something: what was done, and the first address found or what libc calls the failure. */
#define _GNU_SOURCE 1
#include "filter.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static const char *self, *name;
static int count;
static char **numbers; /* the words after the count */

static const char *by_list(char text[INET6_ADDRSTRLEN]) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    int error = getaddrinfo(name, "80", &hints, &list);
    if (error)
        return gai_strerror(error);
    inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr, text, INET6_ADDRSTRLEN);
    freeaddrinfo(list);
    return text;
}

static const char *by_hostent(char text[INET6_ADDRSTRLEN]) {
    char buffer[1024];
    struct hostent host, *found = NULL;
    int h_error;
    if (gethostbyname_r(name, &host, buffer, sizeof buffer, &found, &h_error) != 0 || !found)
        return "nothing";
    return inet_ntop(AF_INET, found->h_addr_list[0], text, INET6_ADDRSTRLEN);
}

static void tell(const char *what) {
    char one[INET6_ADDRSTRLEN], other[INET6_ADDRSTRLEN];
    const char *address = by_list(one), *again = by_hostent(other);
    printf("%s %s%s%s\n", what, address, address == one && strcmp(one, again) ? " and " : "",
           address == one && strcmp(one, again) ? again : "");
    fflush(stdout);
}

static int open_descriptors(void) {
    DIR *directory = opendir("/proc/self/fd");
    int found = 0;
    while (directory && readdir(directory))
        found++;
    if (directory)
        closedir(directory);
    return found;
}

static _Atomic int stopping, ready;

static void *list_for_ever(void *unused) {
    char text[INET6_ADDRSTRLEN];
    while (!stopping) {
        by_list(text);
        pthread_testcancel();
    }
    return unused;
}

static void *hostent_for_ever(void *unused) {
    char text[INET6_ADDRSTRLEN];
    while (!stopping) {
        by_hostent(text);
        pthread_testcancel();
    }
    return unused;
}

/* Without malloc, in which nobody may be cancelled so: a hit or a question, with few addresses. */
static void *hostent_at_any_moment(void *unused) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    ready = 1;
    char text[INET6_ADDRSTRLEN];
    for (;;) {
        by_hostent(text);
        pthread_testcancel(); /* musl forgets one that came while it was not allowed */
    }
    return unused;
}

static void cancel(const char *what, void *(*run)(void *)) {
    int before = open_descriptors(), cancelled = 0;
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        void *ended;
        ready = run != hostent_at_any_moment;
        pthread_create(&thread, NULL, run, NULL);
        while (!ready)
            sched_yield();
        usleep((useconds_t)(i * 37 % 700));
        pthread_cancel(thread);
        pthread_join(thread, &ended);
        cancelled += ended == PTHREAD_CANCELED;
    }
    if (cancelled != count || open_descriptors() != before)
        printf("%d of %d cancelled, %d descriptors more\n", cancelled, count, open_descriptors() - before);
    tell(what);
}

static void cancellation(void) {
    tell("first");
    cancel("getaddrinfo", list_for_ever);
    cancel("gethostbyname_r", hostent_for_ever);
    cancel("asynchronous", hostent_at_any_moment);
}

static void wait_for(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    if (status != 0)
        printf("a child ended with %#x\n", (unsigned)status);
}

static void children(void) {
    pthread_t threads[2];
    if (strcmp(getenv("DNS_CACHE_DIR"), "/nowhere") != 0) /* who is forked while a table is mapped asks the server */
        by_list((char[INET6_ADDRSTRLEN]){0});
    pthread_create(&threads[0], NULL, list_for_ever, NULL);
    pthread_create(&threads[1], NULL, hostent_for_ever, NULL);
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            tell("fork");
            _exit(0);
        }
        wait_for(child);
        char *arguments[] = {(char *)self, "look", (char *)name, NULL};
        if ((child = vfork()) == 0) {
            execv(self, arguments);
            _exit(127);
        }
        wait_for(child);
        posix_spawn(&child, self, NULL, NULL, arguments, environ);
        wait_for(child);
    }
    stopping = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void look(void) {
    tell("look");
}

static void change_root(void) {
    if (chroot(getenv("ROOT")) != 0 || chdir("/") != 0)
        exit(3);
}

static void chroot_after(void) {
    tell("before");
    change_root();
    tell("after");
}

static void chroot_before(void) {
    change_root();
    tell("after");
}

static void become_other(void) {
    tell("before");
    if (setgid(65534) != 0 || setuid(65534) != 0)
        exit(2);
    tell("after");
}

/* All descriptors are closed between two lookups, and each number is at once a file of the program's own. */
static void descriptors_reused(void) {
    enum { FILES = 40 };
    tell("before");
    for (int i = 0; i < count; i++) {
        syscall(436 /* close_range */, 3u, ~0u, 0u);
        int fds[FILES];
        for (int file = 0; file < FILES; file++) {
            fds[file] = memfd_create("own", MFD_CLOEXEC);
            if (write(fds[file], "0123456789", 10) != 10 || lseek(fds[file], 5, SEEK_SET) != 5)
                exit(2);
        }
        char text[INET6_ADDRSTRLEN], bytes[11] = "";
        by_list(text);
        by_hostent(text);
        for (int file = 0; file < FILES; file++)
            if (lseek(fds[file], 0, SEEK_CUR) != 5 || pread(fds[file], bytes, 10, 0) != 10 ||
                strcmp(bytes, "0123456789") != 0)
                printf("file %d was touched\n", fds[file]);
    }
    tell("after");
}

static void *tell_of_stack(void *unused) {
    char one[INET6_ADDRSTRLEN], other[INET6_ADDRSTRLEN];
    const char *address = by_list(one), *again = by_hostent(other);
    return address == one && strcmp(one, again) == 0 ? unused : NULL;
}

static void small_stack(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    void *ended = NULL;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, (size_t)count) != 0 ||
        pthread_create(&thread, &attributes, tell_of_stack, &count) != 0)
        exit(2);
    pthread_join(thread, &ended);
    tell(ended ? "fine" : "failed");
}

static _Atomic int alarms, failures_in_alarms;

static void count_alarm(int unused) {
    (void)unused;
    alarms++;
}

static char expected[INET6_ADDRSTRLEN];

static void look_up_in_alarm(int unused) {
    (void)unused;
    int before = errno;
    char text[INET6_ADDRSTRLEN];
    if (strcmp(by_hostent(text), expected) != 0)
        failures_in_alarms++;
    alarms++;
    errno = before;
}

static void storm(void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {.it_interval.tv_usec = 500, .it_value.tv_usec = 500}, never = {0};
    char text[INET6_ADDRSTRLEN];
    setitimer(ITIMER_REAL, &often, NULL);
    int failed = 0;
    alarms = 0;
    for (int i = 0; i < count || alarms < 20; i++)
        failed += strcmp(by_hostent(text), expected) != 0;
    setitimer(ITIMER_REAL, &never, NULL);
    if (failed || failures_in_alarms)
        printf("%d failed, and %d within the handler\n", failed, failures_in_alarms);
}

static void signals(void) {
    tell("before");
    by_hostent(expected);
    storm(count_alarm, 0);
    storm(count_alarm, SA_RESTART);
    tell("after");
}

static void signals_that_look_up(void) {
    tell("before");
    by_hostent(expected);
    storm(look_up_in_alarm, 0);
    storm(look_up_in_alarm, SA_RESTART);
    tell("after");
}

static void unix_sockets_forbidden(void) {
    forbid(SYS_socket, AF_UNIX, FAILS | (uint32_t)count);
    tell("first");
    tell("second");
}

/* COUNT and all words after it are the numbers of the only calls that are allowed from then on. */
static void listed_calls_only(void) {
    struct instruction filter[256] = {{LOAD, 0, 0, NUMBER_AT}};
    uint16_t length = 1;
    for (char **number = numbers; *number; number++) {
        filter[length++] = (struct instruction){IS_EQUAL, 0, 1, (uint32_t)atoi(*number)};
        filter[length++] = (struct instruction){RETURN, 0, 0, ALLOWED};
    }
    filter[length++] = (struct instruction){RETURN, 0, 0, KILLS};
    struct {
        uint16_t length;
        struct instruction *filter;
    } program = {length, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, FILTER_MODE, &program, 0, 0) != 0)
        exit(2);
    tell("first");
    sleep(2); /* so that all is due that is done once in a second */
    tell("second");
}

/* Is the map of a table locked, in a process that locks all its memory to come? */
static void locked(void) {
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        exit(2);
    tell("look");
    char line[512];
    int is_table = 0;
    FILE *file = fopen("/proc/self/smaps", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strstr(line, "/cache.table"))
            is_table = 1;
        if (!is_table || strncmp(line, "VmFlags:", 8) != 0)
            continue;
        puts(strstr(line, " lo ") ? "locked" : "not locked");
        is_table = 0;
    }
    fclose(file);
}

static void cleared(void) {
    clearenv();
    tell("cleared");
}

static void aliased(void) {
    tell("before");
    setenv("HOSTALIASES", numbers[-1], 1);
    name = "short";
    tell("after");
}

/* The clock stands meanwhile, so that nothing is due that is done once in a second. */
static _Atomic int clock_stands;
static struct timespec standing[8];

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!clock_stands)
        return (int)syscall(SYS_clock_gettime, clock, now);
    *now = standing[clock % 8];
    return 0;
}

static void sockets_are_death(void) {
    for (int clock = 0; clock < 8; clock++)
        syscall(SYS_clock_gettime, clock, &standing[clock]);
    clock_stands = 1;
    tell("before");
    forbid(SYS_socket, -1, KILLS);
    forbid(SYS_openat, -1, KILLS);
    for (int i = 0; i < count; i++)
        tell("after");
}

/* Where a filter lists what libc's own lookups need, there is no other call for waiting on x86-64 than poll(). */
static void only_poll_waits(void) {
    tell("before");
#ifdef SYS_poll
    forbid(SYS_ppoll, -1, KILLS);
#endif
    tell("after");
}

static void no_descriptor_left(void) {
    struct rlimit limit, none = {.rlim_cur = 3};
    tell("before");
    getrlimit(RLIMIT_NOFILE, &limit);
    none.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &none);
    sleep(2); /* so that all is due that is done once in a second */
    tell("without");
    setrlimit(RLIMIT_NOFILE, &limit);
    tell("after");
}

static long size_of_process(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld", &pages) != 1)
        exit(2);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* In a child for each limit; whatever it finds is told unless it is the failure that a lack of memory makes. */
static void address_space(void) {
    for (long more = 8 << 20; more >= 0; more = more > 4096 ? more / 2 : more - 4096) {
        pid_t child = fork();
        if (child == 0) {
            char text[INET6_ADDRSTRLEN];
            rlim_t bytes = (rlim_t)(size_of_process() + more);
            setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes});
            by_list(text);
            by_hostent(text);
            _exit(0);
        }
        wait_for(child);
    }
    rlim_t bytes = (rlim_t)(size_of_process() + (64 << 20));
    setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes});
    tell("at last");
}

/* A table may take a part of a limited address space only: COUNT is the limit, in MiB. */
static void room_later(void) {
    struct rlimit limit, little;
    getrlimit(RLIMIT_AS, &limit);
    little = (struct rlimit){(rlim_t)count << 20, limit.rlim_max};
    setrlimit(RLIMIT_AS, &little);
    tell("without");
    setrlimit(RLIMIT_AS, &limit);
    sleep(2); /* so that all is due that is done once in a second */
    by_list((char[INET6_ADDRSTRLEN]){0});
    tell("with");
}

/* As a program that starts others without a copy of itself, and does too much before it executes them. */
static int look_in_shared_memory(void *unused) {
    (void)unused;
    tell("within");
    return 0;
}

static void shared_memory(void) {
    static _Alignas(16) char stack[1 << 18];
    tell("before");
    for (int i = 0; i < count; i++)
        wait_for(clone(look_in_shared_memory, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
    tell("after");
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } TASKS[] = {{"cancellation", cancellation},
                 {"children", children},
                 {"look", look},
                 {"chroot-after", chroot_after},
                 {"chroot-before", chroot_before},
                 {"become-other", become_other},
                 {"descriptors-reused", descriptors_reused},
                 {"small-stack", small_stack},
                 {"signals", signals},
                 {"signals-that-look-up", signals_that_look_up},
                 {"unix-sockets-forbidden", unix_sockets_forbidden},
                 {"sockets-are-death", sockets_are_death},
                 {"only-poll-waits", only_poll_waits},
                 {"listed-calls-only", listed_calls_only},
                 {"locked", locked},
                 {"cleared", cleared},
                 {"aliased", aliased},
                 {"no-descriptor-left", no_descriptor_left},
                 {"address-space", address_space},
                 {"room-later", room_later},
                 {"shared-memory", shared_memory}};
    if (argc < 3)
        return 64;
    self = argv[0];
    name = argv[2];
    count = argc > 3 ? atoi(argv[3]) : 1;
    numbers = argv + (argc > 3 ? 4 : argc);
    for (size_t i = 0; i < sizeof TASKS / sizeof *TASKS; i++)
        if (strcmp(TASKS[i].name, argv[1]) == 0) {
            TASKS[i].run();
            return 0;
        }
    return 64;
}
