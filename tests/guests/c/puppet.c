/* Does whatever its argument says: word after word of the interface, with any numbers as pointers, sizes and handles. */
#include <capsend.h>

CAPSEND_PROGRAM

typedef struct { int32_t word, numbers[7]; int64_t time; } step;

static step steps[512];
static int32_t answers[512];

#define AT(k) ((void *)(intptr_t)s->numbers[k])
#define N(k) (s->numbers[k])

static int32_t act(const step *s) {
    switch (s->word) {
    case 0: return capsend_argument(AT(0));
    case 1: return capsend_result(AT(0), N(1));
    case 2: return capsend_receive(AT(0), AT(1), N(2), s->time);
    case 3: return capsend_read(AT(0), AT(1));
    case 4: return capsend_send(N(0), AT(1), N(2), AT(3), N(4), s->time);
    case 5: return capsend_say(N(0), AT(1), N(2), AT(3), N(4), s->time);
    case 6: return capsend_call(N(0), AT(1), N(2), AT(3), N(4), AT(5), s->time);
    case 7: return capsend_invoke(N(0), AT(1), N(2), AT(3));
    case 8: return capsend_spawn(N(0), AT(1), N(2), AT(3), N(4), AT(5), N(6), (uint32_t)s->time);
    case 9: return capsend_own();
    case 10: return capsend_drop(N(0));
    case 11: return capsend_describe(N(0), AT(1), N(2));
    case 12: return capsend_monitor(N(0));
    case 13: return capsend_unmonitor(N(0));
    case 14: return capsend_link(N(0));
    case 15: return capsend_unlink(N(0));
    case 16: return capsend_trap(N(0));
    case 17: return capsend_kill(N(0));
    case 18: return capsend_write(N(0), AT(1), N(2));
    case 19: return capsend_sleep(s->time);
    default: return (int32_t)__builtin_wasm_memory_grow(0, (__SIZE_TYPE__)N(0) % 16);
    }
}

CAPSEND_ENTRY(acting) {
    capsend_info info;
    capsend_argument(&info);
    if (info.size > sizeof steps) return 1;
    capsend_read(steps, answers);
    uint32_t count = info.size / sizeof steps[0];
    for (uint32_t k = 0; k < count; k++) answers[k] = act(&steps[k]);
    return capsend_result(answers, count * sizeof answers[0]);
}

CAPSEND_ENTRY(idle) {
    capsend_info info;
    return capsend_receive(&info, 0, 0, -1);
}
