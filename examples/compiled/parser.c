// Sum the column of a table: a parser that checks its input and its arithmetic. Malformed input makes it fail, and its supervisor starts another.
#include <capsend.h>

CAPSEND_PROGRAM

static char text[1 << 16];
static capsend_info info;

/* Lines of `name,amount`. A malformed table ends the process; the next process starts afresh. */
CAPSEND_ENTRY(adding) {
    int32_t reply;
    while (capsend_receive(&info, 0, 0, -1) == 0 && info.handles == 1) {
        if (info.size > sizeof text) return 1;
        capsend_read(text, &reply);
        int64_t total = 0;
        for (uint32_t at = 0; at < info.size; at++) {
            while (at < info.size && text[at] != ',') at++;
            int64_t amount = 0;
            for (at++; at < info.size && text[at] != '\n'; at++) {
                if (text[at] < '0' || text[at] > '9') __builtin_trap();
                amount = amount * 10 + (text[at] - '0');
            }
            if (__builtin_add_overflow(total, amount, &total)) __builtin_trap();
        }
        capsend_send(reply, &total, sizeof total, 0, 0, -1);
        capsend_drop(reply);
    }
    return 0;
}
