/* Lookups in a process that makes them hard. `hardship TASK NAME [COUNT]`; exit 0 when all went well, a line otherwise.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *name;
static int count;

/* The first address, or the error's name. */
static const char *look_up(int family, char text[INET6_ADDRSTRLEN]) {
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *list;
    int error = getaddrinfo(name, "80", &hints, &list);
    if (error)
        return gai_strerror(error);
    const void *address = list->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)list->ai_addr)->sin_addr
                                                     : (void *)&((struct sockaddr_in6 *)list->ai_addr)->sin6_addr;
    inet_ntop(list->ai_family, address, text, INET6_ADDRSTRLEN);
    freeaddrinfo(list);
    return text;
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

static int descriptors(void) {
    char text[INET6_ADDRSTRLEN], buffer[1024];
    struct hostent host, *result;
    int h_error;
    look_up(AF_INET, text);
    int before = open_descriptors();
    for (int i = 0; i < count; i++) {
        look_up(i % 2 ? AF_INET : AF_UNSPEC, text);
        if (i % 4 == 0)
            gethostbyname_r(name, &host, buffer, sizeof buffer, &result, &h_error);
    }
    int after = open_descriptors();
    printf("%d descriptors more; at last: %s\n", after - before, look_up(AF_INET, text));
    return after != before;
}

/* A result of thousands of addresses leaves a mark where it is not freed whole. */
static int memory(void) {
    struct rusage before, after;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME}, *list;
    for (int i = 0; i < count; i++) {
        if (i == 10)
            getrusage(RUSAGE_SELF, &before);
        if (getaddrinfo(name, "80", &hints, &list) != 0)
            return printf("lookup %d failed\n", i), 1;
        struct addrinfo *rest = list->ai_next->ai_next; /* in two parts, as some programs do */
        list->ai_next->ai_next = NULL;
        freeaddrinfo(list);
        freeaddrinfo(rest);
    }
    getrusage(RUSAGE_SELF, &after);
    printf("%ld KiB more\n", after.ru_maxrss - before.ru_maxrss);
    return after.ru_maxrss - before.ru_maxrss > 1024;
}

static _Atomic int stopping;

static void *look_up_for_ever(void *unused) {
    (void)unused;
    char text[INET6_ADDRSTRLEN];
    while (!stopping) {
        look_up(AF_INET, text);
        pthread_testcancel();
    }
    return NULL;
}

static int forks(void) {
    pthread_t threads[4];
    int failed = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, look_up_for_ever, NULL);
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            char text[INET6_ADDRSTRLEN];
            alarm(20);
            const char *got = look_up(AF_INET, text);
            struct hostent *host = gethostbyname(name);
            _exit(got == text && host ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        failed += status != 0;
    }
    stopping = 1;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("%d of %d children failed\n", failed, count);
    return failed != 0;
}

static int skip_object(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)info, (void)size, (void)unused;
    return 0;
}

static void *walk_for_ever(void *unused) {
    while (!stopping)
        dl_iterate_phdr(skip_object, NULL);
    return unused;
}

/* As a profiler or a C++ exception in another thread: the child inherits a lock of the loader, for good. */
static int forks_in_loader(void) {
    pthread_t thread;
    int failed = 0;
    pthread_create(&thread, NULL, walk_for_ever, NULL);
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            char text[INET6_ADDRSTRLEN];
            alarm(20);
            _exit(look_up(AF_INET, text) == text ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        failed += status != 0;
    }
    stopping = 1;
    pthread_join(thread, NULL);
    printf("%d of %d children failed\n", failed, count);
    return failed != 0;
}

/* The name is a library's here, whose constructor waits for a thread that looks something up. */
static int plugin(void) {
    alarm(20);
    return dlopen(name, RTLD_NOW) ? 0 : 1;
}

static int cancellation(void) {
    char text[INET6_ADDRSTRLEN];
    look_up(AF_INET, text);
    int before = open_descriptors(), cancelled = 0;
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        void *ended;
        pthread_create(&thread, NULL, look_up_for_ever, NULL);
        usleep((useconds_t)(i * 37 % 2000));
        pthread_cancel(thread);
        pthread_join(thread, &ended);
        cancelled += ended == PTHREAD_CANCELED;
    }
    int after = open_descriptors();
    printf("%d cancelled, %d descriptors more\n", cancelled, after - before);
    return after != before || cancelled != count;
}

/* The stack is painted before and looked at after. */
#define SMALL_STACK 65536
static void *look_up_all_ways(void *unused) {
    (void)unused;
    char text[INET6_ADDRSTRLEN], buffer[2048];
    struct hostent host, *result;
    int h_error;
    if (look_up(AF_UNSPEC, text) != text || gethostbyname_r(name, &host, buffer, sizeof buffer, &result, &h_error) ||
        !gethostbyname(name))
        return (void *)1;
    return NULL;
}

static int small_stack(void) {
    unsigned char *stack = mmap(NULL, SMALL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(stack, 0xa5, SMALL_STACK);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, stack, SMALL_STACK) != 0)
        return 2;
    pthread_t thread;
    void *failed = (void *)1;
    if (pthread_create(&thread, &attributes, look_up_all_ways, NULL) != 0)
        return 3;
    pthread_join(thread, &failed);
    size_t untouched = 0;
    while (untouched < SMALL_STACK && stack[untouched] == 0xa5)
        untouched++;
    printf("%s; %zu bytes of stack touched\n", failed ? "failed" : "fine", SMALL_STACK - untouched);
    return failed != NULL;
}

static int close_all(void) {
    char text[INET6_ADDRSTRLEN];
    for (int i = 0; i < count; i++) {
        if (look_up(AF_INET, text) != text)
            return printf("lookup %d failed\n", i), 1;
        if (syscall(436 /* close_range */, 3u, ~0u, 0u) != 0)
            for (int fd = 3; fd < 256; fd++)
                close(fd);
    }
    return 0;
}

static _Atomic int alarms;
static void on_alarm(int signal) {
    (void)signal;
    alarms++;
}

static int interrupted(void) {
    struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {.it_interval.tv_usec = 300, .it_value.tv_usec = 300};
    setitimer(ITIMER_REAL, &often, NULL);
    char text[INET6_ADDRSTRLEN];
    int failed = 0;
    for (int i = 0; i < count; i++)
        failed += look_up(AF_INET, text) != text;
    printf("%d of %d failed in %s alarms\n", failed, count, alarms ? "some" : "no");
    return failed != 0 || !alarms;
}

static int no_descriptors_left(void) {
    char text[INET6_ADDRSTRLEN];
    struct rlimit limit = {.rlim_cur = 3, .rlim_max = 3};
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < count; i++)
        if (look_up(AF_INET, text) == text)
            return printf("a lookup went well without a descriptor?\n"), 1;
    return 0;
}

/* Every size of buffer, ending at a page that cannot be touched, and 0 to 7 bytes before one. */
static int buffers_of(int family, size_t *enough) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), largest = 1200;
    unsigned char *memory = mmap(NULL, page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(memory + page, page, PROT_NONE);
    for (size_t behind = 0; behind < 8; behind++) {
        int succeeded = 0;
        for (size_t size = 0; size <= largest; size++) {
            unsigned char *buffer = memory + page - behind - size;
            struct hostent host, *result = (void *)-1L;
            int h_error = 77;
            memset(memory, 0xa5, page);
            errno = 0;
            int error = gethostbyname2_r(name, family, &host, (char *)buffer, size, &result, &h_error);
            for (unsigned char *at = memory; at < memory + page; at++)
                if (*at != 0xa5 && (at < buffer || at >= buffer + size))
                    return printf("size %zu: a byte outside was written\n", size), 1;
            if (error == ERANGE && result == NULL && !succeeded)
                continue;
            if (error != 0 || result != &host)
                return printf("size %zu: error %d after %d successes\n", size, error, succeeded), 1;
            if (!succeeded++ && size > *enough)
                *enough = size;
            for (char **text = host.h_aliases; *text; text++)
                if (*text < (char *)buffer || *text + strlen(*text) >= (char *)buffer + size)
                    return printf("size %zu: an alias lies outside\n", size), 1;
            for (char **address = host.h_addr_list; *address; address++)
                if (*address < (char *)buffer || *address + host.h_length > (char *)buffer + size)
                    return printf("size %zu: an address lies outside\n", size), 1;
            if (host.h_name < (char *)buffer || host.h_name + strlen(host.h_name) >= (char *)buffer + size)
                return printf("size %zu: the name lies outside\n", size), 1;
        }
        if (!succeeded)
            return printf("no size was enough\n"), 1;
    }
    munmap(memory, page * 2);
    return 0;
}

static int buffers(void) {
    size_t enough = 0;
    if (buffers_of(AF_INET, &enough) || buffers_of(AF_INET6, &enough))
        return 1;
    printf("%zu bytes are enough\n", enough);
    return 0;
}

static void tell_list(const char *what, const char *node, const char *service, const struct addrinfo *hints) {
    struct addrinfo *list = NULL;
    int entries = 0, error = getaddrinfo(node, service, hints, &list);
    for (struct addrinfo *entry = list; entry; entry = entry->ai_next)
        entries++;
    printf("%s: %d, %d entries\n", what, error, entries);
    if (list)
        freeaddrinfo(list);
}

static int nulls(void) {
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    tell_list("nothing", NULL, NULL, NULL);
    tell_list("hints alone", NULL, NULL, &hints);
    tell_list("a service", NULL, "80", NULL);
    tell_list("a service to listen at", NULL, "80", &hints);
    tell_list("a name", name, NULL, NULL);
    tell_list("a name and a service", name, "80", NULL);
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    printf("no room: %d\n", getnameinfo((const void *)&address, sizeof address, NULL, 0, NULL, 0, 0));
#ifdef __GLIBC__ /* musl reads it */
    char text[64];
    printf("no address: %d\n", getnameinfo(NULL, sizeof address, text, sizeof text, NULL, 0, 0));
#endif
    return 0;
}

/* Each function's last result stays while the others give theirs. */
static int static_results(void) {
    const unsigned char address[4] = {192, 0, 2, 1};
    struct hostent *v4 = gethostbyname(name), kept = v4 ? *v4 : (struct hostent){0};
    struct hostent *v6 = gethostbyname2(name, AF_INET6), *named = gethostbyaddr(address, sizeof address, AF_INET);
    if (!v4 || !v6 || !named)
        return printf("%d %d %d\n", v4 != NULL, v6 != NULL, named != NULL), 1;
    printf("%d %d %d\n", v4->h_length, v6->h_length, named->h_length);
    return memcmp(&kept, v4, sizeof kept) != 0 || strcmp(v4->h_name, v6->h_name) != 0 || v4->h_name == v6->h_name;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(void);
    } TASKS[] = {{"memory", memory},
                 {"descriptors", descriptors},
                 {"forks", forks},
                 {"forks-in-loader", forks_in_loader},
                 {"plugin", plugin},
                 {"cancellation", cancellation},
                 {"small-stack", small_stack},
                 {"close-all", close_all},
                 {"interrupted", interrupted},
                 {"no-descriptors-left", no_descriptors_left},
                 {"buffers", buffers},
                 {"nulls", nulls},
                 {"static-results", static_results}};
    if (argc < 3)
        return 64;
    name = argv[2];
    count = argc > 3 ? atoi(argv[3]) : 1;
    for (size_t i = 0; i < sizeof TASKS / sizeof *TASKS; i++)
        if (strcmp(TASKS[i].name, argv[1]) == 0)
            return TASKS[i].run();
    return 64;
}
