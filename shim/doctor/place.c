/* The shared directory as it is seen from here, and client.so where it is preloaded from. */
#include "doctor.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NOEXEC 8 /* ST_NOEXEC */

long file_read(const char *path, void *into, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    long length = 0, got;
    while (length < (long)room && (got = read(fd, (char *)into + length, room - (size_t)length)) > 0)
        length += got;
    close(fd);
    return length;
}

bool file_status(const char *path, struct stat *status) {
    return syscall(SYS_newfstatat, AT_FDCWD, path, status, 0) == 0;
}

bool is_noexec(const char *path) {
    struct statfs volume;
    return syscall(SYS_statfs, path, &volume) == 0 && volume.f_flags & NOEXEC;
}

/* What the kernel writes behind the root of a mount whose directory is gone. */
static bool is_mount_deleted(const char *folder) {
    static char text[1 << 17];
    long length = file_read("/proc/self/mountinfo", text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    bool is_deleted = false;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        char *root = line;
        for (int field = 0; field < 3 && root; field++)
            root = strchr(root, ' ') ? strchr(root, ' ') + 1 : NULL;
        char *point = root ? strchr(root, ' ') : NULL;
        if (!point)
            continue;
        *point++ = '\0';
        point[strcspn(point, " ")] = '\0';
        if (strcmp(point, folder) == 0) /* the last of those one above the other */
            is_deleted = strstr(root, "//deleted") != NULL;
    }
    return is_deleted;
}

static bool is_at(const char *name) {
    struct stat status;
    return file_status(in_directory(name), &status);
}

static void check_client(const char *path) {
    struct image image;
    image_read(path, &image);
    if (image.error)
        finding(205, "%s cannot be opened: %m", path, image.error);
    else if (!image.is_elf || image.machine != OWN_MACHINE)
        finding(204, "%s is %s %s, and this is %s", path, image.is_elf ? "for" : "no library, but",
                image.is_elf ? machine_name(image.machine) : "something else", machine_name(OWN_MACHINE));
    else if (is_noexec(path) && !target.has_client)
        finding(203, "%s lies on a volume that is mounted noexec", path);
    else
        fine("%s can be loaded", path);
}

/* As folder_look passes it over. */
static bool is_passed_over(void) {
    const struct settings *known = settings();
    struct stat status;
    return known && known->folder_count == 2 && !is_at("dns.sock") && !is_at("cache.table") &&
           file_status(known->folders[1].socket_path, &status) && !is_elsewhere_safe();
}

/* A client.so may lie elsewhere than the socket; the cause of both being away is said once. */
void check_place(void) {
    const char *folder = directory();
    struct stat status;
    group("directory");
    if (!folder[0]) {
        finding(206, "DNS_CACHE_DIR is too long");
        return;
    }
    if (is_passed_over()) {
        finding(214, "/run/namewell is passed over, since others may write in /run");
        return;
    }
    if (!file_status(folder, &status)) {
        finding(201, "%s cannot be entered: %m", folder, errno);
        return;
    }
    if (!S_ISDIR(status.st_mode)) {
        finding(202, "%s is not a directory", folder);
        return;
    }
    if (status.st_nlink == 0 || is_mount_deleted(folder)) {
        finding(207, "%s is a directory that has been removed since it was mounted", folder);
        return;
    }
    if (!is_at("client.so") && !is_at("dns.sock") && !is_at("cache.table")) {
        finding(202, "%s holds none of the server's files", folder);
        return;
    }
    fine("%s is the server's directory", folder);
    if (status.st_mode & 022)
        finding(208, "%s can be written to by others than its owner", folder);
    check_client(client_path());
}
