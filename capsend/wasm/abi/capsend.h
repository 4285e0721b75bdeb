/* capsend.h: a WebAssembly module as a process of capsend. This is the whole binding; docs/abi.md describes each word.
 *
 * Every function returns 0 or more (a handle, a number) or one of the negative codes. Times are in milliseconds; -1 means no limit.
 * Everything is copied at the call: the caller can overwrite its buffers at once. A handle is valid in this process only. */
#ifndef CAPSEND_H
#define CAPSEND_H
#include <stdint.h>

enum {
    CAPSEND_MALFORMED = -1,   /* a pointer, a length or a number is invalid */
    CAPSEND_FORGED = -2,      /* this process holds no such handle */
    CAPSEND_DENIED = -3,      /* the handle does not allow that */
    CAPSEND_CLOSED = -4,      /* the thing that the handle names has ended */
    CAPSEND_FULL = -5,        /* no room in the mailbox within the time */
    CAPSEND_REFUSED = -6,     /* no room, and the mailbox does not delay senders */
    CAPSEND_LARGE = -7,       /* larger than the mailbox, or than an argument may be */
    CAPSEND_TIMEOUT = -8,     /* nothing came within the time */
    CAPSEND_MANY = -9,        /* a table is full: handles, monitors, calls, children */
    CAPSEND_UNSENDABLE = -10, /* that handle cannot be sent in a message */
    CAPSEND_MISSING = -11,    /* there is no object of that name or kind */
    CAPSEND_LIMIT = -12,      /* beyond the limits of the environment */
    CAPSEND_RAISED = -13      /* the host function raised: the current message describes the exception */
};
enum { CAPSEND_BYTES, CAPSEND_VALUE, CAPSEND_DOWN, CAPSEND_EXIT }; /* kinds of messages */
enum { CAPSEND_NORMAL, CAPSEND_FAILED, CAPSEND_KILLED, CAPSEND_AT_LIMIT, CAPSEND_TRAPPED }; /* reasons, in `extra` of DOWN and EXIT */
enum { CAPSEND_LINK = 1, CAPSEND_MONITOR = 2 }; /* flags of spawn */
enum { CAPSEND_THIS_MODULE = -1 };

/* Describes the current message: CAPSEND_BYTES, or a Python value as text (docs/wire.md), or a notice. `read` copies it. */
typedef struct { uint32_t kind, size, handles, extra; } capsend_info;

#define CAPSEND_WORD(name) __attribute__((import_module("capsend"), import_name(#name))) extern int32_t capsend_##name
CAPSEND_WORD(argument)(capsend_info *info); /* makes the argument of the process the current message */
CAPSEND_WORD(result)(const void *data, uint32_t size); /* sets the result of the process; the last one counts */
CAPSEND_WORD(receive)(capsend_info *info, const void *prefix, uint32_t prefix_size, int64_t timeout);
CAPSEND_WORD(read)(void *data, int32_t *handles); /* 0 skips a part */
CAPSEND_WORD(send)(int32_t to, const void *data, uint32_t size, const int32_t *handles, uint32_t count, int64_t timeout);
CAPSEND_WORD(say)(int32_t to, const void *text, uint32_t size, const int32_t *handles, uint32_t count, int64_t timeout); /* a Python value */
CAPSEND_WORD(call)(int32_t to, const void *data, uint32_t size, const int32_t *handles, uint32_t count, capsend_info *info,
                   int64_t timeout); /* the address for the answer is the first handle that the receiver gets */
CAPSEND_WORD(invoke)(int32_t function, const void *data, uint32_t size, capsend_info *info); /* calls a host function */
CAPSEND_WORD(spawn)(int32_t module, const char *name, uint32_t name_size, const void *data, uint32_t size, const int32_t *handles,
                    uint32_t count, uint32_t flags);
CAPSEND_WORD(own)(void);
CAPSEND_WORD(drop)(int32_t handle);
CAPSEND_WORD(describe)(int32_t handle, void *data, uint32_t size); /* the path of a folder, a description of others, as far as there is
                                                                     room; returns the length of the whole */
CAPSEND_WORD(monitor)(int32_t handle);
CAPSEND_WORD(unmonitor)(int32_t handle);
CAPSEND_WORD(link)(int32_t handle);
CAPSEND_WORD(unlink)(int32_t handle);
CAPSEND_WORD(trap)(uint32_t on); /* 1: exits of linked processes come as messages */
CAPSEND_WORD(kill)(int32_t handle);
CAPSEND_WORD(write)(uint32_t stream, const void *data, uint32_t size); /* 1 standard output, 2 standard error */
CAPSEND_WORD(sleep)(int64_t milliseconds);

/* Write this once in a program: it names the version of the interface that the program was built for. */
#define CAPSEND_PROGRAM __attribute__((export_name("capsend_abi_1"))) void capsend_abi_1(void) {}
/* An entry: int32_t name(void); a result other than 0 is a failure. */
#define CAPSEND_ENTRY(name) __attribute__((export_name(#name))) int32_t name(void)
#endif
