/* `looker FILTERED...`: reads tasks, one a line, and has each done by a process of its own, all at the same time:
 *
 *   ID RESOLV_CONF PAUSE_MS CALL NAME CALL NAME ...
 *
 * The calls of a task begin PAUSE_MS after one another, in threads. Prints `ID NUMBER RESULT` for each. Before,
 * connections to port 53 of the addresses named as arguments are filtered: who listens there never takes anybody, and
 * has no room. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS_MAX 16
#define RESULT_BYTES 8192
#define AGAIN_US 2500000
#define PATIENCE_S 90

struct call {
    const char *id, *call, *name;
    int number, delay_ms;
};

static int tries;

static void tell(const struct call *call, const char *result) {
    char line[RESULT_BYTES + 100];
    int length = snprintf(line, sizeof line, "%s %d %s\n", call->id, call->number, result);
    if (write(1, line, (size_t)length) != length)
        _exit(1);
}

static void add(char *result, int family, const void *address) {
    char text[INET6_ADDRSTRLEN];
    size_t length = strlen(result);
    snprintf(result + length, RESULT_BYTES - length, " %s", inet_ntop(family, address, text, sizeof text));
}

/* Into `result`; false where it may be otherwise the next time. */
static int look_by_list(const struct call *call, int family, char *result) {
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *list;
    int error = getaddrinfo(call->name, NULL, &hints, &list);
    if (error == EAI_NONAME || error == EAI_NODATA) {
        strcpy(result, "denied");
    } else if (error) {
        snprintf(result, RESULT_BYTES, "failed %s", gai_strerror(error));
        return 0;
    } else {
        for (struct addrinfo *at = list; at; at = at->ai_next)
            add(result, at->ai_family,
                at->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)(void *)at->ai_addr)->sin_addr
                                         : (void *)&((struct sockaddr_in6 *)(void *)at->ai_addr)->sin6_addr);
        freeaddrinfo(list);
    }
    return 1;
}

static int look_by_hostent(const struct call *call, char *result) {
    char buffer[RESULT_BYTES];
    struct hostent host, *found;
    int h_error = 0, error = gethostbyname_r(call->name, &host, buffer, sizeof buffer, &found, &h_error);
    if (error == 0 && found) {
        for (char **at = found->h_addr_list; *at; at++)
            add(result, found->h_addrtype, *at);
    } else if (h_error == HOST_NOT_FOUND || h_error == NO_DATA) {
        strcpy(result, "denied");
    } else {
        snprintf(result, RESULT_BYTES, "failed h_errno %d", h_error);
        return 0;
    }
    return 1;
}

static void *look(void *argument) {
    const struct call *call = argument;
    char result[RESULT_BYTES];
    usleep((useconds_t)call->delay_ms * 1000);
    for (int i = 0, is_done = 0; i < tries && !is_done; i++) {
        if (i > 0)
            usleep(AGAIN_US);
        strcpy(result, "addresses");
        is_done = strcmp(call->call, "host") == 0
                      ? look_by_hostent(call, result)
                      : look_by_list(call, strcmp(call->call, "both") == 0 ? AF_UNSPEC : AF_INET, result);
    }
    tell(call, result);
    return NULL;
}

static void do_task(char *line) {
    struct call calls[CALLS_MAX];
    pthread_t threads[CALLS_MAX];
    int count = 0;
    const char *id = strtok(line, " \n"), *resolv_conf = strtok(NULL, " \n");
    int pause_ms = atoi(strtok(NULL, " \n"));
    if (unshare(CLONE_NEWNS) || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount(resolv_conf, "/etc/resolv.conf", NULL, MS_BIND, NULL)) {
        perror(resolv_conf);
        _exit(1);
    }
    alarm(PATIENCE_S);
    for (char *call; count < CALLS_MAX && (call = strtok(NULL, " \n")); count++)
        calls[count] = (struct call){id, call, strtok(NULL, " \n"), count, count * pause_ms};
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, look, &calls[i]))
            _exit(1);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    _exit(0);
}

/* With no room but for one, and one that has it, the kernel drops what comes. */
static int filter(const char *host) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), taker = socket(AF_INET, SOCK_STREAM, 0);
    return inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
           bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 0) ||
           connect(taker, (struct sockaddr *)&address, sizeof address);
}

int main(int argc, char **argv) {
    char line[4096];
    tries = argc > 1 ? atoi(argv[1]) : 1;
    for (int i = 2; i < argc; i++)
        if (filter(argv[i])) {
            perror(argv[i]);
            return 1;
        }
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        if (fork() == 0)
            do_task(line);
    while (wait(NULL) > 0)
        ;
    return 0;
}
