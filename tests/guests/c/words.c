/* One entry for each thing that docs/abi.md says of a word and that no conformance case shows; each ends with the answers it had. */
#include <capsend.h>

CAPSEND_PROGRAM

#define ANY 0, 0
#define NONE 0, 0
#define FOR_EVER -1
#define TEXT(literal) (literal), sizeof(literal) - 1
#define DONE return capsend_result(told, count * sizeof told[0])

static capsend_info info;
static int32_t handles[128], told[32];
static uint32_t count;
static uint8_t data[1 << 16];

static void tell(int32_t number) {
    told[count++] = number;
}

static void begin(void) {
    capsend_argument(&info);
    capsend_read(data, handles);
}

/* A handle that was not read is none; one that was read twice is the same number, and is held until it was dropped twice. */
CAPSEND_ENTRY(holding) {
    capsend_argument(&info);
    capsend_read(data, 0);
    tell(capsend_send(0, data, 1, NONE, 0));
    capsend_read(0, handles);
    int32_t first = handles[0];
    capsend_argument(&info);
    capsend_read(0, handles);
    tell(handles[0] == first);
    tell(capsend_drop(first));
    tell(capsend_send(first, data, 1, NONE, 0));
    tell(capsend_drop(first));
    tell(capsend_send(first, data, 1, NONE, 0));
    tell(capsend_drop(first));
    DONE;
}

/* There is no current message at first; reading does not consume it. */
CAPSEND_ENTRY(reading) {
    tell(capsend_read(data, 0));
    capsend_argument(&info);
    capsend_read(data, 0);
    data[0] = 0;
    capsend_read(data, 0);
    tell(data[0]);
    DONE;
}

/* What is called answers late, once, and twice; messages that come meanwhile wait. */
CAPSEND_ENTRY(called) {
    begin();
    int32_t other = handles[0];
    capsend_receive(&info, ANY, FOR_EVER); /* never */
    capsend_receive(&info, ANY, FOR_EVER);
    capsend_read(data, handles);
    capsend_send(other, TEXT("x meanwhile"), NONE, FOR_EVER);
    int32_t answers[2] = {capsend_send(handles[0], TEXT("once"), NONE, FOR_EVER), capsend_send(handles[0], TEXT("twice"), NONE, FOR_EVER)};
    capsend_receive(&info, ANY, FOR_EVER); /* end, without an answer */
    return capsend_result(answers, sizeof answers);
}

CAPSEND_ENTRY(caller) {
    int32_t self = capsend_own();
    int32_t other = capsend_spawn(CAPSEND_THIS_MODULE, TEXT("called"), NONE, &self, 1, 0);
    tell(capsend_call(other, TEXT("never"), NONE, &info, 20));
    tell(capsend_call(other, TEXT("twice"), NONE, &info, FOR_EVER));
    tell((int32_t)info.size);
    tell(capsend_call(other, TEXT("end"), NONE, &info, FOR_EVER));
    tell(capsend_receive(&info, ANY, FOR_EVER));
    capsend_read(data, 0);
    tell(data[0]);
    tell(capsend_receive(&info, ANY, 0));
    DONE;
}

/* The handles: an address, a folder, a function, a module. Each is good for what it is. */
CAPSEND_ENTRY(kinds) {
    begin();
    for (int k = 0; k < 4; k++) {
        tell(capsend_send(handles[k], data, 1, NONE, 0));
        tell(capsend_invoke(handles[k], data, 1, &info));
        tell(capsend_monitor(handles[k]));
        int32_t child = capsend_spawn(handles[k], TEXT("failing"), NONE, NONE, 0);
        tell(child >= 0 ? 0 : child);
        tell(capsend_send(handles[0], data, 1, &handles[k], 1, 0));
    }
    DONE;
}

CAPSEND_ENTRY(failing) {
    return 7;
}

CAPSEND_ENTRY(spawning) {
    tell(capsend_spawn(CAPSEND_THIS_MODULE, TEXT("nothing of that name"), NONE, NONE, 0));
    tell(capsend_spawn(CAPSEND_THIS_MODULE, TEXT("failing"), NONE, NONE, 4));
    tell(capsend_spawn(4711, TEXT("failing"), NONE, NONE, 0));
    tell(capsend_kill(capsend_own()));
    DONE;
}

/* Only what imports WASI can be passed folders. */
__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_close"))) int32_t close_file(int32_t descriptor);

CAPSEND_ENTRY(closing) {
    return close_file(99);
}

/* What is passed on: a child uses a function and a folder that its parent was passed. */
CAPSEND_ENTRY(passing_on) {
    begin();
    handles[2] = capsend_own();
    capsend_spawn(CAPSEND_THIS_MODULE, TEXT("using"), TEXT("ab"), handles, 3, 0);
    capsend_receive(&info, ANY, FOR_EVER);
    capsend_read(data, 0);
    return capsend_result(data, info.size);
}

CAPSEND_ENTRY(using) {
    begin();
    int32_t to = handles[2];
    uint32_t size = (uint32_t)capsend_describe(handles[1], data + 2, sizeof data - 2);
    tell(capsend_invoke(handles[0], data, 2, &info));
    capsend_read(data + 2 + size, 0);
    return capsend_send(to, data + 2, size + info.size, NONE, FOR_EVER);
}

CAPSEND_ENTRY(describing) {
    begin();
    char word[] = "....";
    int32_t size = capsend_describe(handles[0], word, 2);
    tell(size > 2);
    tell(word[0] != '.' && word[1] != '.');
    tell(word[2] == '.');
    tell(capsend_describe(4711, word, 2));
    DONE;
}

CAPSEND_ENTRY(unwatching) {
    int32_t child = capsend_spawn(CAPSEND_THIS_MODULE, TEXT("failing_when_told"), NONE, NONE, CAPSEND_LINK | CAPSEND_MONITOR);
    tell(capsend_unlink(child));
    tell(capsend_unmonitor(child));
    int32_t watched = capsend_spawn(CAPSEND_THIS_MODULE, TEXT("failing_when_told"), NONE, NONE, CAPSEND_MONITOR);
    capsend_send(child, TEXT("now"), NONE, FOR_EVER);
    tell(capsend_call(child, TEXT("ended?"), NONE, &info, FOR_EVER));
    capsend_send(watched, TEXT("now"), NONE, FOR_EVER);
    capsend_receive(&info, ANY, FOR_EVER);
    capsend_read(data, handles);
    tell(handles[0] == watched);
    tell(capsend_monitor(child)); /* it has ended: the notice comes at once */
    capsend_receive(&info, ANY, FOR_EVER);
    capsend_read(data, handles);
    tell(handles[0] == child);
    DONE;
}

CAPSEND_ENTRY(failing_when_told) {
    capsend_receive(&info, ANY, FOR_EVER);
    return 7;
}

/* The mailbox has room for one message. */
CAPSEND_ENTRY(filling) {
    int32_t self = capsend_own();
    tell(capsend_send(self, data, 1, NONE, 0));
    tell(capsend_send(self, data, 1, NONE, 10));
    DONE;
}

CAPSEND_ENTRY(saying) {
    begin();
    tell(capsend_say(handles[0], TEXT("k07N."), NONE, 0));
    tell(capsend_say(handles[0], TEXT(""), NONE, 0));
    tell(capsend_say(handles[0], TEXT("p\"\xc3\xa9\""), NONE, 0));
    tell(capsend_say(handles[0], TEXT("no message at all"), NONE, 0));
    int32_t self = capsend_own();
    tell(capsend_say(handles[0], TEXT("g1b:[[\"x\",{\"h\":0}],[\"l\",7,[0]]]"), &self, 1, 0));
    DONE;
}

CAPSEND_ENTRY(ending) {
    capsend_result(TEXT("first"));
    return capsend_result(TEXT("last"));
}
