#ifndef VIRGA_FRAME_H
#define VIRGA_FRAME_H

#include <stddef.h>
#include <stdint.h>

/* Sizes and numbers of the protocol (native/protocol/PROTOCOL.md). */

enum {
  RECORD_SIZE = 40,
  NONCE_SIZE = 16,
  FRAME_MAX = 32768,
  FRAME_HEAD = 16,
  FRAME_OVERHEAD = 24,
  PAYLOAD_MAX = FRAME_MAX - FRAME_OVERHEAD,
  /* What a host may send, all of which we may have to keep; and what we may, which each CREDIT of the host wakes us for. */
  WINDOW = 131072,
  SEND_WINDOW = 524288,
  CREDIT_DUE = 32768,
  DATA_COST = FRAME_OVERHEAD + 1024,
};

enum frame_type {
  FRAME_REQUEST = 1,
  FRAME_RESPONSE,
  FRAME_DATA,
  FRAME_EOF,
  FRAME_CREDIT,
  FRAME_END,
  FRAME_CONTROL,
  FRAME_EVENT,
};

enum { STREAM_IN = 0, STREAM_OUT = 1, STREAM_ERR = 2 };

struct frame {
  uint32_t type;
  const uint8_t *payload;
  size_t length;
};

/*
 * The host's frame at the start of `bytes`, whose tag must be `tag`. Its size when it is complete and right, 0 when
 * more bytes are needed, -1 when it cannot become a right frame; *reason then says why (may be NULL).
 */
int frame_take(const uint8_t *bytes, size_t length, uint64_t tag, struct frame *frame, const char **reason);

/* Writes head and trailer around the payload that stands at `frame + FRAME_HEAD`; the frame's size. */
size_t frame_seal(uint8_t *frame, enum frame_type type, size_t length, uint64_t tag);

/* Little-endian numbers. */
uint32_t load_u32(const uint8_t *bytes);
uint64_t load_u64(const uint8_t *bytes);
void store_u32(uint8_t *bytes, uint32_t number);
void store_u64(uint8_t *bytes, uint64_t number);

#endif
