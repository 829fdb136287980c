/* A program that opens a library, deeply bound if it may.
 *   opener bind LIBRARY            whose function the library calls by a name that both have
 *   opener bind-deleted LIBRARY    the same, after the program's own file is gone
 *   opener look LIBRARY NAME       the address that the library finds
 *   opener runpath LIBRARY NAME    whether the library can open another by its bare name, and the program cannot
 *   opener again LIBRARY           the same handle for the same library, and none before it is loaded
 *   opener errors LIBRARY          what dlerror and errno are left with
 *   opener fork LIBRARY            bind, in a child that was forked before the first call, and in a grandchild after */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEEPBIND 8 /* in all headers but musl's */

const char *whose(void);

const char *whose(void) {
    return "the opener's";
}

static void *must(void *found) {
    if (!found) {
        const char *error = dlerror();
        fprintf(stderr, "%s\n", error ? error : "no reason given");
        exit(1);
    }
    return found;
}

static void *open_deeply(const char *library) {
    return must(dlopen(library, RTLD_NOW | DEEPBIND));
}

/* POSIX would have it so, ISO C not. */
#define FUNCTION(type, handle, name) ((type)(__INTPTR_TYPE__)must(dlsym(handle, name)))

typedef const char *(*asks)(void);
typedef const char *(*looks)(const char *);
typedef void *(*opens)(const char *, int);

static void bind_deeply(const char *library) {
    void *handle = open_deeply(library);
    printf("%s\n", FUNCTION(asks, handle, "ask_whose")());
    fflush(stdout);
}

static void *bind_in_thread(void *library) {
    return (void *)(__INTPTR_TYPE__)FUNCTION(asks, open_deeply(library), "ask_whose")();
}

static void open_again(const char *library) {
    if (dlopen(library, RTLD_NOW | RTLD_NOLOAD | DEEPBIND))
        printf("loaded too early\n");
    void *handle = open_deeply(library);
    int same = dlopen(library, RTLD_NOW | RTLD_NOLOAD | DEEPBIND) == handle && dlopen(library, RTLD_LAZY) == handle;
    asks globally = FUNCTION(asks, RTLD_DEFAULT, "whose"), programs = FUNCTION(asks, dlopen(NULL, RTLD_NOW), "whose");
    printf("%s, %s, %s, %s\n", same ? "the same" : "another", globally(), programs(),
           FUNCTION(asks, handle, "whose")());
}

static void find_by_runpath(const char *library, const char *name) {
    opens open_by_name = FUNCTION(opens, open_deeply(library), "open_by_name");
    void *programs = dlopen(name, RTLD_NOW | DEEPBIND);
    if (!programs)
        dlerror();
    void *its = open_by_name(name, RTLD_NOW | DEEPBIND);
    printf("%s, %s\n", programs ? "the program finds it" : "the program does not",
           its ? "the library does" : "the library does not");
}

static void show_errors(const char *library) {
    errno = ERANGE;
    void *handle = dlopen("no-such-library.so", RTLD_NOW | DEEPBIND);
    const char *error = dlerror();
    printf("%s\n", handle ? "opened" : error ? error : "no error");
    printf("%s\n", dlerror() ? "an error twice" : "then none");
    open_deeply(library);
    printf("%s\n", dlerror() ? "an error after success" : "none after success");
}

static void bind_in_children(const char *library) {
    pthread_t thread;
    void *said;
    if (fork() == 0) {
        bind_deeply(library);
        if (fork() == 0) {
            bind_deeply(library);
            _exit(0);
        }
        wait(NULL);
        _exit(0);
    }
    wait(NULL);
    if (pthread_create(&thread, NULL, bind_in_thread, (void *)(__INTPTR_TYPE__)library) == 0 &&
        pthread_join(thread, &said) == 0)
        printf("%s\n", (const char *)said);
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    const char *task = argv[1], *library = argv[2];
    if (strcmp(task, "bind-deleted") == 0) {
        if (unlink(argv[0]) != 0)
            return 2;
        bind_deeply(library);
    } else if (strcmp(task, "bind") == 0) {
        bind_deeply(library);
    } else if (strcmp(task, "look") == 0 && argc > 3) {
        printf("%s\n", FUNCTION(looks, open_deeply(library), "look_up")(argv[3]));
    } else if (strcmp(task, "runpath") == 0 && argc > 3) {
        find_by_runpath(library, argv[3]);
    } else if (strcmp(task, "again") == 0) {
        open_again(library);
    } else if (strcmp(task, "errors") == 0) {
        show_errors(library);
    } else if (strcmp(task, "fork") == 0) {
        bind_in_children(library);
    } else {
        return 2;
    }
    return 0;
}
