/* Which file a descriptor is. */
#include "lookup.h"
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool descriptor_identify(int fd, uint64_t *device, uint64_t *inode, bool *is_socket) {
    struct stat status;
    if (syscall(SYS_fstat, fd, &status) != 0)
        return false;
    *device = status.st_dev, *inode = status.st_ino, *is_socket = S_ISSOCK(status.st_mode);
    return true;
}
