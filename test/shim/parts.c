/* Small parts of the library by themselves.
 *   parts secure 0|1   what the settings come to in a process that is, or is not, to distrust its environment
 * (AT_SECURE) parts libc             which libc this is taken for parts claim            a claim held across a fork */
#include "lookup.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *environment(const char *name) {
    return getenv(name);
}

static void secure(bool is_secure) {
    static struct settings settings;
    settings_read(&settings, environment, is_secure);
    printf("%s, %s\n", settings.off ? "off" : "on", settings.socket_path);
}

static void claims(void) {
    static const char *const NAMES[] = {"busy", "free", "inherited"};
    static _Atomic uint64_t holder;
    printf("%s", NAMES[claim(&holder)]);
    printf(", then %s", NAMES[claim(&holder)]);
    fflush(stdout);
    if (fork() == 0) {
        printf("; in a child %s", NAMES[claim(&holder)]);
        printf(", then %s", NAMES[claim(&holder)]);
        exit(0);
    }
    wait(NULL);
    release(&holder);
    printf("; released, then %s\n", NAMES[claim(&holder)]);
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "secure") == 0)
        secure(argv[2][0] == '1');
    else if (argc > 1 && strcmp(argv[1], "claim") == 0)
        claims();
    else if (argc > 1 && strcmp(argv[1], "libc") == 0)
        puts(on_glibc() ? "glibc" : "musl");
    return 0;
}
