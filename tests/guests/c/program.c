/* A program as it was before it met capsend: `main`, arguments, a status. */
#include <stdio.h>

int main(int count, char **words) {
    printf("hello from main, %d %s\n", count, count > 0 ? "argument" : "arguments");
    (void)words;
    return 0;
}
