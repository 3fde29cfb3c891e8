#ifndef VIRGA_EXEC_RING_H
#define VIRGA_EXEC_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last output of a program, for a host that comes later: pieces of both streams in their order. */

struct ring {
  uint8_t *bytes;
  /* 0: nothing is kept. */
  size_t size;
  size_t start, used;
  /* The first piece, whose head has been taken off: of which stream, and how much of it is left. */
  uint8_t stream;
  size_t left;
  /* By stream (1 or 2): bytes ever written, and those that are kept. */
  uint64_t written[3], kept[3];
};

/* Reads a ring from its start without changing it; nothing may be added meanwhile. */
struct ring_reader {
  size_t at;
  uint8_t stream;
  size_t left;
  bool active;
};

/* Counts and keeps `length` bytes, 1 to 65535, dropping the oldest; memory is taken at the first use. */
void ring_add(struct ring *ring, uint8_t stream, const uint8_t *bytes, size_t length);
void ring_free(struct ring *ring);

struct ring_reader ring_reader(const struct ring *ring);
/* The next bytes, at most `room`, of one stream; 0 and no longer active at the end. */
size_t ring_read(const struct ring *ring, struct ring_reader *reader, uint8_t *bytes, size_t room, uint8_t *stream);

#endif
