/* To be preloaded: looks a name up in its constructor, which runs before that of client.so, on a stack that has been
 * used. Its own calls, in turn: getaddrinfo, gethostbyname, gethostbyaddr. */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define USED_BYTES 32768

__attribute__((noinline)) static void use_stack(void) {
    volatile char used[USED_BYTES];
    for (size_t i = 0; i < sizeof used; i++)
        used[i] = (char)0xee;
}

__attribute__((constructor)) static void look(void) {
    const char *call = getenv("EARLY_CALL");
    struct addrinfo *list, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    use_stack();
    if (call && strcmp(call, "getaddrinfo") == 0 && getaddrinfo("www.example", "80", &hints, &list) == 0)
        freeaddrinfo(list);
    else if (call && strcmp(call, "gethostbyname") == 0)
        gethostbyname("www.example");
    else if (call && strcmp(call, "gethostbyaddr") == 0)
        gethostbyaddr("\300\0\2\1", 4, AF_INET);
}
