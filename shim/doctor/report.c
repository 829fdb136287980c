/* Prints what was found, for people or as JSON. */
#include "doctor.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DOCS "docs/doctor.md#nw-"

static const struct {
    int code;
    enum level level;
    const char *hint;
} KNOWN[] = {
#define ROW(code, level, hint) {code, level, hint},
    CODES(ROW)};
#define KNOWN_COUNT (sizeof KNOWN / sizeof *KNOWN)

static bool as_json, has_group, has_check;
static unsigned long counts[UNKNOWN + 1];
static bool found[KNOWN_COUNT];

static void write_out(const char *text, size_t length) {
    while (length > 0) {
        long written = syscall(SYS_write, STDOUT_FILENO, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            leave(2);
        text += written;
        length -= (size_t)written;
    }
}

static void write_text(const char *text) {
    write_out(text, strlen(text));
}

/* What was made visible above is printable; in JSON two of its characters stand for more. */
static void write_quoted(const char *text, size_t length) {
    struct line quoted = {.length = 0};
    line_put(&quoted, '"');
    for (size_t i = 0; i < length && quoted.length < sizeof quoted.text - 3; i++) {
        if (text[i] == '"' || text[i] == '\\')
            line_put(&quoted, '\\');
        line_put(&quoted, text[i]);
    }
    line_put(&quoted, '"');
    write_out(quoted.text, quoted.length);
}

static void write_code(int code) {
    struct line line = {.length = 0};
    line_number(&line, (unsigned long)code);
    write_out(line.text, line.length);
}

static void check(enum level level, int code, const char *hint, const struct line *line) {
    static const char *const MARKS[] = {"  ok    ", "  -     ", "  warn  ", "  FAIL  ", "  ?     "};
    static const char *const LEVELS[] = {"ok", "note", "warning", "problem", "unknown"};
    counts[level]++;
    if (as_json) {
        write_text(has_check ? ",{\"level\":" : "{\"level\":");
        has_check = true;
        write_quoted(LEVELS[level], strlen(LEVELS[level]));
        write_text(",\"text\":");
        write_quoted(line->text, line->length);
        if (code) {
            write_text(",\"code\":\"NW-");
            write_code(code);
            write_text("\",\"hint\":");
            write_quoted(hint, strlen(hint));
            write_text(",\"docs\":\"" DOCS);
            write_code(code);
            write_text("\"");
        }
        write_text("}");
        return;
    }
    write_text(MARKS[level]);
    if (code) {
        write_text("NW-");
        write_code(code);
        write_text(" ");
    }
    write_out(line->text, line->length);
    write_text("\n");
    if (code) {
        write_text("        ");
        write_text(hint);
        write_text("\n        " DOCS);
        write_code(code);
        write_text("\n");
    }
}

#define SAID(line, format)                                                                                             \
    struct line line = {.length = 0};                                                                                  \
    va_list values;                                                                                                    \
    va_start(values, format);                                                                                          \
    line_format(&line, format, values);                                                                                \
    va_end(values)

void fine(const char *format, ...) {
    SAID(line, format);
    check(OK, 0, NULL, &line);
}

void note(const char *format, ...) {
    SAID(line, format);
    check(NOTE, 0, NULL, &line);
}

void finding(int code, const char *format, ...) {
    SAID(line, format);
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (KNOWN[i].code != code)
            continue;
        found[i] = true;
        check(KNOWN[i].level, code, KNOWN[i].hint, &line);
    }
}

bool is_found(int code) {
    for (size_t i = 0; i < KNOWN_COUNT; i++)
        if (KNOWN[i].code == code)
            return found[i];
    return false;
}

static void say(const char *format, ...) {
    SAID(line, format);
    write_out(line.text, line.length);
}

void print(const char *text) {
    write_text(text);
    write_text("\n");
}

static void write_error(struct line *line) {
    line_put(line, '\n');
    syscall(SYS_write, STDERR_FILENO, line->text, line->length);
}

void complain(const char *format, ...) {
    SAID(line, format);
    write_error(&line);
}

void refuse(const char *format, ...) {
    SAID(line, format);
    write_error(&line);
    leave(2);
}

void report_begin(bool json) {
    as_json = json;
    if (as_json)
        write_text("{\"schema\":1,\"groups\":[");
}

void group(const char *title) {
    if (as_json) {
        write_text(has_group ? "]},{\"name\":" : "{\"name\":");
        write_quoted(title, strlen(title));
        write_text(",\"checks\":[");
    } else {
        write_text(has_group ? "\n" : "");
        write_text(title);
        write_text("\n");
    }
    has_group = true;
    has_check = false;
}

/* Warnings alone are no reason for a script to stop. */
int report_end(void) {
    int code = counts[PROBLEM] ? 1 : counts[UNKNOWN] ? 2 : 0;
    static const char *const VERDICTS[] = {"fine", "problems", "unknown"};
    if (as_json) {
        write_text(has_group ? "]}],\"verdict\":" : "],\"verdict\":");
        write_quoted(VERDICTS[code], strlen(VERDICTS[code]));
        write_text("}\n");
        return code;
    }
    static const char *const ENDS[] = {"\nAll is fine (warnings: %u).\n", "\nProblems: %u, warnings: %u.\n",
                                       "\nNot all could be told (%u), warnings: %u.\n"};
    if (code == 0)
        say(ENDS[code], counts[WARNING]);
    else
        say(ENDS[code], counts[code == 1 ? PROBLEM : UNKNOWN], counts[WARNING]);
    return code;
}
