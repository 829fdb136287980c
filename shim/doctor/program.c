/* Is client.so in the process, and may it work there? */
#include "doctor.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PID(process) ((unsigned long)(process).pid)

/* Of what is mapped there: the file itself may be gone. */
static void read_loaded_mark(struct image *image) {
    char path[64];
    proc_path(target.pid, "mem", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    mark_in(fd, target.client_from, target.client_to, image);
    close(fd);
}

static void check_version(void) {
    struct image image;
    if (target.is_client_deleted) {
        memset(&image, 0, sizeof image);
        read_loaded_mark(&image);
    } else {
        image_read(target.client, &image);
    }
    if (image.has_mark && image.frames != NW_FRAME_VERSION)
        finding(116, "%s there speaks version %u of the socket's frames, and the server %u", target.client,
                (unsigned long)image.frames, (unsigned long)NW_FRAME_VERSION);
    else if (image.has_mark && image.layout != NW_LAYOUT_VERSION)
        finding(113, "%s there reads tables of layout %u, and the server's are of %u", target.client,
                (unsigned long)image.layout, (unsigned long)NW_LAYOUT_VERSION);
    else if (target.is_client_deleted)
        finding(112, "%s has been replaced since the program was started", target.client);
    else if (!image.has_mark && !image.error)
        finding(116, "%s does not say which tables it reads: it is none of ours, or too old", target.client);
    else if (image.has_mark)
        fine("it reads tables of layout %u, as the server writes them", (unsigned long)image.layout);
}

static void check_others(void) {
    const char *list = variable_of(&target, "LD_PRELOAD");
    bool is_behind = false, has_client = false;
    static char other[PATH_BYTES];
    for (const char *at = list; at && *at; at += at[0] != '\0') {
        size_t length = strcspn(at, ": ");
        if (is_client_name(at, length)) {
            has_client = is_behind = true;
        } else if (length > 0) {
            size_t kept = length < sizeof other ? length : sizeof other - 1;
            memcpy(other, at, kept);
            other[kept] = '\0';
            if (is_behind)
                finding(104, "%s stands behind client.so in LD_PRELOAD", other);
            else
                note("%s stands before client.so in LD_PRELOAD: what it answers itself never gets here", other);
        }
        at += length;
    }
    if (!has_client)
        note("client.so is not in the process's LD_PRELOAD: it came by /etc/ld.so.preload, or the process has written "
             "over its environment, as for a title of its own");
}

static void check_deepbind(void) {
    if (!on_glibc() || (!is_php(target.program) && !target.has_php))
        return;
    int clear = settings()->clear_deepbind;
    if (clear == NEVER)
        finding(109, "DNS_CACHE_CLEAR_DEEPBIND=0 in a program that runs PHP");
    else if (clear == BY_PROGRAM && !is_php(target.program))
        finding(109, "%s holds PHP and has a name that client.so does not know for it", target.program);
    else
        fine("PHP's extensions are opened without RTLD_DEEPBIND");
}

static void check_settings(void) {
    const char *off = variable_of(&target, "DNS_CACHE_OFF"), *bypass = variable_of(&target, "DNS_CACHE_BYPASS");
    if (off && strcmp(off, "1") == 0)
        finding(110, "DNS_CACHE_OFF=1");
    if (bypass && strlen(bypass) >= BYPASS_BYTES)
        finding(111, "DNS_CACHE_BYPASS has %u bytes", (unsigned long)strlen(bypass));
}

static void choose(int pid, bool is_given) {
    process_read(pid, &target);
    int other = !is_given && target.is_readable && !target.has_client ? other_with_client(pid) : 0;
    if (!other)
        return;
    note("process %u (%s) has no client.so; process %u has, and is looked at instead (--pid is another way)",
         PID(target), target.program, (unsigned long)other);
    process_read(other, &target);
}

/* What is mapped in the process decides: that is where lookups are answered. */
void check_program(int pid, bool is_given) {
    group("program");
    if (!has_proc()) {
        stand_in();
        finding(114, "there is no /proc: no process can be looked into");
        return;
    }
    choose(pid, is_given);
    stand_in();
    if (!target.is_there)
        finding(114, "there is no process %u", PID(target));
    else if (target.is_elsewhere)
        finding(115, "process %u has other mounts than the doctor, or another root", PID(target));
    if (!target.is_there || target.is_elsewhere)
        return;
    if (!target.is_readable && !is_given && is_machine()) {
        finding(117, "process %u is the machine's own, and cannot be looked into by this user", PID(target));
        return;
    }
    if (!target.is_readable) {
        if (target.is_secure)
            finding(107, "process %u is of a set-uid or set-gid program", PID(target));
        else
            finding(114, "process %u cannot be looked into by this user", PID(target));
        return;
    }
    if (!target.has_client && !is_given && is_machine()) {
        finding(117, "process %u (%s) is the machine's own, and no process has client.so", PID(target), target.program);
    } else if (!target.has_client) {
        check_unloaded();
    } else if (!target.has_libc) {
        finding(106, "process %u (%s) has client.so and no libc, so nothing asks it", PID(target), target.program);
    } else if (target.is_secure) {
        finding(107, "process %u (%s) is of a set-uid, set-gid or capable program: client.so is off there", PID(target),
                target.program);
    } else {
        fine("process %u (%s) has %s loaded, on %s", PID(target), target.program, target.client,
             on_glibc() ? "glibc" : "musl");
        check_version();
        check_others();
        check_deepbind();
    }
    check_settings();
}
