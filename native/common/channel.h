#ifndef VIRGA_CHANNEL_H
#define VIRGA_CHANNEL_H

#include "buffer.h"
#include "frame.h"

#include <stdbool.h>

/*
 * The agent's end of one byte stream, as a state machine without a descriptor: bytes go in by channel_receive(),
 * bytes to be sent wait in channel_output(). It looks for a handshake, then delivers frames; whatever is wrong ends
 * the session and it looks for a handshake again, in the very bytes that were wrong.
 */

struct channel;

/* Called from within channel_receive() and channel_abort(). They may send; they must not abort or free. */
struct channel_events {
  void (*request)(struct channel *channel, const uint8_t *payload, size_t length);
  /* `length` bytes for stdin: each must be given back by channel_consumed() once it is used or dropped. */
  void (*data)(struct channel *channel, const uint8_t *bytes, size_t length);
  void (*eof)(struct channel *channel);
  void (*control)(struct channel *channel, const uint8_t *payload, size_t length);
  /* The session is over, by whatever cause. */
  void (*closed)(struct channel *channel);
};

struct channel {
  const struct channel_events *events;
  bool open;
  /* between a REQUEST and its END */
  bool busy;
  /* the output passed its limit, or there is no memory: the session ends at the next chance */
  bool broken;
  /* a hello has been answered */
  bool welcomed;
  uint8_t nonce_h[NONCE_SIZE], nonce_g[NONCE_SIZE];
  uint64_t receive_tag, send_tag;
  /* what the host may still send us, and we it; and what we shall give back to it */
  uint32_t host_credit, credit, owed;
  /* an incomplete record or frame */
  struct buffer held;
  size_t held_length;
  struct buffer output;
  size_t output_start, output_length;
  /* between channel_data_begin() and channel_data_end(): the room it gave */
  size_t begun;
};

void channel_init(struct channel *channel, const struct channel_events *events);
/* Ends the session without telling, and frees what the channel holds. */
void channel_free(struct channel *channel);

/* Takes all of `bytes` (at most CHANNEL_CHUNK). */
enum { CHANNEL_CHUNK = 65536 };
void channel_receive(struct channel *channel, const uint8_t *bytes, size_t length);
/* Where CHANNEL_CHUNK bytes may be read to for the next channel_receive(), which then need not move them. */
uint8_t *channel_space(const struct channel *channel);

/* Ends the session (if there is one): the stream is lost, or the session broken. Held bytes are searched again. */
void channel_abort(struct channel *channel);

/* Bytes to be written now; call channel_sent() with how many went. */
const uint8_t *channel_output(const struct channel *channel, size_t *length);
void channel_sent(struct channel *channel, size_t count);

/* Whether so much output waits that no more should be added. Less than that may wait for what follows at once: each write wakes the host. */
enum { OUTPUT_LARGE = 4096 };
bool channel_output_is_large(const struct channel *channel);

/* RESPONSE or EVENT. Does nothing when there is no session. */
void channel_message(struct channel *channel, enum frame_type type, const uint8_t *payload, size_t length);
/* How many bytes of a stream channel_data() takes now; 0 while much output waits or credit is short. */
size_t channel_room(const struct channel *channel);
void channel_data(struct channel *channel, uint8_t stream, const uint8_t *bytes, size_t length);
/* The same without moving them: gives a place for `room` bytes (at most channel_room()), NULL when there is no memory; then how many were put there. */
uint8_t *channel_data_begin(struct channel *channel, size_t room);
void channel_data_end(struct channel *channel, uint8_t stream, size_t length);
/* Whether channel_eof() may be called now. */
bool channel_eof_room(const struct channel *channel);
void channel_eof(struct channel *channel, uint8_t stream);
/* The operation's END. */
void channel_end(struct channel *channel);
/* Gives back bytes that came as data. */
void channel_consumed(struct channel *channel, size_t length);

#endif
