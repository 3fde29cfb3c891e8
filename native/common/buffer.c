#include "buffer.h"

#include <stdlib.h>

/* Sanitizers shall see each use of what was given back, and each byte beyond what was asked for. */
#if defined(__SANITIZE_ADDRESS__)
enum { KEPT_MOST = 0, USUAL_FROM = BUFFER_USUAL };
#else
enum { KEPT_MOST = 3, USUAL_FROM = BUFFER_SMALL };
#endif

static uint8_t *kept[KEPT_MOST + 1];
static int kept_count;

struct buffer buffer_take(size_t length) {
  struct buffer buffer = {.capacity = length};
  if (length > USUAL_FROM && length < BUFFER_USUAL) buffer.capacity = BUFFER_USUAL;
  if (buffer.capacity == BUFFER_USUAL && kept_count > 0) buffer.bytes = kept[--kept_count];
  else buffer.bytes = malloc(buffer.capacity);
  if (buffer.bytes == NULL) buffer.capacity = 0;
  return buffer;
}

void buffer_give(struct buffer *buffer) {
  if (buffer->capacity == BUFFER_USUAL && kept_count < KEPT_MOST) kept[kept_count++] = buffer->bytes;
  else free(buffer->bytes);
  *buffer = (struct buffer){0};
}
