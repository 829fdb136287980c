/* A line of the report, made of a format. Names and paths may come from anybody: no byte of them reaches the terminal
 * that is not printable ASCII. */
#include "doctor.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};

void line_put(struct line *line, char byte) {
    if (line->length < sizeof line->text)
        line->text[line->length++] = byte;
}

static void put_text(struct line *line, const char *text) {
    while (*text)
        line_put(line, *text++);
}

void line_number(struct line *line, unsigned long number) {
    char digits[24];
    int count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count > 0)
        line_put(line, digits[--count]);
}

static void put_untrusted(struct line *line, const char *text) {
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte >= ' ' && byte <= '~' && byte != '\\') {
            line_put(line, *text);
            continue;
        }
        put_text(line, byte == '\\' ? "\\\\" : "\\x");
        if (byte != '\\') {
            line_put(line, "0123456789abcdef"[byte >> 4]);
            line_put(line, "0123456789abcdef"[byte & 15]);
        }
    }
}

static const struct {
    int error;
    const char *name;
} ERRORS[] = {
#define ERROR(name)                                                                                                    \
    { name, #name }
    ERROR(EACCES), ERROR(EAFNOSUPPORT), ERROR(EAGAIN),  ERROR(ECONNREFUSED), ERROR(ECONNRESET), ERROR(EINVAL),
    ERROR(EIO),    ERROR(ELOOP),        ERROR(EMFILE),  ERROR(ENAMETOOLONG), ERROR(ENFILE),     ERROR(ENOENT),
    ERROR(ENOMEM), ERROR(ENOSYS),       ERROR(ENOTDIR), ERROR(ENOTCONN),     ERROR(ENOTSOCK),   ERROR(EPERM),
    ERROR(EPIPE),  ERROR(EPROTOTYPE),   ERROR(ESTALE),  ERROR(ETIMEDOUT),    ERROR(ENXIO)};

static const char *name_of_error(int error) {
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
        if (ERRORS[i].error == error)
            return ERRORS[i].name;
    return NULL;
}

static void put_error(struct line *line, int error) {
    const char *name = name_of_error(error);
    put_text(line, name ? name : "error ");
    if (!name)
        line_number(line, (unsigned long)error);
}

void line_format(struct line *line, const char *format, va_list values) {
    char address[INET6_ADDRSTRLEN];
    for (; *format; format++) {
        if (*format != '%') {
            line_put(line, *format);
            continue;
        }
        switch (*++format) {
        case 's':
            put_untrusted(line, va_arg(values, const char *));
            break;
        case 'u':
            line_number(line, va_arg(values, unsigned long));
            break;
        case 'm':
            put_error(line, va_arg(values, int));
            break;
        default: { /* 'a' */
            const uint8_t *bytes = va_arg(values, const uint8_t *);
            bool is_v4 = memcmp(bytes, MAPPED, sizeof MAPPED) == 0;
            put_text(line, inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes + (is_v4 ? 12 : 0), address, sizeof address));
        }
        }
    }
}
