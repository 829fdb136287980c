/* The doctor's reading and writing of addresses beside this libc's: whatever text or bytes come, both say the same. */
#define inet_pton doctor_pton
#define inet_aton doctor_aton
#define inet_ntop doctor_ntop
#include "../../shim/doctor/address.c"
#undef inet_pton
#undef inet_aton
#undef inet_ntop
#include <stdio.h>
#include <stdlib.h>

int inet_pton(int, const char *restrict, void *restrict);
int inet_aton(const char *, struct in_addr *);
const char *inet_ntop(int, const void *restrict, char *restrict, socklen_t);

static unsigned long seed = 1;

static unsigned below(unsigned most) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % most;
}

/* Mostly what addresses are made of, so that many are ones. */
static void make_text(char *text) {
    static const char *const PIECES[] = {"0", "1",  "00", "255", "256", "7f",  "fffF", "12345", ".",     ":",
                                         ":", "::", ".",  ".",   ":",   "0x1", "010",  " ",     "1.2.3", "g"};
    text[0] = '\0';
    for (unsigned count = below(16); count > 0; count--)
        strcat(text, PIECES[below(sizeof PIECES / sizeof *PIECES)]);
}

static void differ(const char *how, const char *text) {
    printf("%s differs for '%s'\n", how, text);
    exit(1);
}

int main(void) {
    unsigned long read = 0;
    for (int i = 0; i < 2000000; i++) {
        char text[128], one[INET6_ADDRSTRLEN], other[INET6_ADDRSTRLEN];
        uint8_t own[16] = {0}, libcs[16] = {0};
        make_text(text);
        for (int family = AF_INET;; family = AF_INET6) {
            int is_own = doctor_pton(family, text, own), is_libcs = inet_pton(family, text, libcs);
            if (is_own != is_libcs || (is_own && memcmp(own, libcs, family == AF_INET ? 4 : 16) != 0))
                differ("inet_pton", text);
            read += (unsigned)is_own;
            if (family == AF_INET6)
                break;
        }
        struct in_addr v4 = {0}, v4_libcs = {0};
        if (doctor_aton(text, &v4) != inet_aton(text, &v4_libcs) || v4.s_addr != v4_libcs.s_addr)
            differ("inet_aton", text);
        for (int at = 0; at < 16; at++)
            own[at] = below(3) ? 0 : (uint8_t)below(256);
        if (below(4) == 0)
            own[10] = own[11] = 0xff;
        for (int family = AF_INET;; family = AF_INET6) {
            doctor_ntop(family, own, one, sizeof one);
            inet_ntop(family, own, other, sizeof other);
            if (strcmp(one, other) != 0)
                differ("inet_ntop", other);
            if (family == AF_INET6)
                break;
        }
    }
    printf("%s\n", read > 10000 ? "the same" : "too few addresses");
}
