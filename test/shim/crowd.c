/* crowd NAME: four threads look it up at the same time, twenty times each, when it has been found once. */
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#define THREADS 4
#define LOOKUPS 20

static void *look_up(void *name) {
    for (int i = 0; i < LOOKUPS; i++) {
        struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
        if (getaddrinfo(name, "80", &hints, &list) != 0)
            return NULL;
        freeaddrinfo(list);
    }
    return name;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    int done = 0;
    if (argc < 2 || !look_up(argv[1]))
        return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, look_up, argv[1]);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        done += result != NULL;
    }
    printf("%d done\n", done);
    return 0;
}
