/* Looks a name up again after what processes do to themselves: keeps NAME ROOT. Prints each time what was found. */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *name;

static void look_up(const char *when) {
    char buffer[1024], address[INET_ADDRSTRLEN] = "nothing";
    struct hostent host, *found = NULL;
    int h_error;
    gethostbyname_r(name, &host, buffer, sizeof buffer, &found, &h_error);
    if (found)
        inet_ntop(AF_INET, found->h_addr_list[0], address, sizeof address);
    printf("%s %s\n", when, address);
    fflush(stdout);
}

static void *look_up_many(void *failures) {
    char buffer[1024];
    struct hostent host, *found;
    int h_error;
    for (int i = 0; i < 10000; i++)
        if (gethostbyname_r(name, &host, buffer, sizeof buffer, &found, &h_error) != 0 || !found)
            ++*(int *)failures;
    return NULL;
}

static void wait_for_child(void) {
    int status;
    wait(&status);
    if (status != 0)
        printf("a child ended with %#x\n", (unsigned)status);
}

int main(int argc, char **argv) {
    name = argc > 1 ? argv[1] : "";
    int before = dup(0);
    close(before);
    look_up("first");
    int after = dup(0); /* the lowest number that is free */
    close(after);
    if (before == after)
        look_up("descriptors");
    fflush(stdout);
    if (fork() == 0) {
        look_up("fork");
        exit(0);
    }
    wait_for_child();
    if (syscall(436 /* close_range */, 3, ~0u, 0) == 0)
        look_up("close_range");
    if (argc > 2 && chroot(argv[2]) == 0 && chdir("/") == 0)
        look_up("chroot");
    sleep(2); /* so that everything that is looked at once a second has been missed here */
    if (setgid(65534) == 0 && setuid(65534) == 0)
        look_up("setuid");
    pthread_t threads[4];
    int failures[4] = {0};
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, look_up_many, &failures[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    if (failures[0] + failures[1] + failures[2] + failures[3] == 0)
        look_up("threads");
    return 0;
}
