/* The map of this folder: `doctor`, which says within a container why its lookups do or do not come from the cache.
 * doctor.c reads the arguments and goes through the groups of checks: program.c (is client.so in the process; if not,
 * unloaded.c says why), place.c (the directory), server.c (dns.sock), published.c (cache.table), etc.c (the container's
 * own files) and lookup.c (one name). process.c, maps.c and image.c read what /proc and ELF files say; report.c prints,
 * in line.c's words. alive.c is what health checks ask for instead.
 *
 * It has no libc: start.c, text.c and address.c give what client.so's own sources ask of one, and standin.c what the
 * process has that is looked at: its environment, its libc, where its client.so lies. So whatever can be is decided
 * here by the very code that decides there (Makefile), for that process. */
#ifndef NAMEWELL_DOCTOR_H
#define NAMEWELL_DOCTOR_H

#include "../lookup.h"
#include "codes.h"
#include <stdarg.h>
#include <sys/stat.h>

#define PATH_BYTES 4096

/* start.c */
extern char **own_environment;
_Noreturn void leave(int code);
const char *own_path(void); /* as it was started; "" where that is not known */

/* line.c. In a format: %s text, with whatever a terminal could take amiss made visible; %u a number (unsigned long), %m
 * the name of an errno, %a an address of 16 bytes. */
struct line {
    char text[8192];
    size_t length;
};
void line_put(struct line *, char byte);
void line_number(struct line *, unsigned long number);
void line_format(struct line *, const char *format, va_list values);

/* report.c: a line for each check */
enum level { OK, NOTE, WARNING, PROBLEM, UNKNOWN };
void report_begin(bool json);
void group(const char *title);
void fine(const char *format, ...);
void note(const char *format, ...);
void finding(int code, const char *format, ...);
bool is_found(int code);
void complain(const char *format, ...);         /* a line on standard error */
_Noreturn void refuse(const char *format, ...); /* the command line */
void print(const char *text);
int report_end(void);

/* process.c: one process, as /proc tells of it */
struct process {
    int pid;
    bool is_there, is_readable; /* its maps, its environment */
    bool is_elsewhere;          /* in another mount namespace or chroot */
    bool is_secure;
    bool has_client, has_libc, has_php, is_client_deleted;
    enum libc libc;
    char program[PATH_BYTES];
    char client[PATH_BYTES]; /* as it is mapped */
    unsigned long client_from, client_to;
    char *environment; /* each entry ends with NUL */
    size_t environment_bytes;
};
extern struct process target;
bool has_proc(void);
void proc_path(int pid, const char *name, char path[64]);
int proc_open(int pid, const char *name);
size_t read_whole(int fd, void *into, size_t room);
void process_read(int pid, struct process *);
int other_with_client(int pid);
bool is_machine(void); /* its processes are the machine's, and not a container's */
const char *variable_of(const struct process *, const char *name);

/* maps.c */
bool maps_read(struct process *);
bool is_client_name(const char *path, size_t length);

/* image.c: an ELF file */
struct image {
    int error; /* of opening it, else 0 */
    bool is_elf, has_interpreter;
    unsigned machine;
    bool has_mark; /* it is a client.so, and of ... */
    unsigned layout, frames;
};
void image_read(const char *path, struct image *);
bool mark_in(int fd, unsigned long from, unsigned long to, struct image *);
const char *machine_name(unsigned machine);
#ifdef __x86_64__
#define OWN_MACHINE 62 /* EM_X86_64 */
#else
#define OWN_MACHINE 183 /* EM_AARCH64 */
#endif

/* standin.c */
void stand_in(void);
const char *client_path(void); /* mapped, or preloaded, or beside us */
const char *directory(void);   /* without a final slash; "" where its path is too long */
const char *in_directory(const char *name);

/* place.c */
long file_read(const char *path, void *into, size_t room); /* the bytes read, or -1 */
bool file_status(const char *path, struct stat *);
bool is_noexec(const char *path);

/* server.c: a hello and its reply. False with errno where nobody takes it, and with none where nobody answers. */
bool greet(const char *path, uint8_t frame[NW_FRAME_HEADER_BYTES]);
bool is_greeting(const uint8_t frame[NW_FRAME_HEADER_BYTES]);

/* alive.c; the exit code. NULL: the directory that client.so would take. */
int say_alive(const char *folder);

/* lookup.c */
uint64_t now_ns(void);

/* doctor.c goes through these */
void check_program(int pid, bool is_given);
void check_unloaded(void); /* unloaded.c: why client.so is not in it */
void check_place(void);
bool check_server(void);
bool check_published(bool is_server_alive);
void check_etc(void);
void check_lookup(const char *name, bool has_server);
const struct facts *known_facts(void); /* NULL: they could not be read */

#endif
