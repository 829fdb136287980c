/* The words of a configuration file, one after the other, without stdio and without any limit on the line. A word
 * longer than a name can be is given out cut; nothing that we look for is that long. */
#include "lookup.h"
#include <errno.h>
#include <unistd.h>

static int next_byte(struct words *words) {
    if (words->at == words->end) {
        ssize_t got;
        if (words->no_file)
            return -1;
        do
            got = read(words->fd, words->buffer, sizeof words->buffer);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            words->failed = true;
        if (got <= 0)
            return -1;
        words->at = 0;
        words->end = (int)got;
    }
    return (unsigned char)words->buffer[words->at++];
}

static bool is_space(int byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Of its first line, as much as the buffer holds. */
void words_of(struct words *words, const char *text) {
    *words = (struct words){.fd = -1, .no_file = true};
    while (words->end < (int)sizeof words->buffer && text[words->end] && text[words->end] != '\n') {
        words->buffer[words->end] = text[words->end];
        words->end++;
    }
}

bool next_word(struct words *words, char word[WORD_BYTES]) {
    size_t length = 0;
    bool in_comment = false, at_line_start = !words->line_open;
    for (int byte; (byte = next_byte(words)) >= 0;) {
        words->has_controls |= byte < ' ' && byte != '\t' && byte != '\n';
        bool begins_comment = byte == '#' || (byte == ';' && !words->hash_anywhere);
        if (byte == '\n' || is_space(byte) || in_comment || (begins_comment && words->hash_anywhere)) {
            if (begins_comment)
                in_comment = true;
            if (length == 0) {
                if (byte == '\n') {
                    in_comment = false;
                    words->line_open = false;
                    words->indented = false;
                    at_line_start = true;
                } else if (at_line_start && !in_comment) {
                    words->indented = true;
                }
                continue;
            }
            words->at--; /* the line's end, or the comment, is for the next call to see */
            break;
        }
        if (begins_comment && at_line_start && length == 0) {
            in_comment = true;
            continue;
        }
        if (length < WORD_BYTES - 1)
            word[length++] = (char)byte;
    }
    word[length] = '\0';
    words->first = !words->line_open;
    words->line_open = true;
    return length > 0;
}
