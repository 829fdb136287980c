/* A library whose constructor starts a thread that looks up a name, and waits for it, while the loader holds its lock.
 */
#include <netdb.h>
#include <pthread.h>
#include <stddef.h>

static void *look_up(void *unused) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo("www.example", "80", &hints, &list) == 0)
        freeaddrinfo(list);
    return unused;
}

__attribute__((constructor)) static void start(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, look_up, NULL) == 0)
        pthread_join(thread, NULL);
}
