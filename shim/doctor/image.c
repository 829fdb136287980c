/* What an ELF file says of itself, and client.so's mark in it (mark.c). */
#include "doctor.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEGMENTS_MAX 64
#define MARK "namewell client: table layout "
#define MARKED_BYTES_MAX (4ul << 20) /* client.so is a tenth of it */

static long read_at(int fd, void *into, size_t bytes, unsigned long at) {
    return syscall(SYS_pread64, fd, into, bytes, at);
}

static unsigned number_at(const char **at) {
    unsigned number = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        number = number * 10 + (unsigned)(**at - '0');
    return number;
}

static bool read_mark(const char *text, struct image *image) {
    static const char BETWEEN[] = ", frames ";
    image->layout = number_at(&text);
    if (strncmp(text, BETWEEN, sizeof BETWEEN - 1) != 0)
        return false;
    text += sizeof BETWEEN - 1;
    image->frames = number_at(&text);
    return *text == '\0';
}

/* Looks for the mark in so much of a file, or of a process's memory. */
bool mark_in(int fd, unsigned long from, unsigned long to, struct image *image) {
    static char buffer[(1 << 16) + 64 + 1]; /* a mark may lie across the end of a read */
    size_t kept = 0;
    while (from < to && !image->has_mark) {
        long got = read_at(fd, buffer + kept, 1 << 16, from);
        if (got <= 0)
            break;
        size_t held = kept + (size_t)got;
        buffer[held] = '\0';
        for (size_t i = 0; i + sizeof MARK < held && !image->has_mark; i++)
            if (buffer[i] == MARK[0] && memcmp(buffer + i, MARK, sizeof MARK - 1) == 0)
                image->has_mark = read_mark(buffer + i + sizeof MARK - 1, image);
        from += (unsigned long)got;
        kept = held < 64 ? held : 64;
        for (size_t i = 0; i < kept; i++)
            buffer[i] = buffer[held - kept + i];
    }
    return image->has_mark;
}

void image_read(const char *path, struct image *image) {
    Elf64_Ehdr header;
    Elf64_Phdr segments[SEGMENTS_MAX];
    memset(image, 0, sizeof *image);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        image->error = errno;
        return;
    }
    if (read_at(fd, &header, sizeof header, 0) == sizeof header && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0) {
        image->is_elf = true;
        image->machine = header.e_machine;
        size_t count = header.e_phnum < SEGMENTS_MAX ? header.e_phnum : SEGMENTS_MAX;
        if (header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_phentsize == sizeof *segments &&
            read_at(fd, segments, count * sizeof *segments, header.e_phoff) == (long)(count * sizeof *segments))
            for (size_t i = 0; i < count; i++)
                image->has_interpreter |= segments[i].p_type == PT_INTERP;
        if (header.e_type == ET_DYN && !image->has_interpreter)
            mark_in(fd, 0, MARKED_BYTES_MAX, image);
    }
    close(fd);
}

const char *machine_name(unsigned machine) {
    switch (machine) {
    case EM_X86_64:
        return "x64";
    case EM_AARCH64:
        return "arm64";
    case EM_386:
        return "x86 of 32 bits";
    case EM_ARM:
        return "arm of 32 bits";
    default:
        return "another machine";
    }
}
