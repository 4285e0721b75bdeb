/* Read the text of a Python value, say the value again in words of its own, and go on with the next message. */
#include "wire.h"

#include <capsend.h>

CAPSEND_PROGRAM

static capsend_info info;
static char text[1 << 20], said[1 << 21];

CAPSEND_ENTRY(rewriting) {
    int32_t back;
    capsend_argument(&info);
    capsend_read(0, &back);
    while (capsend_receive(&info, 0, 0, -1) == 0 && info.size <= sizeof text) {
        capsend_read(text, 0);
        wire_value *value = wire_read(text, info.size);
        uint32_t size = value ? wire_write(value, said, sizeof said) : 0;
        if (size) capsend_say(back, said, size, 0, 0, -1);
        else capsend_send(back, "unknown", 7, 0, 0, -1);
    }
    return 0;
}
