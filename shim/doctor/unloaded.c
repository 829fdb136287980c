/* Why client.so is not in a process: the program cannot have it, or nobody gave it, or it could not be opened. */
#include "doctor.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* glibc's own list, for all programs. */
static bool is_for_all(void) {
    static char text[4096];
    struct words words = {.fd = -1, .no_file = true};
    long length = file_read("/etc/ld.so.preload", text, sizeof text - 1);
    char word[WORD_BYTES];
    if (length <= 0)
        return false;
    text[length] = '\0';
    for (char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        words_of(&words, line);
        while (next_word(&words, word))
            if (is_client_name(word, strlen(word)))
                return true;
    }
    return false;
}

static bool names_client(const char *list) {
    while (*list) {
        size_t length = strcspn(list, ": ");
        if (is_client_name(list, length))
            return true;
        list += length + (list[length] != '\0');
    }
    return false;
}

/* False: the program could have it. */
static bool is_of_program(void) {
    struct image image;
    unsigned long pid = (unsigned long)target.pid;
    char path[64];
    proc_path(target.pid, "exe", path);
    image_read(path, &image);
    if (image.is_elf && image.machine != OWN_MACHINE)
        finding(108, "process %u (%s) is of %s, and client.so of %s", pid, target.program, machine_name(image.machine),
                machine_name(OWN_MACHINE));
    else if (image.is_elf && !image.has_interpreter && !target.has_libc)
        finding(105, "process %u (%s) is a static program: nothing of the cache reaches it", pid, target.program);
    else if (target.is_secure)
        finding(107, "process %u (%s) is of a set-uid, set-gid or capable program", pid, target.program);
    else if (image.is_elf && !target.has_libc)
        finding(106, "process %u (%s) has no libc: nothing of the cache reaches it", pid, target.program);
    else
        return false;
    return true;
}

void check_unloaded(void) {
    unsigned long pid = (unsigned long)target.pid;
    const char *list = variable_of(&target, "LD_PRELOAD");
    if (is_of_program())
        return;
    bool is_named = (list && names_client(list)) || is_for_all();
    struct image image;
    image_read(client_path(), &image);
    if (!is_named && (!list || !*list))
        finding(102, "process %u (%s) has no LD_PRELOAD", pid, target.program);
    else if (!is_named)
        finding(103, "process %u (%s) has LD_PRELOAD=%s, without client.so", pid, target.program, list);
    else if (image.error || image.machine != OWN_MACHINE || is_noexec(client_path()))
        note("process %u (%s) names client.so and could not load it: see the directory", pid, target.program);
    else
        finding(101, "process %u (%s) names %s and has not loaded it", pid, target.program, client_path());
}
