#ifndef VIRGA_BUFFER_H
#define VIRGA_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/*
 * Buffers that come and go with every frame. The C library maps and unmaps each of this size, and the kernel clears its
 * pages again: that costs more than moving the bytes. So a few are kept for the next one who needs one.
 */

struct buffer {
  uint8_t *bytes;
  size_t capacity;
};

/* What a buffer that is kept has room for: two frames. Smaller and larger ones are allocated as they are. */
enum { BUFFER_USUAL = 65536, BUFFER_SMALL = 2048 };

/* Room for `length` bytes or more; `bytes` is NULL when there is no memory. */
struct buffer buffer_take(size_t length);
/* Takes it back, and leaves an empty one. */
void buffer_give(struct buffer *buffer);

#endif
