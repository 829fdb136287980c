/* Addresses as text, both ways, as libc reads and writes them (RFC 4291; inet_aton's forms of IPv4). */
#include "doctor.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static int digit_of(char byte, int base) {
    int digit = byte >= '0' && byte <= '9'                     ? byte - '0'
                : (byte | 0x20) >= 'a' && (byte | 0x20) <= 'f' ? (byte | 0x20) - 'a' + 10
                                                               : base;
    return digit < base ? digit : -1;
}

/* Four decimal numbers without needless zeros; where they end, or NULL. */
static const char *read_v4(const char *text, uint8_t *into) {
    for (int i = 0; i < 4; i++) {
        int number = 0, digits = 0;
        if (i > 0 && *text++ != '.')
            return NULL;
        for (int digit; (digit = digit_of(*text, 10)) >= 0; text++, digits++)
            if ((number = number * 10 + digit) > 255 || (digits > 0 && number < 10))
                return NULL;
        if (digits == 0)
            return NULL;
        into[i] = (uint8_t)number;
    }
    return text;
}

static bool read_v6(const char *text, uint8_t *into) {
    uint8_t bytes[16] = {0};
    int at = 0, gap = -1;
    if (text[0] == ':' && *++text != ':')
        return false;
    while (*text) {
        if (*text == ':') { /* the second of two: whatever is left is zeros here */
            if (gap >= 0)
                return false;
            gap = at;
            text++;
            continue;
        }
        unsigned group = 0;
        int digits = 0;
        const char *start = text;
        for (int digit; (digit = digit_of(*text, 16)) >= 0; text++)
            if (++digits > 4)
                return false;
            else
                group = group << 4 | (unsigned)digit;
        if (*text == '.') {
            const char *end = at <= 12 ? read_v4(start, bytes + at) : NULL;
            if (!end || *end)
                return false;
            at += 4;
            break;
        }
        if (digits == 0 || at > 14 || (*text && *text != ':') || (*text == ':' && !text[1]))
            return false;
        bytes[at++] = (uint8_t)(group >> 8);
        bytes[at++] = (uint8_t)group;
        if (*text)
            text++;
    }
    if (gap >= 0 ? at == 16 : at != 16)
        return false;
    memset(into, 0, 16);
    size_t head = gap >= 0 ? (size_t)gap : 16, tail = (size_t)at - (gap >= 0 ? (size_t)gap : 16);
    memcpy(into, bytes, head);
    if (gap >= 0)
        memcpy(into + 16 - tail, bytes + gap, tail);
    return true;
}

int inet_pton(int family, const char *restrict text, void *restrict into) {
    uint8_t v4[4];
    if (family == AF_INET6)
        return read_v6(text, into);
    const char *end = read_v4(text, v4);
    if (!end || *end)
        return 0;
    memcpy(into, v4, sizeof v4);
    return 1;
}

/* One to four numbers, decimal, octal or hexadecimal; the last takes what bytes are left. */
int inet_aton(const char *text, struct in_addr *into) {
    uint64_t numbers[4] = {0};
    int count = 0;
    for (;; text++) {
        int base = 10, digits = 0;
        if (count == 4)
            return 0;
        if (*text == '0' && (text[1] | 0x20) == 'x')
            base = 16, text += 2;
        else if (*text == '0')
            base = 8;
        for (int digit; (digit = digit_of(*text, base)) >= 0; text++, digits++)
            if ((numbers[count] = numbers[count] * (unsigned)base + (unsigned)digit) > UINT32_MAX)
                return 0;
        if (digits == 0)
            return 0;
        count++;
        if (*text != '.')
            break;
    }
    if (*text && !strchr(" \t\n\v\f\r", *text))
        return 0;
    uint64_t address = numbers[count - 1];
    if (address >> (8 * (5 - count)))
        return 0;
    for (int i = 0; i < count - 1; i++) {
        if (numbers[i] > 255)
            return 0;
        address |= numbers[i] << (8 * (3 - i));
    }
    into->s_addr = htonl((uint32_t)address);
    return 1;
}

static char *put_number(char *at, unsigned number, unsigned base) {
    char digits[8];
    int count = 0;
    do
        digits[count++] = "0123456789abcdef"[number % base];
    while (number /= base);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static char *put_v4(char *at, const uint8_t *v4) {
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *at++ = '.';
        at = put_number(at, v4[i], 10);
    }
    return at;
}

const char *inet_ntop(int family, const void *restrict from, char *restrict into, socklen_t room) {
    const uint8_t *bytes = from;
    if (room < INET6_ADDRSTRLEN) {
        errno = ENOSPC;
        return NULL;
    }
    char *at = into;
    if (family == AF_INET) {
        *put_v4(at, bytes) = '\0';
        return into;
    }
    unsigned groups[8], gap = 8, gap_length = 1; /* the longest run of two zeros or more, the first of equals */
    for (unsigned i = 0; i < 8; i++)
        groups[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
    for (unsigned i = 0, length; i < 8; i += length ? length : 1) {
        for (length = 0; i + length < 8 && groups[i + length] == 0; length++)
            ;
        if (length > gap_length)
            gap = i, gap_length = length;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i == gap) {
            *at++ = ':';
            i += gap_length - 1;
            if (i == 7)
                *at++ = ':';
            continue;
        }
        if (i > 0)
            *at++ = ':';
        if (i == 6 && gap == 0 && (gap_length == 6 || (gap_length == 5 && groups[5] == 0xffff))) {
            at = put_v4(at, bytes + 12);
            break;
        }
        at = put_number(at, groups[i], 16);
    }
    *at = '\0';
    return into;
}
