/* Opens client.so, named by the first argument, as any library, and looks an address's text up by it. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>

int main(int count, char **arguments) {
    void *client = count > 1 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    int (*look)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        client ? (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(client,
                                                                                                         "getaddrinfo")
               : NULL;
    struct addrinfo *list;
    printf("%d\n", look ? look("192.0.2.1", NULL, NULL, &list) : 1);
    return 0;
}
