/* `doctor [NAME] [--pid N] [--json]`, `doctor --alive [DIR]`: the arguments, and the groups of checks one after the
 * other. */
#include "doctor.h"
#include <string.h>

int main(int count, char **arguments);

#define SYNOPSIS "usage: doctor [NAME] [--pid N] [--json] | doctor --alive [DIR]"

static const char USAGE[] =
    SYNOPSIS "\n"
             "Says why the lookups of a container's program (process 1, or N) do or do not come from "
             "Namewell's cache, and looks\n"
             "NAME up by the table and by the socket. Exit code: 0 fine, perhaps with warnings; 1 "
             "problems; 2 it cannot be told.\n"
             "--alive, for health checks, asks only whether the server of DIR answers, and says "
             "nothing if so. Exit code: 0 or 1.";

static int number_of(const char *text) {
    int number = 0;
    for (const char *digit = text; *digit; digit++)
        if (*digit < '0' || *digit > '9' || number > (1 << 22))
            return 0;
        else
            number = number * 10 + *digit - '0';
    return number;
}

int main(int count, char **arguments) {
    const char *name = NULL;
    int pid = 1;
    bool json = false, is_given = false;
    if (count > 1 && strcmp(arguments[1], "--alive") == 0) {
        if (count > 3 || (count == 3 && (!arguments[2][0] || arguments[2][0] == '-')))
            refuse("doctor: --alive wants one directory or none; " SYNOPSIS);
        return say_alive(count == 3 ? arguments[2] : NULL);
    }
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        if (strcmp(argument, "--json") == 0) {
            json = true;
        } else if (strcmp(argument, "--pid") == 0 || strncmp(argument, "--pid=", 6) == 0) {
            const char *number = argument[5] ? argument + 6 : i + 1 < count ? arguments[++i] : "";
            pid = number_of(number);
            is_given = true;
            if (pid == 0)
                refuse("doctor: --pid wants the number of a process, not '%s'", number);
        } else if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            print(USAGE);
            return 0;
        } else if (argument[0] == '-' || name) {
            refuse("doctor: '%s' is not accepted; " SYNOPSIS, argument);
        } else {
            name = argument;
        }
    }
    report_begin(json);
    check_program(pid, is_given);
    check_place();
    bool has_server = check_server();
    check_published(has_server);
    check_etc();
    if (name)
        check_lookup(name, has_server);
    return report_end();
}
