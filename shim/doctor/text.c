/* What is asked of a libc's <string.h> and malloc. Plain, for nothing here is asked often; the barrier keeps the
 * compiler from making a call to the function itself of its loop. */
#include "doctor.h"
#include <stdlib.h>
#include <string.h>

#define BARRIER __asm__ volatile("" ::: "memory")

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
    for (size_t i = 0; i < length; i++) {
        ((char *)to)[i] = ((const char *)from)[i];
        BARRIER;
    }
    return to;
}

void *memset(void *to, int byte, size_t length) {
    for (size_t i = 0; i < length; i++) {
        ((char *)to)[i] = (char)byte;
        BARRIER;
    }
    return to;
}

int memcmp(const void *one, const void *other, size_t length) {
    for (size_t i = 0; i < length; i++) {
        int difference = ((const unsigned char *)one)[i] - ((const unsigned char *)other)[i];
        if (difference)
            return difference;
        BARRIER;
    }
    return 0;
}

void *memchr(const void *in, int byte, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (((const unsigned char *)in)[i] == (unsigned char)byte)
            return (char *)(uintptr_t)in + i;
    return NULL;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length]) {
        length++;
        BARRIER;
    }
    return length;
}

int strncmp(const char *one, const char *other, size_t length) {
    for (size_t i = 0; i < length; i++) {
        int difference = (unsigned char)one[i] - (unsigned char)other[i];
        if (difference || !one[i])
            return difference;
    }
    return 0;
}

int strcmp(const char *one, const char *other) {
    return strncmp(one, other, PTRDIFF_MAX);
}

char *strchr(const char *text, int byte) {
    for (;; text++) {
        if (*text == (char)byte)
            return (char *)(uintptr_t)text;
        if (!*text)
            return NULL;
    }
}

char *strrchr(const char *text, int byte) {
    const char *last = NULL;
    for (;; text++) {
        if (*text == (char)byte)
            last = text;
        if (!*text)
            return (char *)(uintptr_t)last;
    }
}

size_t strspn(const char *text, const char *accepted) {
    size_t length = 0;
    while (text[length] && strchr(accepted, text[length]))
        length++;
    return length;
}

size_t strcspn(const char *text, const char *refused) {
    size_t length = 0;
    while (text[length] && !strchr(refused, text[length]))
        length++;
    return length;
}

char *strstr(const char *text, const char *part) {
    size_t length = strlen(part);
    for (; *text; text++)
        if (strncmp(text, part, length) == 0)
            return (char *)(uintptr_t)text;
    return length ? NULL : (char *)(uintptr_t)text;
}

/* Given out once: what one run takes is a large answer, or two. */
void *malloc(size_t length) {
    static _Alignas(16) char heap[1 << 20];
    static size_t used;
    size_t bytes = (length + 15) & ~(size_t)15;
    if (bytes < length || bytes > sizeof heap - used)
        return NULL;
    used += bytes;
    return heap + used - bytes;
}

void free(void *given) {
    (void)given;
}
