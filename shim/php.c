/* Which programs run PHP, by their names. */
#include "lookup.h"
#include <string.h>

static const char DELETED[] = " (deleted)"; /* behind the path in /proc, after an upgrade */

bool is_php(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    static const char *const SERVERS[] = {"apache2", "httpd"}; /* httpd-foo may be anything */
    static const char *const BEGINNINGS[] = {"php",           "lsphp", "frankenphp", "litespeed",
                                             "openlitespeed", "unitd", "uwsgi"};
    for (size_t i = 0; i < sizeof SERVERS / sizeof *SERVERS; i++) {
        size_t length = strlen(SERVERS[i]);
        if (strncmp(name, SERVERS[i], length) == 0 && (!name[length] || strcmp(name + length, DELETED) == 0))
            return true;
    }
    for (size_t i = 0; i < sizeof BEGINNINGS / sizeof *BEGINNINGS; i++)
        if (strncmp(name, BEGINNINGS[i], strlen(BEGINNINGS[i])) == 0)
            return true;
    return false;
}
