/* The candidates of a question, in the order of this libc's search list, and which of them answers it. One that failed
 * for a temporary reason is never passed over here: what a later one gives may be another service's, so it is for libc
 * to go on or not. */
#include "lookup.h"

/* Does libc's search end with this candidate? An alias of a name without addresses counts as found. */
static bool is_final(uint8_t families, const struct reply *reply) {
    bool all_no_data = true;
    for (int i = 0; i < TYPES_MAX; i++) {
        const struct answer *answer = &reply->answers[i];
        if (!(families & 1 << i))
            continue;
        if (answer->outcome != NW_OUTCOME_NO_NAME && (answer->outcome != NW_OUTCOME_NO_DATA || answer->chain_count > 0))
            return true;
        all_no_data &= answer->outcome == NW_OUTCOME_NO_DATA;
    }
    return all_no_data && !on_glibc();
}

static bool has_no_data(uint8_t families, const struct reply *reply) {
    for (int i = 0; i < TYPES_MAX; i++)
        if (families & 1 << i && reply->answers[i].outcome == NW_OUTCOME_NO_DATA)
            return true;
    return false;
}

/* Of a reply with a temporary failure: is it the call's end? musl's search ends with it. glibc's goes on after what a
 * server has said (SERVFAIL), so that one dead domain takes no other name away, but not after silence: it would wait
 * for the same servers once more, and longer. */
bool is_failure_final(const struct question *question, const struct reply *reply) {
    if (!question->failure_is_final || question->candidate_count == 1 || !on_glibc())
        return question->failure_is_final;
    for (int i = 0; i < TYPES_MAX; i++) {
        const struct answer *answer = &reply->answers[i];
        bool is_silence = answer->outcome == NW_OUTCOME_TEMPORARY && answer->flags & NW_RECORD_FLAG_SILENT;
        if (answer->outcome != NW_OUTCOME_EMPTY && !is_silence)
            return false;
    }
    return true;
}

OWN_FRAME static bool search_table(struct question *question, uint8_t families, struct reply *reply) {
    uint8_t failure[TYPES_MAX] = {0};
    bool is_known = false;
    for (unsigned i = 0; i < question->candidate_count; i++) {
        if (!candidate(question, i) || !table_find(question, families, reply))
            return false;
        if (is_final(families, reply))
            return true;
        /* What it is called in the end: what the name as it is came to, if that was the first; else the first that
         * exists; else the last. */
        if (!is_known)
            for (int type = 0; type < TYPES_MAX; type++)
                failure[type] = reply->answers[type].outcome;
        is_known |= i == question->as_is || has_no_data(families, reply);
    }
    for (int type = 0; type < TYPES_MAX; type++)
        reply->answers[type].outcome = failure[type];
    return true;
}

/* True: the reply holds a sound answer for each family, and the question's name is that of the candidate they are for,
 * if there is an address. In either case the reply has to be ended. */
bool find(struct question *question, uint8_t families, struct reply *reply) {
    bool is_known = question->candidate_count == 1 ? table_find(question, families, reply)
                                                   : search_table(question, families, reply);
    return is_known || ask(question, families, reply);
}
