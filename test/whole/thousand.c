// thousand COUNT THREADS: resolves n0.example … each once, THREADS at a time, by getaddrinfo and gethostbyname_r in
// turn; prints "name address" lines, then the number of open descriptors before and after.
#include <arpa/inet.h>
#include <dirent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { THREADS_MAX = 256 };
static atomic_int next;
static int count;

static int open_descriptors(void) {
    int found = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory && readdir(directory))
        found++;
    closedir(directory);
    return found;
}

static void resolve(int i) {
    char name[32], text[INET_ADDRSTRLEN] = "none", buffer[1024];
    snprintf(name, sizeof name, "n%d.example", i);
    if (i % 2) {
        struct hostent host, *result = NULL;
        int problem;
        if (gethostbyname_r(name, &host, buffer, sizeof buffer, &result, &problem) == 0 && result)
            inet_ntop(AF_INET, host.h_addr_list[0], text, sizeof text);
    } else {
        struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
        if (getaddrinfo(name, NULL, &hints, &list) == 0) {
            inet_ntop(AF_INET, &((struct sockaddr_in *)list->ai_addr)->sin_addr, text, sizeof text);
            freeaddrinfo(list);
        }
    }
    printf("%s %s\n", name, text);
}

static void *work(void *unused) {
    for (int i; (i = atomic_fetch_add(&next, 1)) < count;)
        resolve(i);
    return unused;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS_MAX];
    if (argc != 3)
        return 1;
    count = atoi(argv[1]);
    int parallel = atoi(argv[2]), before = open_descriptors();
    if (parallel > THREADS_MAX)
        return 1;
    for (int i = 0; i < parallel; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < parallel; i++)
        pthread_join(threads[i], NULL);
    printf("descriptors %d %d\n", before, open_descriptors());
    return 0;
}
