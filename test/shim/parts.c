/* Small parts of the library by themselves.
 *   parts secure 0|1   what the settings come to in a process that is, or is not, AT_SECURE
 *   parts libc         which libc this is taken for
 *   parts claim        a claim held across a fork
 *   parts goes-back    claims of a time that is still to come */
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
    printf("%s, %s%s\n", settings.off ? "off" : "on", settings.folders[0].socket_path,
           settings.explain ? ", explained" : "");
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

/* By the function that is given the time, and by the clock, which goes back before a second claim is made. */
static void goes_back(void) {
    static _Atomic uint64_t writing, holder = (uint64_t)1 << 62;
    printf("%s", take(&writing, 5000000) ? "taken" : "busy");
    printf(", then %s", take(&writing, 5000000 - CLOCK_SLACK_MS) ? "taken" : "busy");
    printf(", then %s", take(&writing, 1000) ? "taken" : "busy");
    holder |= (uint64_t)getpid();
    puts(claim(&holder) == CLAIM_INHERITED ? "; inherited" : "; busy");
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "secure") == 0)
        secure(argv[2][0] == '1');
    else if (argc > 1 && strcmp(argv[1], "claim") == 0)
        claims();
    else if (argc > 1 && strcmp(argv[1], "goes-back") == 0)
        goes_back();
    else if (argc > 1 && strcmp(argv[1], "libc") == 0)
        puts(on_glibc() ? "glibc" : "musl");
    return 0;
}
