/* One exchange with the server: connect, one question, one answer, close. Every wait has a deadline, every path closes
 * the descriptor, and whatever is not a sound answer to our question means: libc. */
#include "lookup.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG_FULL_MS 50
#define BACKLOG_FULL_AGAIN_MS 1000
#define NOT_PERMITTED_MS 5000
#ifndef PROBE_EVERY_MS /* a test build asks sooner, and has patience with a busy machine */
#define PROBE_EVERY_MS 5000
#define PROBE_PATIENCE_MS 20
#endif
#define PENDING_GRACE_MS 250
#ifndef EXCHANGE_MS_MAX /* a test build has less patience */
#define EXCHANGE_MS_MAX 35000
#endif

/* Time 0 is "never". */
static _Atomic uint64_t not_permitted_until_ms;
/* Not 0: the server hangs, and one caller at a time may see whether it still does. Written after left_alone_ms and read
 * before it, or else a heartbeat from before would count as one from after. */
static _Atomic uint64_t next_probe_ms;
static _Atomic uint64_t left_alone_ms; /* since when; a heartbeat from after that is a reason to see earlier */

_Static_assert(BACKLOG_FULL_AGAIN_MS <= PROBE_EVERY_MS, "the longest that a server is left alone");

struct exchange {
    int fd;
    uint64_t deadline_ms, last_ms; /* of what is waited for, and of all */
    uint64_t seen_ms;              /* the time when it was last asked for */
    uint32_t idle_looks;           /* so often it has been the same since */
    bool heard, timed_out;
};

/* What is left of a wait; nothing where the clock has gone back. Where it stands there is an end as well: the more
 * often it is found where it was, the sooner, for a flood of frames or of signals may keep us from waiting at all. */
static uint64_t left_ms(struct exchange *exchange, uint64_t until) {
    uint64_t now = now_ms(), seen = exchange->seen_ms;
    exchange->idle_looks = now == seen ? exchange->idle_looks + 1 : 0;
    exchange->seen_ms = now;
    return now >= seen && is_waiting(now, until, EXCHANGE_MS_MAX) ? (until - now) / (1 + exchange->idle_looks) : 0;
}

static uint32_t read_u32(const uint8_t *bytes) { /* network order, as all numbers of a frame */
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void write_u32(uint8_t *bytes, uint32_t value) {
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A server that is there but does not answer: it hangs, or has more to do than it can. */
static void leave_alone(uint64_t ms) {
    uint64_t now = now_ms();
    atomic_store_explicit(&left_alone_ms, now, memory_order_relaxed);
    atomic_store_explicit(&next_probe_ms, now + ms, memory_order_release);
}

static bool connect_socket(struct exchange *exchange, const char *path, int patience_ms) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, sizeof address.sun_path);
    exchange->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int wait_ms = 1, waited_ms = 0, most_ms = patience_ms < BACKLOG_FULL_MS ? patience_ms : BACKLOG_FULL_MS;
    while (exchange->fd >= 0 && connect(exchange->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || waited_ms >= most_ms) { /* EAGAIN: the listener's backlog is full */
            int error = errno;
            if (error == EAGAIN && patience_ms > 0)
                leave_alone(BACKLOG_FULL_AGAIN_MS);
            close(exchange->fd);
            exchange->fd = -1;
            errno = error;
            break;
        }
        poll(NULL, 0, wait_ms);
        waited_ms += wait_ms;
        wait_ms = wait_ms * 2 < most_ms - waited_ms ? wait_ms * 2 : most_ms - waited_ms;
    }
    if (exchange->fd < 0 && (errno == EPERM || errno == EACCES || errno == EAFNOSUPPORT))
        atomic_store_explicit(&not_permitted_until_ms, now_ms() + NOT_PERMITTED_MS, memory_order_relaxed);
    return exchange->fd >= 0;
}

/* Writes the header first. Neither here nor below may a call block: the application may have put a socket of its own in
 * our descriptor's place. */
static bool send_frame(int fd, uint8_t kind, uint8_t *frame, size_t length) {
    write_u32(frame + NW_FRAME_LENGTH, (uint32_t)length);
    frame[NW_FRAME_VERSION_AT] = NW_FRAME_VERSION;
    frame[NW_FRAME_KIND] = kind;
    ssize_t sent;
    do
        sent = send(fd, frame, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)length; /* a fresh socket's buffer holds it whole */
}

/* All candidates in one frame, made where the reply will be. */
static bool send_question(int fd, struct question *question, uint8_t families, struct reply *reply) {
    uint8_t *frame = reply->small;
    size_t length = NW_QUESTION_NAMES, room = sizeof reply->small;
    if (length + question->candidate_count * (1u + NW_NAME_BYTES_MAX) > room)
        frame = reply->large = malloc(room = NW_QUESTION_FRAME_BYTES_MAX);
    if (!frame)
        return false;
    memset(frame, 0, length);
    frame[NW_QUESTION_FAMILIES] = families;
    frame[NW_QUESTION_COUNT] = question->candidate_count;
    if (on_glibc())
        frame[NW_QUESTION_SEARCH] = question->as_is == 0 ? NW_SEARCH_AS_IS_FIRST : 0;
    else
        frame[NW_QUESTION_SEARCH] = NW_SEARCH_ENDS_AT_NO_DATA;
    for (unsigned i = 0; i < question->candidate_count; i++) {
        if (!candidate(question, i) || length + 1u + question->length > room)
            return false;
        memcpy(frame + length, &question->length, 1u + question->length); /* the name stands behind it */
        length += 1u + question->length;
    }
    bool is_sent = send_frame(fd, NW_KIND_QUESTION, frame, length);
    free(reply->large);
    reply->large = NULL;
    return is_sent;
}

static bool receive(struct exchange *exchange, uint8_t *into, size_t length) {
    for (size_t got = 0; got < length;) {
        ssize_t more = recv(exchange->fd, into + got, length - got, MSG_DONTWAIT);
        if (more > 0) {
            if (got == 0) { /* it lives: the rest has its own time */
                exchange->heard = true;
                exchange->deadline_ms = now_ms() + NW_SILENCE_MS;
            }
            got += (size_t)more;
            continue;
        }
        bool is_empty = more < 0 && errno == EAGAIN;
        if (!is_empty && (more == 0 || errno != EINTR))
            return false;
        uint64_t until = exchange->deadline_ms < exchange->last_ms ? exchange->deadline_ms : exchange->last_ms;
        uint64_t wait_ms = left_ms(exchange, until);
        struct pollfd waiting = {.fd = exchange->fd, .events = POLLIN};
        int ready = is_empty && wait_ms ? poll(&waiting, 1, (int)wait_ms) : 1;
        if (wait_ms == 0 || (ready == 0 && exchange->idle_looks == 0)) { /* the whole wait, whatever the clock says */
            exchange->timed_out = true;
            return false;
        }
        if (ready < 0 && errno != EINTR)
            return false;
    }
    return true;
}

/* Reads frames until the answer, whole, into the reply. Returns its length, 0 for anything else. */
static size_t receive_answer(struct exchange *exchange, struct reply *reply) {
    for (;;) {
        uint8_t *frame = reply->small;
        if (!receive(exchange, frame, NW_FRAME_HEADER_BYTES))
            return 0;
        size_t length = read_u32(frame + NW_FRAME_LENGTH);
        uint8_t kind = frame[NW_FRAME_KIND];
        if (frame[NW_FRAME_VERSION_AT] != NW_FRAME_VERSION)
            return 0;
        if (kind == NW_KIND_PENDING && length == NW_PENDING_FRAME_BYTES) {
            if (!receive(exchange, frame + NW_FRAME_HEADER_BYTES, length - NW_FRAME_HEADER_BYTES))
                return 0;
            exchange->deadline_ms = now_ms() + read_u32(frame + NW_PENDING_WAIT_MS) + PENDING_GRACE_MS;
            if (left_ms(exchange, exchange->last_ms) > 0) /* a flood of promises never lets the socket run dry */
                continue;
            exchange->timed_out = true;
            return 0;
        }
        if (kind != NW_KIND_ANSWER || length <= NW_ANSWER_RECORDS || length > NW_ANSWER_FRAME_BYTES_MAX)
            return 0;
        if (length > sizeof reply->small) {
            if (!(reply->large = malloc(length)))
                return 0;
            memcpy(reply->large, frame, NW_FRAME_HEADER_BYTES);
            frame = reply->large;
        }
        return receive(exchange, frame + NW_FRAME_HEADER_BYTES, length - NW_FRAME_HEADER_BYTES) ? length : 0;
    }
}

static bool read_answer(struct question *question, uint8_t families, size_t length, struct reply *reply) {
    uint8_t *frame = reply->large ? reply->large : reply->small;
    if (frame[NW_ANSWER_FAMILIES] != families || frame[NW_ANSWER_CANDIDATE] >= question->candidate_count ||
        !candidate(question, frame[NW_ANSWER_CANDIDATE]))
        return because(question, WHY_NO_ANSWER);
    size_t at = NW_ANSWER_RECORDS;
    for (int i = 0; i < TYPES_MAX; i++) {
        if (!(families & 1 << i))
            continue;
        struct answer *answer = &reply->answers[i];
        size_t record = answer_read(frame + at, length - at, frame + at, &question->length, TYPES[i], answer);
        if (record == 0)
            return because(question, WHY_NO_ANSWER);
        if (answer->outcome == NW_OUTCOME_UNFIT)
            return because(question, WHY_UNFIT);
        at += record;
    }
    return at == length || because(question, WHY_NO_ANSWER);
}

/* To a server that hung: one that is well again answers a hello at once, however long a question may take it. */
static bool greet(struct exchange *exchange) {
    uint8_t hello[NW_FRAME_HEADER_BYTES] = {0};
    if (!send_frame(exchange->fd, NW_KIND_HELLO, hello, sizeof hello) || !receive(exchange, hello, sizeof hello))
        return false;
    return hello[NW_FRAME_KIND] == NW_KIND_HELLO && read_u32(hello + NW_FRAME_LENGTH) == sizeof hello;
}

static bool is_not_permitted(uint64_t now) {
    return is_waiting(now, atomic_load_explicit(&not_permitted_until_ms, memory_order_relaxed), NOT_PERMITTED_MS);
}

/* How long this call may wait for a sign of life; 0: not at all. The table's heartbeat, where there is one, tells a
 * server that is gone or hangs before it is asked, and one that is well again before the next probe. */
static int patience_ms(struct question *question, uint64_t now) {
    uint64_t heartbeat_ms = 0;
    enum server server = map_server(&heartbeat_ms);
    if (server == SERVER_GONE || is_not_permitted(now)) {
        because(question, server == SERVER_GONE ? WHY_NO_SERVER : WHY_NO_SOCKET);
        return 0;
    }
    because(question, WHY_HANGS); /* if so it is */
    uint64_t probe = atomic_load_explicit(&next_probe_ms, memory_order_acquire);
    if (probe == 0)
        return NW_SILENCE_MS;
    bool has_moved =
        server == SERVER_ALIVE && heartbeat_ms > atomic_load_explicit(&left_alone_ms, memory_order_relaxed);
    if ((is_waiting(now, probe, PROBE_EVERY_MS) && !has_moved) ||
        !atomic_compare_exchange_strong(&next_probe_ms, &probe, now + PROBE_EVERY_MS))
        return 0;
    atomic_store_explicit(&left_alone_ms, now, memory_order_relaxed);
    return PROBE_PATIENCE_MS;
}

OWN_FRAME static bool exchange_frames(struct question *question, uint8_t families, struct reply *reply) {
    reply_begin(reply);
    uint64_t now = now_ms();
    int patience = patience_ms(question, now);
    struct exchange exchange = {.deadline_ms = now + (uint64_t)patience, .last_ms = now + EXCHANGE_MS_MAX};
    if (patience == 0)
        return false;
    if (!connect_socket(&exchange, folder()->socket_path, patience))
        return because(question, WHY_NO_SOCKET);
    question->why = WHY_SOCKET;
    bool greeted = patience != PROBE_PATIENCE_MS || greet(&exchange);
    size_t length =
        greeted && send_question(exchange.fd, question, families, reply) ? receive_answer(&exchange, reply) : 0;
    close(exchange.fd);
    if (exchange.timed_out)
        leave_alone(PROBE_EVERY_MS);
    else if (exchange.heard)
        atomic_store_explicit(&next_probe_ms, 0, memory_order_relaxed);
    return length > 0 ? read_answer(question, families, length, reply) : because(question, WHY_NO_ANSWER);
}

/* True: the reply holds a sound answer for each family. In either case the reply has to be ended. */
bool ask(struct question *question, uint8_t families, struct reply *reply) {
    struct guard guard = guard_enter();
    bool answered = exchange_frames(question, families, reply);
    guard_leave(guard);
    question->now = tick_ms();
    return answered;
}

/* A frame that nobody answers, sent if that can be done at once. */
void tell(uint8_t kind, uint8_t *frame, size_t length) {
    struct guard guard = guard_enter();
    uint64_t heartbeat_ms;
    struct exchange exchange;
    if (map_server(&heartbeat_ms) == SERVER_ALIVE && atomic_load_explicit(&next_probe_ms, memory_order_relaxed) == 0 &&
        !is_not_permitted(now_ms()) && connect_socket(&exchange, folder()->socket_path, 0)) {
        send_frame(exchange.fd, kind, frame, length);
        close(exchange.fd);
    }
    guard_leave(guard);
}
