/* A program with a getenv() of its own, which main() makes ready. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>

extern char **environ;
static char **variables;

char *getenv(const char *name) {
    size_t length = strlen(name);
    for (char **variable = variables; *variable; variable++)
        if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=')
            return *variable + length + 1;
    return NULL;
}

int main(void) {
    struct addrinfo *list;
    variables = environ;
    printf("%d\n", getaddrinfo("192.0.2.1", NULL, NULL, &list));
    return 0;
}
