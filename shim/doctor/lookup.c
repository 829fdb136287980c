/* One name: what it becomes, whether the cache may answer for it, and what it says, by the table and by the socket. */
#include "doctor.h"
#include <string.h>
#include <time.h>

#define FAMILIES (NW_FAMILY_A | NW_FAMILY_AAAA)
#define SHOWN_MAX 4

uint64_t now_ns(void) {
    struct timespec now = {0};
    clock_read(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static unsigned long microseconds_since(uint64_t ns) {
    return (now_ns() - ns) / 1000;
}

static const char *outcome_text(const struct answer *answer) {
    switch (answer->outcome) {
    case NW_OUTCOME_DATA:
        return "data";
    case NW_OUTCOME_NO_DATA:
        return "no such record";
    case NW_OUTCOME_NO_NAME:
        return "no such name";
    case NW_OUTCOME_TEMPORARY:
        return "a temporary failure";
    default:
        return "nothing";
    }
}

static void show(const char *type, const struct answer *answer, size_t bytes) {
    if (answer->outcome != NW_OUTCOME_DATA) {
        note("%s: %s", type, outcome_text(answer));
        return;
    }
    for (unsigned i = 0; i < answer->count && i < SHOWN_MAX; i++) {
        uint8_t address[16];
        if (bytes == 4)
            map_v4(answer->data + 4 * i, address);
        else
            memcpy(address, answer->data + 16 * i, sizeof address);
        note("%s: %a", type, address);
    }
    if (answer->count > SHOWN_MAX)
        note("%s: and %u more", type, (unsigned long)(answer->count - SHOWN_MAX));
}

static bool is_data(const struct reply *reply) {
    return reply->a.outcome == NW_OUTCOME_DATA || reply->aaaa.outcome == NW_OUTCOME_DATA;
}

/* The first of the candidates that has addresses, by the table alone. */
static bool look_in_table(struct question *question, struct reply *reply) {
    bool has_all = true;
    for (unsigned i = 0; i < question->candidate_count; i++) {
        uint64_t since = now_ns();
        if (!candidate(question, i))
            return false;
        bool is_there = table_find(question, FAMILIES, reply);
        unsigned long microseconds = microseconds_since(since);
        if (is_there && is_data(reply)) {
            fine("%s is in the table, found within %u us", question->name, microseconds);
            return true;
        }
        has_all &= is_there;
        if (!is_there)
            note("%s is not in the table, for both families", question->name);
        else
            note("%s is in the table: no addresses", question->name);
    }
    return has_all;
}

static void ask_server(struct question *question, struct reply *reply) {
    uint64_t since = now_ns();
    bool is_answered = ask(question, FAMILIES, reply);
    unsigned long microseconds = microseconds_since(since);
    if (!is_answered && question->why == WHY_UNFIT) {
        finding(605, "the server leaves %s to libc, by a rule or for what the name has", question->name);
    } else if (!is_answered) {
        finding(606, "the server gave no answer over the socket, after %u us", microseconds);
    } else if (reply->a.outcome == NW_OUTCOME_TEMPORARY || reply->aaaa.outcome == NW_OUTCOME_TEMPORARY) {
        finding(606, "the server's upstreams fail for %s, told within %u us", question->name, microseconds);
    } else {
        fine("%s is answered over the socket within %u us", question->name, microseconds);
        show("A", &reply->a, 4);
        show("AAAA", &reply->aaaa, 16);
    }
    reply_end(reply);
}

/* Why eligible.c says no. What is so for every name has been found before. */
static void check_refused(const char *name, const struct question *question) {
    switch (question->why) {
    case WHY_NAME:
        finding(604, "%s is no plain host name", name);
        break;
    case WHY_LOCAL:
        finding(603, "%s is a name of this machine or its link", name);
        break;
    case WHY_HOSTS:
        if (!is_found(505))
            finding(601, "%s stands in /etc/hosts, or is this machine's own name", name);
        break;
    case WHY_OPTIONS:
        if (!is_found(502))
            finding(605, "%s goes through a search list that is libc's", name);
        break;
    case WHY_NSSWITCH:
        if (!is_found(503))
            finding(605, "%s has no dot, and a module of /etc/nsswitch.conf may know it", name);
        break;
    case WHY_ALIASES:
        finding(605, "%s has no dot, and HOSTALIASES is set", name);
        break;
    case WHY_LOOPBACK:
        finding(605, "%s has no dot, and this container's own nameserver may know it", name);
        break;
    case WHY_OTHER_SERVERS:
        finding(605, "%s has no dot, and the server may not ask whom this container asks", name);
        break;
    case WHY_BYPASS:
        finding(602, "%s is under DNS_CACHE_BYPASS=%s", name, settings()->bypass);
        break;
    default: /* it is off, or its files cannot be read */
        break;
    }
    note("libc answers it, and the cache is not asked");
}

void check_lookup(const char *name, bool has_server) {
    static struct question question;
    static struct reply reply;
    group("name");
    if (!known_facts()) {
        note("not looked up, for the container's files cannot be read");
        return;
    }
    if (!eligible(name, &question)) {
        check_refused(name, &question);
        return;
    }
    for (unsigned i = 0; i < question.candidate_count && question.candidate_count > 1; i++)
        if (candidate(&question, i))
            note("%s is asked for as %s", name, question.name);
    bool is_known = look_in_table(&question, &reply);
    if (has_server)
        ask_server(&question, &reply);
    else if (!is_known)
        note("libc answers it, for the server does not");
    if (has_server && !is_known && question.map)
        look_in_table(&question, &reply);
}
