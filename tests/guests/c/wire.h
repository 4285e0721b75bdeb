/* Python values on the wire (docs/wire.md) for guests in C, without a libc: the forms s, p, t, c and g with lists, tuples, dicts and bytes.
 * Numbers and texts stay as they are written in JSON. Copy it into your own guest. */
#ifndef WIRE_H
#define WIRE_H
#include <stdint.h>

enum wire_shape { WIRE_ATOM, WIRE_LIST, WIRE_TUPLE, WIRE_DICT, WIRE_BYTES }; /* the items of a dict are key, value, key, value, ... */

typedef struct wire_value wire_value;
struct wire_value {
    enum wire_shape shape;
    int state, number;  /* of the writer: whether it has been visited, and its node */
    const char *text;   /* of an atom and of bytes */
    uint32_t size;      /* of the text, or how many items */
    wire_value **items;
};

enum { WIRE_ROOM = 1 << 20, WIRE_MOST = 1 << 14, WIRE_DEPTH = 100 };
static char wire_room[WIRE_ROOM] __attribute__((aligned(16)));
static uint32_t wire_used;
static int wire_failed;
static wire_value wire_nothing = {WIRE_ATOM, 0, 0, "null", 4, 0};

/* --- reading --- */

typedef struct { const char *at, *end; } wire_text;

static void *wire_take(uint32_t size) {
    if (size > WIRE_ROOM - 16 - wire_used) wire_failed = 1, wire_used = size = 0;
    size = (size + 15) & ~15u;
    wire_used += size;
    return wire_room + wire_used - size;
}

static wire_value *wire_make(enum wire_shape shape, const char *text, uint32_t size) {
    wire_value *made = wire_take(sizeof *made);
    *made = (wire_value){shape, 0, 0, text, size, 0};
    return made;
}

static int wire_next(wire_text *in, char wanted) {
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n')) in->at++;
    return in->at < in->end && *in->at == wanted ? (in->at++, 1) : 0;
}

static wire_value *wire_atom(wire_text *in) {
    const char *from = in->at;
    if (wire_next(in, '"')) {
        for (; in->at < in->end && *in->at != '"'; in->at++) in->at += *in->at == '\\';
        wire_failed |= in->at >= in->end;
        in->at++;
    } else {
        while (in->at < in->end && *in->at != ',' && *in->at != ']' && *in->at != '}' && *in->at != ' ') in->at++;
    }
    wire_failed |= in->at == from || in->at > in->end;
    return wire_make(WIRE_ATOM, from, (uint32_t)(in->at - from));
}

static wire_value *wire_json(wire_text *in, int depth) {
    enum wire_shape shape = wire_next(in, '[') ? WIRE_LIST : wire_next(in, '{') ? WIRE_DICT : WIRE_ATOM;
    if (shape == WIRE_ATOM) return wire_atom(in);
    char end = shape == WIRE_LIST ? ']' : '}';
    wire_value *made = wire_make(shape, 0, 0), *first = 0, **last = &first;
    wire_failed |= depth == 0;
    /* The items are chained through `items` until it is known how many there are. */
    for (int more = !wire_next(in, end); more && !wire_failed; more = !wire_next(in, end)) {
        if (made->size && !wire_next(in, ',')) wire_failed = 1;
        for (int part = shape == WIRE_LIST; part < 2 && !wire_failed; part++) {
            wire_value **link = wire_take(2 * sizeof *link);
            while (wire_next(in, ' ')) {}
            link[0] = wire_json(in, depth - 1), link[1] = 0;
            *last = (wire_value *)link, last = (wire_value **)(link + 1), made->size++;
            if (part == 0 && !wire_next(in, ':')) wire_failed = 1;
        }
    }
    made->items = wire_take(made->size * sizeof *made->items);
    if (wire_failed) return &wire_nothing;
    uint32_t index = 0;
    for (wire_value **link = (wire_value **)first; link; link = (wire_value **)link[1]) made->items[index++] = link[0];
    return made;
}

static uint32_t wire_number(const wire_value *atom) {
    uint32_t number = 0;
    for (uint32_t k = 0; atom->shape == WIRE_ATOM && k < atom->size; k++) {
        if (atom->text[k] < '0' || atom->text[k] > '9' || number > 1 << 27) { wire_failed = 1; return 0; }
        number = number * 10 + (uint32_t)(atom->text[k] - '0');
    }
    return number;
}

static int wire_digit(char c) {
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    wire_failed |= digit < 0;
    return digit & 15;
}

/* The bytes of a node, from the text after the nodes. */
static void wire_blob(wire_value *made, const wire_value *node, wire_text *blobs) {
    uint32_t size = wire_number(node->items[1]), form = wire_number(node->items[2]);
    const char *text = blobs->at;
    if (wire_failed || size > (uint32_t)(blobs->end - text) || (form != 7 && form != 16)) { wire_failed = 1; return; }
    blobs->at += size;
    made->text = text, made->size = size;
    if (form == 7) return;
    char *bytes = wire_take(size / 2);
    for (uint32_t k = 0; k + 1 < size && !wire_failed; k += 2) bytes[k / 2] = (char)(wire_digit(text[k]) << 4 | wire_digit(text[k + 1]));
    made->text = bytes, made->size = size / 2;
}

/* What a part stands for: an atom itself, `[k]` the value of node k. */
static wire_value *wire_part(wire_value *part, wire_value **values, uint32_t count) {
    if (part->shape == WIRE_ATOM) return part;
    uint32_t node = part->shape == WIRE_LIST && part->size == 1 ? wire_number(part->items[0]) : count;
    if (node >= count) wire_failed = 1;
    return wire_failed ? &wire_nothing : values[node];
}

static wire_value *wire_general(wire_text *in) {
    uint32_t size = 0;
    while (in->at < in->end && *in->at != ':' && size < 1 << 24) size = size << 4 | (uint32_t)wire_digit(*in->at++);
    if (wire_failed || !wire_next(in, ':') || size > (uint32_t)(in->end - in->at)) { wire_failed = 1; return &wire_nothing; }
    wire_text json = {in->at, in->at + size};
    in->at += size;
    wire_value *nodes = wire_json(&json, 4);
    if (wire_failed || json.at != json.end || nodes->shape != WIRE_LIST || nodes->size == 0) { wire_failed = 1; return &wire_nothing; }
    wire_value **values = wire_take(nodes->size * sizeof *values);
    for (uint32_t k = 0; k < nodes->size && !wire_failed; k++) values[k] = wire_make(WIRE_LIST, 0, 0);
    for (uint32_t k = 0; k < nodes->size && !wire_failed; k++) {
        wire_value *node = nodes->items[k], *made = values[k];
        if (node->shape != WIRE_LIST || node->size == 0 || node->items[0]->size != 3) { wire_failed = 1; break; }
        char tag = node->items[0]->text[1];
        made->shape = tag == 'l' ? WIRE_LIST : tag == 't' ? WIRE_TUPLE : tag == 'b' ? WIRE_BYTES : WIRE_DICT;
        if (tag != 'l' && tag != 't' && tag != 'b' && tag != 'd' && tag != 'm') wire_failed = 1;
        else if (tag == 'b' && node->size == 3) wire_blob(made, node, in);
        else if (tag == 'b' || (tag == 'd' && (node->size != 2 || node->items[1]->shape != WIRE_DICT))) wire_failed = 1;
        else {
            wire_value **parts = tag == 'd' ? node->items[1]->items : node->items + 1;
            made->size = tag == 'd' ? node->items[1]->size : node->size - 1;
            made->items = wire_take(made->size * sizeof *made->items);
            for (uint32_t part = 0; part < made->size && !wire_failed; part++) made->items[part] = wire_part(parts[part], values, nodes->size);
        }
    }
    return wire_failed ? &wire_nothing : values[nodes->size - 1];
}

/* The value of form `s`: its text, quoted as JSON does. */
static wire_value *wire_quoted(wire_text *in) {
    char *text = wire_take(6 * (uint32_t)(in->end - in->at) + 2), *to = text;
    if (wire_failed) return &wire_nothing;
    *to++ = '"';
    for (; in->at < in->end; in->at++) {
        uint8_t c = (uint8_t)*in->at;
        if (c == '"' || c == '\\') *to++ = '\\', *to++ = (char)c;
        else if (c >= 32) *to++ = (char)c;
        else for (int k = 0; k < 6; k++) *to++ = k == 4 ? '0' + (c >> 4) : k == 5 ? "0123456789abcdef"[c & 15] : "\\u00"[k];
    }
    *to++ = '"';
    return wire_make(WIRE_ATOM, text, (uint32_t)(to - text));
}

/* Read a message; 0 when it is none, or says what this reader does not know. */
static wire_value *wire_read(const char *text, uint32_t size) {
    wire_text in = {text + 1, text + size};
    wire_used = 0, wire_failed = size == 0;
    for (uint32_t k = 0; k < size; k++) wire_failed |= (uint8_t)text[k] > 127;
    if (wire_failed) return 0;
    wire_value *value = text[0] == 'g' ? wire_general(&in) : text[0] == 's' ? wire_quoted(&in) : wire_json(&in, WIRE_DEPTH);
    if (text[0] == 't' || text[0] == 'c') {
        wire_failed |= value->shape != WIRE_LIST;
        value->shape = WIRE_TUPLE;
        if (text[0] == 'c' && !wire_failed) wire_failed |= value->size != 2 || value->items[0]->shape != WIRE_LIST || value->items[1]->shape != WIRE_DICT;
        if (text[0] == 'c' && !wire_failed) value->items[0]->shape = WIRE_TUPLE;
    } else {
        wire_failed |= text[0] != 'g' && text[0] != 's' && text[0] != 'p';
    }
    return wire_failed || in.at != in.end ? 0 : value;
}

/* --- writing --- */

typedef struct { char *at, *end; } wire_page;

static void wire_put(wire_page *out, const char *text, uint32_t size) {
    if (size > (uint32_t)(out->end - out->at)) { wire_failed = 1; return; }
    __builtin_memcpy(out->at, text, size);
    out->at += size;
}

static void wire_put_number(wire_page *out, uint32_t number, uint32_t base) {
    char digits[12];
    uint32_t count = 0;
    do digits[11 - count++] = "0123456789abcdef"[number % base]; while (number /= base);
    wire_put(out, digits + 12 - count, count);
}

/* Number what is no atom, each after its parts: the order of the nodes. */
static void wire_order(wire_value *value, wire_value **order, uint32_t *count, int depth) {
    if (value->shape == WIRE_ATOM || value->state) return;
    value->state = 1;
    wire_failed |= depth == 0;
    for (uint32_t k = 0; value->shape != WIRE_BYTES && k < value->size && !wire_failed; k++) wire_order(value->items[k], order, count, depth - 1);
    if (*count == WIRE_MOST) wire_failed = 1;
    if (!wire_failed) value->number = (int)*count, order[(*count)++] = value;
}

static void wire_put_blob(wire_page *out, wire_page *blobs, const wire_value *value) {
    uint32_t high = 0;
    for (uint32_t k = 0; k < value->size; k++) high |= (uint8_t)value->text[k] & 128;
    wire_put(out, ",", 1);
    wire_put_number(out, high ? 2 * value->size : value->size, 10);
    wire_put(out, high ? ",16" : ",7", high ? 3 : 2);
    if (!high) wire_put(blobs, value->text, value->size);
    for (uint32_t k = 0; high && k < value->size; k++) {
        char pair[2] = {"0123456789abcdef"[(uint8_t)value->text[k] >> 4], "0123456789abcdef"[value->text[k] & 15]};
        wire_put(blobs, pair, 2);
    }
}

/* Write a message in the form `g`, or in `p` when it is one atom; return its size, 0 when there is no room. */
static uint32_t wire_write(wire_value *value, char *text, uint32_t room) {
    static char nodes[WIRE_ROOM], blobs[WIRE_ROOM];
    static wire_value *order[WIRE_MOST];
    wire_page out = {text, text + room}, json = {nodes, nodes + sizeof nodes}, raw = {blobs, blobs + sizeof blobs};
    uint32_t count = 0;
    if (value->shape == WIRE_ATOM) {
        wire_put(&out, "p", 1);
        wire_put(&out, value->text, value->size);
        return wire_failed ? 0 : (uint32_t)(out.at - text);
    }
    wire_order(value, order, &count, WIRE_DEPTH);
    for (uint32_t k = 0; k < count && !wire_failed; k++) {
        wire_value *node = order[k];
        wire_put(&json, k ? "," : "[", 1);
        wire_put(&json, "[\"", 2);
        wire_put(&json, &"?ltmb"[node->shape], 1);
        wire_put(&json, "\"", 1);
        if (node->shape == WIRE_BYTES) wire_put_blob(&json, &raw, node);
        for (uint32_t part = 0; node->shape != WIRE_BYTES && part < node->size; part++) {
            wire_value *item = node->items[part];
            int atom = item->shape == WIRE_ATOM;
            wire_put(&json, ",[", atom ? 1 : 2);
            if (atom) wire_put(&json, item->text, item->size);
            else wire_put_number(&json, (uint32_t)item->number, 10), wire_put(&json, "]", 1);
        }
        wire_put(&json, "]", 1);
    }
    wire_put(&json, "]", 1);
    wire_put(&out, "g", 1);
    wire_put_number(&out, (uint32_t)(json.at - nodes), 16);
    wire_put(&out, ":", 1);
    wire_put(&out, nodes, (uint32_t)(json.at - nodes));
    wire_put(&out, blobs, (uint32_t)(raw.at - blobs));
    return wire_failed ? 0 : (uint32_t)(out.at - text);
}
#endif
