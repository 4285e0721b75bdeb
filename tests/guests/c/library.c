/* What a program in C does that has a libc: prints, allocates, sleeps, looks for files and variables. Nothing of the machine is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <capsend.h>

CAPSEND_PROGRAM

static const char *started = "no";

__attribute__((constructor)) static void start(void) {
    started = "yes";
}

CAPSEND_ENTRY(looking) {
    capsend_info info;
    capsend_argument(&info);
    char *word = malloc(info.size + 1);
    capsend_read(word, 0);
    word[info.size] = 0;
    char left[8];
    printf("%s started: %s\n", word, started);
    printf("files: %s\n", fopen("/etc/passwd", "r") || fopen("file", "w") ? "yes" : "no");
    printf("variable: %s\n", getenv("NAME") ? getenv("NAME") : "none");
    printf("input: %d\n", (int)fread(left, 1, sizeof left, stdin));
    printf("clock: %s\n", time(0) > 1700000000 ? "set" : "not set");
    fprintf(stderr, "%.3f\n", 1.5);
    fflush(stdout);
    free(word);
    return usleep(1000);
}

CAPSEND_ENTRY(leaving) {
    exit(3);
}

CAPSEND_ENTRY(sleeping) {
    return (int32_t)sleep(3600);
}

CAPSEND_ENTRY(chattering) {
    for (;;) puts("again");
}

CAPSEND_ENTRY(aborting) {
    abort();
}
