/* `watch NAME SLOW_MS`: looks a name up again and again and tells when the address changes: the address, when the
 * look-up began and when it ended. A % in the name stands for a number that is another each time. In the end: how many
 * look-ups took longer than SLOW_MS. */
#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_US 10000

static volatile sig_atomic_t is_ending;

static void end(int number) {
    (void)number;
    is_ending = 1;
}

static long long clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static void look(const char *name, char address[INET_ADDRSTRLEN]) {
    char buffer[1024];
    struct hostent host, *found;
    int h_error;
    if (gethostbyname_r(name, &host, buffer, sizeof buffer, &found, &h_error) != 0 || !found)
        strcpy(address, "none");
    else
        inet_ntop(AF_INET, found->h_addr_list[0], address, INET_ADDRSTRLEN);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    const char *number_at = strchr(argv[1], '%');
    long long slow_ms = atoll(argv[2]);
    long long before = clock_ms();
    unsigned slow = 0;
    char last[INET_ADDRSTRLEN] = "";
    signal(SIGTERM, end);
    for (unsigned number = 0; !is_ending; number++) {
        char name[256], address[INET_ADDRSTRLEN];
        if (number_at)
            snprintf(name, sizeof name, "%.*s%u%s", (int)(number_at - argv[1]), argv[1], number, number_at + 1);
        else
            snprintf(name, sizeof name, "%s", argv[1]);
        long long began = clock_ms();
        look(name, address);
        long long ended = clock_ms();
        slow += ended - began > slow_ms;
        if (strcmp(address, last) != 0) {
            printf("%s %lld %lld %lld\n", address, began, ended, before);
            fflush(stdout);
            strcpy(last, address);
        }
        before = began;
        usleep(PAUSE_US);
    }
    printf("slow %u\n", slow);
    return 0;
}
