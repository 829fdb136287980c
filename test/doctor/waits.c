/* Prints its process id, then waits for the end of its input: a program for the doctor to look at. */
#include <stdio.h>
#include <unistd.h>

int main(void) {
    char byte;
    printf("waits as %d\n", (int)getpid());
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
    for (;;)
        pause();
}
