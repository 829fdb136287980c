/* A library to be opened: it has a function that its opener has too, looks names up, and opens others itself. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

const char *whose(void);
const char *ask_whose(void);
const char *look_up(const char *name);
void *open_by_name(const char *name, int flags);

const char *whose(void) {
    return "its own";
}

const char *ask_whose(void) {
    return whose(); /* by the linkage table: whoever comes first in the scope */
}

const char *look_up(const char *name) {
    static char text[INET_ADDRSTRLEN];
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return "none";
    inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr, text, sizeof text);
    freeaddrinfo(list);
    return text;
}

void *open_by_name(const char *name, int flags) {
    void *handle = dlopen(name, flags);
    if (!handle)
        fprintf(stderr, "%s\n", dlerror());
    __asm__ volatile("" ::: "memory"); /* so that the call above is one, and this library its caller */
    return handle;
}
