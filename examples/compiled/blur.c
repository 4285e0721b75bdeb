// Blur grey images: each pixel becomes the mean of the nine pixels around it; pixels on the edge are unchanged.
#include <capsend.h>

CAPSEND_PROGRAM

enum { LARGEST = 1 << 22 };
static uint8_t image[LARGEST], blurred[LARGEST];
static capsend_info info;

/* A message is the width in 4 bytes and the pixels, row after row; the handle is the address for the blurred pixels. */
CAPSEND_ENTRY(blurring) {
    uint32_t width;
    int32_t reply;
    while (capsend_receive(&info, 0, 0, -1) == 0 && info.handles == 1) {
        if (info.size > LARGEST) return 1;
        capsend_read(image, &reply);
        __builtin_memcpy(&width, image, sizeof width);
        const uint8_t *pixels = image + sizeof width;
        uint32_t size = info.size - sizeof width;
        if (info.size < sizeof width || width < 3 || width > LARGEST || size % width) return 2;
        __builtin_memcpy(blurred, pixels, size);
        for (uint32_t row = width; row + width < size; row += width)
            for (uint32_t at = row + 1; at < row + width - 1; at++) {
                uint32_t sum = 0;
                for (uint32_t line = at - width; line <= at + width; line += width) sum += pixels[line - 1] + pixels[line] + pixels[line + 1];
                blurred[at] = (uint8_t)(sum / 9);
            }
        capsend_send(reply, blurred, size, 0, 0, -1);
        capsend_drop(reply);
    }
    return 0;
}
