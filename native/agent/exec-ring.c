#include "exec-ring.h"

#include <stdlib.h>
#include <string.h>

/* Each piece has a head: its stream, and its length in two bytes. */
enum { HEAD = 3 };

static void copy_out(const struct ring *ring, size_t at, uint8_t *bytes, size_t length) {
  size_t place = (ring->start + at) % ring->size, first = ring->size - place;
  if (first > length) first = length;
  memcpy(bytes, ring->bytes + place, first);
  memcpy(bytes + first, ring->bytes, length - first);
}

static void copy_in(struct ring *ring, const uint8_t *bytes, size_t length) {
  size_t place = (ring->start + ring->used) % ring->size, first = ring->size - place;
  if (first > length) first = length;
  memcpy(ring->bytes + place, bytes, first);
  memcpy(ring->bytes, bytes + first, length - first);
  ring->used += length;
}

static size_t read_head(const struct ring *ring, size_t at, uint8_t *stream) {
  uint8_t head[HEAD];
  copy_out(ring, at, head, HEAD);
  *stream = head[0];
  return (size_t)(head[1] | head[2] << 8);
}

static void advance(struct ring *ring, size_t length) {
  ring->start = (ring->start + length) % ring->size;
  ring->used -= length;
}

/* Drops at least one byte of the oldest piece, `wanted` if it has as many. */
static void drop(struct ring *ring, size_t wanted) {
  if (ring->left == 0) {
    ring->left = read_head(ring, 0, &ring->stream);
    advance(ring, HEAD);
  }
  size_t length = wanted < ring->left ? wanted : ring->left;
  advance(ring, length);
  ring->left -= length;
  ring->kept[ring->stream] -= length;
}

void ring_add(struct ring *ring, uint8_t stream, const uint8_t *bytes, size_t length) {
  ring->written[stream] += length;
  if (ring->size <= HEAD) return;
  if (ring->bytes == NULL) ring->bytes = malloc(ring->size);
  if (ring->bytes == NULL) {
    ring->size = 0;
    return;
  }
  if (length > ring->size - HEAD) {
    bytes += length - (ring->size - HEAD);
    length = ring->size - HEAD;
  }
  while (ring->size - ring->used < HEAD + length) drop(ring, HEAD + length - (ring->size - ring->used));
  const uint8_t head[HEAD] = {stream, (uint8_t)length, (uint8_t)(length >> 8)};
  copy_in(ring, head, HEAD);
  copy_in(ring, bytes, length);
  ring->kept[stream] += length;
}

void ring_free(struct ring *ring) {
  free(ring->bytes);
  *ring = (struct ring){0};
}

struct ring_reader ring_reader(const struct ring *ring) {
  return (struct ring_reader){.stream = ring->stream, .left = ring->left, .active = ring->used > 0};
}

size_t ring_read(const struct ring *ring, struct ring_reader *reader, uint8_t *bytes, size_t room, uint8_t *stream) {
  if (reader->left == 0 && reader->at < ring->used) {
    reader->left = read_head(ring, reader->at, &reader->stream);
    reader->at += HEAD;
  }
  size_t length = room < reader->left ? room : reader->left;
  if (length > 0) copy_out(ring, reader->at, bytes, length);
  *stream = reader->stream;
  reader->at += length;
  reader->left -= length;
  if (reader->left == 0 && reader->at >= ring->used) reader->active = false;
  return length;
}
