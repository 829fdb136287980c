/* `secure 0|1`: what the settings come to in a process that is, or is not, to distrust its environment (AT_SECURE). */
#include "lookup.h"
#include <stdio.h>
#include <stdlib.h>

static const char *environment(const char *name) {
    return getenv(name);
}

int main(int argc, char **argv) {
    static struct settings settings;
    settings_read(&settings, environment, argc > 1 && argv[1][0] == '1');
    printf("%s, %s\n", settings.off ? "off" : "on", settings.socket_path);
    return 0;
}
