/* Looks names up while its standard error is not what it was, or names are not what they should be. Prints "ok" where
 * the lookup is as it should be, nothing has come of the line, and no signal. */
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int look(const char *name) {
    struct addrinfo *list = NULL, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    int error = getaddrinfo(name, "80", &hints, &list);
    if (error == 0)
        freeaddrinfo(list);
    return error;
}

static int names(void) {
    char long_name[1001];
    memset(long_name, 1, sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    look("\033[31m\007\"\\\377");
    look(long_name);
    return 0;
}

static void put_in_place(int fd) {
    if (dup2(fd, STDERR_FILENO) < 0)
        abort();
}

/* Standard error is a pipe of its own from the start: this program is started anew with it. */
static int with_pipe(char **arguments, int is_full) {
    int ends[2];
    if (getenv("HAS_PIPE") == NULL) {
        if (pipe(ends) != 0)
            return 2;
        put_in_place(ends[1]);
        if (is_full) { /* the reading end stays open, and nobody reads */
            fcntl(ends[1], F_SETFL, O_NONBLOCK);
            char bytes[4096] = {0};
            while (write(ends[1], bytes, sizeof bytes) > 0)
                ;
            fcntl(ends[1], F_SETFL, 0);
        } else {
            close(ends[0]);
        }
        close(ends[1]);
        setenv("HAS_PIPE", "1", 1);
        execv("/proc/self/exe", arguments);
        return 2;
    }
    return 0;
}

/* Standard error is a file from the start, and may not grow. */
static int with_full_file(char **arguments) {
    char path[] = "/tmp/namewell-explained-XXXXXX";
    if (getenv("HAS_FILE") == NULL) {
        int fd = mkstemp(path);
        if (fd < 0 || unlink(path) != 0)
            return 2;
        put_in_place(fd);
        setenv("HAS_FILE", "1", 1);
        execv("/proc/self/exe", arguments);
        return 2;
    }
    return setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0});
}

int main(int count, char **arguments) {
    const char *way = count > 1 ? arguments[1] : "";
    if (strcmp(way, "names") == 0)
        return names();
    int fd = -1;
    char path[] = "/tmp/namewell-explained-XXXXXX";
    if (strcmp(way, "replaced") == 0) {
        if ((fd = mkstemp(path)) < 0 || unlink(path) != 0)
            return 2;
        put_in_place(fd);
    } else if (strcmp(way, "closed") == 0) {
        close(STDERR_FILENO);
    } else if (strcmp(way, "limited") == 0) {
        if (with_full_file(arguments) != 0)
            return 2;
    } else if (with_pipe(arguments, strcmp(way, "full") == 0) != 0) {
        return 2;
    }
    alarm(10); /* and if it waits, it dies of it */
    int error = look("www.example");
    struct stat status = {.st_size = 0};
    sigset_t pending;
    sigpending(&pending);
    if (fd >= 0 && fstat(fd, &status) != 0)
        return 2;
    if (error == 0 && status.st_size == 0 && !sigismember(&pending, SIGPIPE) && !sigismember(&pending, SIGXFSZ))
        puts("ok");
    else
        printf("error %d, %ld bytes\n", error, (long)status.st_size);
    return 0;
}
