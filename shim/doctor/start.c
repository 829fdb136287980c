/* Where a program begins that has no libc. */
#include "doctor.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **arguments);

char **own_environment;
static unsigned long *auxiliary; /* pairs of type and value */

int *__errno_location(void) {
    static int error;
    return &error;
}

_Noreturn void leave(int code) {
    for (;;)
        syscall(SYS_exit_group, code);
}

unsigned long getauxval(unsigned long type) {
    for (unsigned long *pair = auxiliary; pair && pair[0] != AT_NULL; pair += 2)
        if (pair[0] == type)
            return pair[1];
    return 0;
}

const char *own_path(void) {
    static char path[PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length > 0) {
        path[length] = '\0';
        return path;
    }
    const char *started = (const char *)getauxval(AT_EXECFN);
    return started && started[0] == '/' ? started : "";
}

/* count, arguments, NULL, environment, NULL, auxiliary vector */
__attribute__((used)) _Noreturn static void begin(long *stack) {
    char **arguments = (char **)(stack + 1);
    own_environment = arguments + stack[0] + 1;
    char **end = own_environment;
    while (*end)
        end++;
    auxiliary = (unsigned long *)(end + 1);
    leave(main((int)stack[0], arguments));
}

#ifdef __x86_64__
__asm__(".pushsection .text\n"
        ".globl _start\n"
        "_start:\n"
        "    endbr64\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call begin\n"
        ".popsection\n");
#else
__asm__(".pushsection .text\n"
        ".globl _start\n"
        "_start:\n"
        "    hint #34\n"
        "    mov x29, #0\n"
        "    mov x30, #0\n"
        "    mov x0, sp\n"
        "    bl begin\n"
        ".popsection\n");
#endif
