/* System calls that a process forbids to itself. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Of linux/filter.h and linux/seccomp.h, which musl has not. */
struct instruction {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t operand;
};
enum { LOAD = 0x20, IS_EQUAL = 0x15, RETURN = 0x06, NUMBER_AT = 0, FIRST_ARGUMENT_AT = 16 };
enum { FILTER_MODE = 2, ALLOWED = 0x7fff0000, FAILS = 0x00050000 };
#define KILLS 0x80000000u

static void forbid(uint32_t number, int first_argument, uint32_t verdict) {
    uint8_t if_other = first_argument < 0 ? 0 : 1;
    struct instruction filter[] = {
        {LOAD, 0, 0, NUMBER_AT},         {IS_EQUAL, 0, 3, number},
        {LOAD, 0, 0, FIRST_ARGUMENT_AT}, {IS_EQUAL, 0, if_other, (uint32_t)first_argument},
        {RETURN, 0, 0, verdict},         {RETURN, 0, 0, ALLOWED},
    };
    struct {
        uint16_t length;
        struct instruction *filter;
    } program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, FILTER_MODE, &program, 0, 0) != 0)
        exit(2);
}
