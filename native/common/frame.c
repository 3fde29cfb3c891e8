#include "frame.h"

uint32_t load_u32(const uint8_t *bytes) {
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

uint64_t load_u64(const uint8_t *bytes) { return load_u32(bytes) | (uint64_t)load_u32(bytes + 4) << 32; }

void store_u32(uint8_t *bytes, uint32_t number) {
  for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(number >> (8 * i));
}

void store_u64(uint8_t *bytes, uint64_t number) {
  store_u32(bytes, (uint32_t)number);
  store_u32(bytes + 4, (uint32_t)(number >> 32));
}

/* What the head alone tells: a wrong one is refused before its payload is waited for. */
static const char *head_fault(uint32_t length, uint32_t type, uint64_t tag, uint64_t expected) {
  if (length > PAYLOAD_MAX) return "length";
  if (type < FRAME_REQUEST || type > FRAME_EVENT) return "type";
  if (tag != expected) return "tag";
  switch (type) {
    case FRAME_REQUEST:
    case FRAME_CONTROL:
      return NULL;
    case FRAME_DATA:
      return length >= 1 ? NULL : "payload";
    case FRAME_EOF:
      return length == 1 ? NULL : "payload";
    case FRAME_CREDIT:
      return length == 4 ? NULL : "payload";
    default:
      return "direction";
  }
}

int frame_take(const uint8_t *bytes, size_t length, uint64_t tag, struct frame *frame, const char **reason) {
  const char *unused;
  if (reason == NULL) reason = &unused;
  *reason = NULL;
  if (length < FRAME_HEAD) return 0;
  uint32_t size = load_u32(bytes), type = load_u32(bytes + 4);
  *reason = head_fault(size, type, load_u64(bytes + 8), tag);
  if (*reason != NULL) return -1;
  if (length < FRAME_OVERHEAD + size) return 0;
  const uint8_t *payload = bytes + FRAME_HEAD;
  if (load_u64(payload + size) != ~tag) *reason = "trailer";
  else if ((type == FRAME_DATA || type == FRAME_EOF) && payload[0] != STREAM_IN) *reason = "stream";
  if (*reason != NULL) return -1;
  *frame = (struct frame){.type = type, .payload = payload, .length = size};
  return (int)(FRAME_OVERHEAD + size);
}

size_t frame_seal(uint8_t *frame, enum frame_type type, size_t length, uint64_t tag) {
  store_u32(frame, (uint32_t)length);
  store_u32(frame + 4, type);
  store_u64(frame + 8, tag);
  store_u64(frame + FRAME_HEAD + length, ~tag);
  return FRAME_OVERHEAD + length;
}
