/* The cases of tests/wasm/test_conformance.py in C, without a libc: one entry each. */
#include <capsend.h>

CAPSEND_PROGRAM

#define ANY 0, 0
#define FOR_EVER -1
#define TEXT(literal) (literal), sizeof(literal) - 1

static capsend_info info;
static int32_t handles[16];
static uint8_t data[1 << 20];

/* End with the bytes of the current message. */
static int32_t pass_on(void) {
    capsend_read(data, 0);
    return capsend_result(data, info.size);
}

/* End with numbers, 4 bytes each. */
static int32_t report(int32_t first, int32_t second, int32_t third) {
    int32_t found[3] = {first, second, third};
    return capsend_result(found, sizeof found);
}

/* Take what the process was started with: its bytes and its handles. */
static void begin(void) {
    capsend_argument(&info);
    capsend_read(data, handles);
}

CAPSEND_ENTRY(echo) {
    begin();
    return capsend_result(data, info.size);
}

CAPSEND_ENTRY(greeting) {
    return capsend_write(1, TEXT("hello from a guest\n"));
}

CAPSEND_ENTRY(parent) {
    begin();
    int32_t self = capsend_own();
    int32_t child = capsend_spawn(CAPSEND_THIS_MODULE, TEXT("child"), data, info.size, &self, 1, 0);
    if (child < 0) return -child;
    capsend_receive(&info, ANY, FOR_EVER);
    return pass_on();
}

CAPSEND_ENTRY(child) {
    begin();
    return capsend_send(handles[0], data, info.size, 0, 0, FOR_EVER);
}

CAPSEND_ENTRY(serving) {
    for (int32_t served = 0;; served++) {
        capsend_receive(&info, ANY, FOR_EVER);
        capsend_read(data, handles);
        if (info.handles == 0) return report(served, 0, 0);
        capsend_send(handles[0], data, info.size, 0, 0, FOR_EVER);
        capsend_drop(handles[0]);
    }
}

CAPSEND_ENTRY(passing) {
    int32_t next;
    capsend_receive(&info, ANY, FOR_EVER);
    capsend_read(0, &next);
    for (;;) {
        capsend_receive(&info, ANY, FOR_EVER);
        capsend_read(data, 0);
        capsend_send(next, data, info.size, 0, 0, FOR_EVER);
        if (info.size == 0) return 0;
    }
}

CAPSEND_ENTRY(selective) {
    uint32_t size = 0;
    for (int turn = 0; turn < 3; turn++) {
        capsend_receive(&info, "b", turn == 0, FOR_EVER);
        capsend_read(data + size, 0);
        size += info.size;
    }
    return capsend_result(data, size);
}

CAPSEND_ENTRY(patient) {
    return report(capsend_receive(&info, ANY, 0), capsend_receive(&info, ANY, 10), capsend_receive(&info, TEXT("b"), 10));
}

CAPSEND_ENTRY(failing) {
    return 7;
}

CAPSEND_ENTRY(waiting) {
    return capsend_receive(&info, ANY, FOR_EVER);
}

CAPSEND_ENTRY(watching) {
    int32_t child = capsend_spawn(CAPSEND_THIS_MODULE, TEXT("failing"), ANY, 0, 0, CAPSEND_MONITOR);
    capsend_receive(&info, ANY, FOR_EVER);
    capsend_read(data, handles);
    return report((int32_t)info.kind, (int32_t)info.extra, handles[0] == child);
}

CAPSEND_ENTRY(trapping) {
    capsend_trap(1);
    int32_t child = capsend_spawn(CAPSEND_THIS_MODULE, TEXT("failing"), ANY, 0, 0, CAPSEND_LINK);
    capsend_receive(&info, ANY, FOR_EVER);
    capsend_read(data, handles);
    return report((int32_t)info.kind, (int32_t)info.extra, handles[0] == child);
}

CAPSEND_ENTRY(doomed) {
    capsend_spawn(CAPSEND_THIS_MODULE, TEXT("failing"), ANY, 0, 0, CAPSEND_LINK);
    capsend_receive(&info, ANY, FOR_EVER);
    return 0;
}

CAPSEND_ENTRY(killing) {
    int32_t child = capsend_spawn(CAPSEND_THIS_MODULE, TEXT("waiting"), ANY, 0, 0, CAPSEND_MONITOR);
    int32_t killed = capsend_kill(child);
    capsend_receive(&info, ANY, FOR_EVER);
    return report((int32_t)info.kind, (int32_t)info.extra, killed);
}

CAPSEND_ENTRY(oversized) {
    int32_t self = capsend_own();
    return report(capsend_send(self, data, sizeof data, 0, 0, 0), capsend_send(self, data, 16, 0, 0, 0), 0);
}

CAPSEND_ENTRY(forging) {
    int32_t forged = 4711, self = capsend_own();
    return report(capsend_send(forged, data, 1, 0, 0, 0), capsend_send(self, data, 1, &forged, 1, 0), capsend_kill(forged));
}

CAPSEND_ENTRY(faulting) {
    __builtin_trap();
}

CAPSEND_ENTRY(spinning) {
    for (volatile int turn = 0;; turn++) {}
}

CAPSEND_ENTRY(sleeping) {
    return capsend_sleep(3600 * 1000);
}

CAPSEND_ENTRY(greedy) {
    while (__builtin_wasm_memory_grow(0, 256) != (__SIZE_TYPE__)-1) {}
    return capsend_result(TEXT("refused"));
}

CAPSEND_ENTRY(chattering) {
    for (;;) capsend_write(1, data, 4096);
}

CAPSEND_ENTRY(asking) {
    begin();
    int32_t answer = capsend_call(handles[0], data, info.size, 0, 0, &info, FOR_EVER);
    return answer < 0 ? report(answer, 0, 0) : pass_on();
}

CAPSEND_ENTRY(invoking) {
    begin();
    int32_t answer = capsend_invoke(handles[0], data, info.size, &info);
    return answer < 0 ? report(answer, 0, 0) : pass_on();
}

CAPSEND_ENTRY(returning) {
    begin();
    int32_t back = handles[0];
    capsend_receive(&info, ANY, FOR_EVER);
    capsend_read(data, 0);
    capsend_say(back, data, info.size, 0, 0, FOR_EVER);
    return report((int32_t)info.kind, 0, 0);
}
