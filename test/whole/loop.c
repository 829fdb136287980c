/* Looks a name up all the time, with a millisecond between: loop NAME SECONDS. 0 if each lookup found an address. */
#define _GNU_SOURCE 1
#include <netdb.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char buffer[1024];
    struct hostent host, *found;
    int h_error;
    for (time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 0); time(NULL) < end; usleep(1000))
        if (gethostbyname_r(argv[1], &host, buffer, sizeof buffer, &found, &h_error) != 0 || !found)
            return 1;
    return 0;
}
