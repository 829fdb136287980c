/* A thread is held up while it reads resolv.conf, which is a pipe, and somebody else does the work meanwhile: `stalled
 * thread`, by another thread when the first seems to have gone; `stalled child`, by a child in the same memory. Prints
 * the ndots of what is known: after that, and after the first has gone on with other contents. In a private /etc. */
#include "lookup.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char CONF[] = "/etc/resolv.conf", ASIDE[] = "/etc/resolv.conf.aside";
static const char OTHER[] = "nameserver 127.0.0.1\noptions ndots:7\n";
static uint64_t now; /* it stands, so that nobody looks once more */

static int print_ndots(void *when) {
    struct facts facts;
    bool known = view_look(name_hash("www.example"), now, &facts);
    printf("%s %d\n", (const char *)when, known ? facts.resolver.ndots : -1);
    fflush(stdout);
    return 0;
}

static void *held_up(void *facts) {
    view_look(name_hash("www.example"), now, facts);
    return NULL;
}

int main(int argc, char **argv) {
    static struct facts facts;
    static _Alignas(16) char stack[1 << 18];
    pthread_t thread;
    now = tick_ms();
    if (argc != 2 || rename(CONF, ASIDE) != 0 || mkfifo(CONF, 0644) != 0)
        return 2;
    pthread_create(&thread, NULL, held_up, &facts);
    int pipe;
    while ((pipe = open(CONF, O_WRONLY | O_NONBLOCK)) < 0) /* until it is open for reading */
        usleep(1000);
    if (rename(ASIDE, CONF) != 0)
        return 3;
    if (strcmp(argv[1], "child") == 0) {
        int status;
        waitpid(clone(print_ndots, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, "meanwhile"), &status, 0);
    } else {
        usleep(2200000); /* claim.c takes it for abandoned */
        print_ndots("meanwhile");
    }
    if (write(pipe, OTHER, strlen(OTHER)) != (ssize_t)strlen(OTHER))
        return 4;
    close(pipe);
    pthread_join(thread, NULL);
    print_ndots("afterwards");
    return 0;
}
