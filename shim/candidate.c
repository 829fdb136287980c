/* The names that a question stands for, by its search list: it holds one at a time. */
#include "lookup.h"

/* Makes the question's name that of its n-th candidate. False: resolv.conf has changed meanwhile, or a name would be
 * too long, which each libc treats in its own way. */
bool candidate(struct question *question, unsigned index) {
    if (question->candidate == index)
        return true;
    size_t length = question->asked_length;
    if (index != question->as_is) {
        size_t room = NW_NAME_BYTES_MAX - length; /* for the dot as well */
        char *end = question->spelled + length;
        size_t domain = room ? view_domain(question->view, index - (question->as_is == 0), end + 1, room - 1) : 0;
        if (domain == 0)
            return false;
        *end = '.';
        length += 1 + domain;
    }
    question->spelled[length] = '\0';
    name_fold(question, question->asked_length, length);
    question->candidate = (uint8_t)index;
    return true;
}
