/* The text of a host name: what of it is plain, and its form as the key of the table. */
#include "lookup.h"
#include <string.h>

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

/* Each byte of a host name in lower case; 0 for every other. */
#define SAME(byte) [byte] = byte
#define LOWER(byte) [byte] = byte, [byte - 0x20] = byte
static const uint8_t FOLDED[256] = {SAME('-'),  SAME('.'),  SAME('_'),  SAME('0'),  SAME('1'),  SAME('2'),  SAME('3'),
                                    SAME('4'),  SAME('5'),  SAME('6'),  SAME('7'),  SAME('8'),  SAME('9'),  LOWER('a'),
                                    LOWER('b'), LOWER('c'), LOWER('d'), LOWER('e'), LOWER('f'), LOWER('g'), LOWER('h'),
                                    LOWER('i'), LOWER('j'), LOWER('k'), LOWER('l'), LOWER('m'), LOWER('n'), LOWER('o'),
                                    LOWER('p'), LOWER('q'), LOWER('r'), LOWER('s'), LOWER('t'), LOWER('u'), LOWER('v'),
                                    LOWER('w'), LOWER('x'), LOWER('y'), LOWER('z')};

static bool is_label_length(size_t length) {
    return length - 1 < NW_LABEL_BYTES_MAX; /* 0 wraps round */
}

static void end_name(struct question *question, size_t length) {
    memset(question->name + length, 0, 16); /* more than the key's padding; KEY_BYTES has room for it */
    question->length = (uint8_t)length;
}

/* Makes `name` of what is spelled from there on. */
void name_fold(struct question *question, size_t from, size_t length) {
    for (size_t i = from; i < length; i++)
        question->name[i] = (char)FOLDED[(uint8_t)question->spelled[i]];
    end_name(question, length);
}

/* A domain of the search list that can stand behind a plain host name: labels and dots. */
bool name_is_domain(const char *text, size_t length) {
    size_t label = 0;
    for (size_t i = 0; i < length; i++) {
        if (!FOLDED[(uint8_t)text[i]])
            return false;
        if (text[i] == '.' && !is_label_length(i - label))
            return false;
        if (text[i] == '.')
            label = i + 1;
    }
    return is_label_length(length - label);
}

/* Copies a plain host name; counts its dots. False for all that libc treats in a way of its own: addresses in any
 * notation (each label then begins with a digit), empty and over-long labels, other characters, a leading hyphen. */
bool name_read(const char *name, struct question *question, unsigned *dots, bool *absolute) {
    size_t length = 0, label = 0;
    bool all_numeric = true;
    *dots = 0;
    if (name[0] == '-')
        return false;
    for (uint8_t byte; (byte = FOLDED[(uint8_t)name[length]]); length++) {
        if (length > NW_NAME_BYTES_MAX) /* one more than a name may have, for the final dot */
            return false;
        question->spelled[length] = name[length];
        question->name[length] = (char)byte;
        if (byte != '.')
            continue;
        if (!is_label_length(length - label))
            return false;
        all_numeric &= is_digit(name[label]);
        label = length + 1;
        ++*dots;
    }
    if (name[length] || length == 0)
        return false;
    *absolute = label == length;
    if (*absolute) {
        length--;
        --*dots;
    } else if (!is_label_length(length - label)) {
        return false;
    } else {
        all_numeric &= is_digit(name[label]);
    }
    if (length > NW_NAME_BYTES_MAX)
        return false;
    question->spelled[length] = '\0';
    end_name(question, length);
    question->asked = name;
    question->asked_length = (uint8_t)length;
    return !all_numeric;
}
