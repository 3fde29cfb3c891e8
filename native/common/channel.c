#include "channel.h"

#include "handshake.h"

#include <string.h>

/* More than one DATA frame and what may stand around it. An honest host never lets it come to this. */
enum { OUTPUT_MAX = 65536, CREDIT_MIN = 16384 };

bool channel_output_is_large(const struct channel *channel) {
  return channel->output_length - channel->output_start >= OUTPUT_LARGE;
}

void channel_init(struct channel *channel, const struct channel_events *events) {
  *channel = (struct channel){.events = events};
}

static void drop_output(struct channel *channel) {
  buffer_give(&channel->output);
  channel->output_start = channel->output_length = 0;
}

void channel_free(struct channel *channel) {
  drop_output(channel);
  buffer_give(&channel->held);
  channel->held_length = 0;
  channel->open = channel->busy = channel->welcomed = false;
}

/* Room for `length` more bytes of output, or NULL. */
static uint8_t *extend_output(struct channel *channel, size_t length) {
  size_t waiting = channel->output_length - channel->output_start;
  if (waiting + length > OUTPUT_MAX) {
    channel->broken = true;
    return NULL;
  }
  if (channel->output_length + length > channel->output.capacity) {
    struct buffer fresh = buffer_take(waiting + length);
    if (fresh.bytes == NULL) {
      channel->broken = true;
      return NULL;
    }
    if (waiting > 0) memcpy(fresh.bytes, channel->output.bytes + channel->output_start, waiting);
    drop_output(channel);
    channel->output = fresh;
    channel->output_length = waiting;
  }
  channel->output_length += length;
  return channel->output.bytes + channel->output_length - length;
}

const uint8_t *channel_output(const struct channel *channel, size_t *length) {
  *length = channel->output_length - channel->output_start;
  return channel->output.bytes == NULL ? NULL : channel->output.bytes + channel->output_start;
}

void channel_sent(struct channel *channel, size_t count) {
  channel->output_start += count;
  if (channel->output_start == channel->output_length) drop_output(channel);
}

static void send_frame(struct channel *channel, enum frame_type type, const void *first, size_t first_length,
                       const void *rest, size_t rest_length) {
  if (!channel->open || channel->broken) return;
  size_t length = first_length + rest_length;
  uint8_t *frame = extend_output(channel, FRAME_OVERHEAD + length);
  if (frame == NULL) return;
  if (first_length > 0) memcpy(frame + FRAME_HEAD, first, first_length);
  if (rest_length > 0) memcpy(frame + FRAME_HEAD + first_length, rest, rest_length);
  frame_seal(frame, type, length, channel->send_tag++);
}

void channel_message(struct channel *channel, enum frame_type type, const uint8_t *payload, size_t length) {
  send_frame(channel, type, payload, length, NULL, 0);
}

size_t channel_room(const struct channel *channel) {
  /* Waiting for some credit spares the host a flood of little frames; it returns credit long before that. */
  if (!channel->open || channel_output_is_large(channel) || channel->credit < CREDIT_MIN) return 0;
  size_t room = channel->credit - DATA_COST - 1;
  return room < PAYLOAD_MAX - 1 ? room : PAYLOAD_MAX - 1;
}

uint8_t *channel_data_begin(struct channel *channel, size_t room) {
  uint8_t *frame = extend_output(channel, FRAME_OVERHEAD + 1 + room);
  if (frame == NULL) return NULL;
  channel->begun = room;
  return frame + FRAME_HEAD + 1;
}

void channel_data_end(struct channel *channel, uint8_t stream, size_t length) {
  uint8_t *frame = channel->output.bytes + channel->output_length - (FRAME_OVERHEAD + 1 + channel->begun);
  channel->output_length -= channel->begun - length;
  channel->begun = 0;
  if (length == 0) {
    channel->output_length -= FRAME_OVERHEAD + 1;
    if (channel->output_start == channel->output_length) drop_output(channel);
    return;
  }
  channel->credit -= (uint32_t)(1 + length + DATA_COST);
  frame[FRAME_HEAD] = stream;
  frame_seal(frame, FRAME_DATA, 1 + length, channel->send_tag++);
}

void channel_data(struct channel *channel, uint8_t stream, const uint8_t *bytes, size_t length) {
  uint8_t *place = channel->open && !channel->broken ? channel_data_begin(channel, length) : NULL;
  if (place == NULL) return;
  memcpy(place, bytes, length);
  channel_data_end(channel, stream, length);
}

bool channel_eof_room(const struct channel *channel) {
  return channel->open && !channel_output_is_large(channel) && channel->credit >= 1 + DATA_COST;
}

void channel_eof(struct channel *channel, uint8_t stream) {
  channel->credit -= 1 + DATA_COST;
  send_frame(channel, FRAME_EOF, &stream, 1, NULL, 0);
}

void channel_end(struct channel *channel) {
  send_frame(channel, FRAME_END, NULL, 0, NULL, 0);
  channel->busy = false;
}

static void give_back(struct channel *channel, size_t cost) {
  if (!channel->open) return;
  channel->owed += (uint32_t)cost;
  if (channel->owed < CREDIT_DUE) return;
  uint8_t payload[4];
  store_u32(payload, channel->owed);
  channel->host_credit += channel->owed;
  channel->owed = 0;
  send_frame(channel, FRAME_CREDIT, payload, sizeof payload, NULL, 0);
}

void channel_consumed(struct channel *channel, size_t length) { give_back(channel, length); }

static void welcome(struct channel *channel) {
  /* A welcome that waits unsent is replaced, one that went in part must be ended first. */
  if (channel->output_start == 0) drop_output(channel);
  uint8_t *record = extend_output(channel, RECORD_SIZE);
  if (record != NULL) handshake_welcome(record, channel->nonce_h, channel->nonce_g);
}

static void open_session(struct channel *channel) {
  channel->open = true;
  channel->welcomed = channel->busy = channel->broken = false;
  channel->receive_tag = load_u64(channel->nonce_g) | 1;
  channel->send_tag = load_u64(channel->nonce_h + 8) | 1;
  channel->host_credit = WINDOW;
  channel->credit = SEND_WINDOW;
  channel->owed = 0;
}

static void close_session(struct channel *channel) {
  if (!channel->open) return;
  channel->open = channel->busy = channel->broken = channel->welcomed = false;
  drop_output(channel);
  channel->events->closed(channel);
}

/* Looks for a handshake; how many bytes are done with. Stops behind the confirm. */
static size_t scan(struct channel *channel, const uint8_t *bytes, size_t length) {
  size_t at = 0;
  for (;;) {
    at += handshake_find(bytes + at, length - at);
    if (length - at < RECORD_SIZE) return at;
    const uint8_t *record = bytes + at;
    if (handshake_is_hello(record)) {
      handshake_accept(record, &channel->welcomed, channel->nonce_h, channel->nonce_g);
      welcome(channel);
      channel->broken = false;
      at += RECORD_SIZE;
    } else if (channel->welcomed && handshake_is_confirm(record, channel->nonce_h, channel->nonce_g)) {
      open_session(channel);
      return at + RECORD_SIZE;
    } else {
      /* Not a record: the real one may begin within these bytes. */
      at++;
    }
  }
}

/* Delivers one frame; false when it ends the session. */
static bool deliver(struct channel *channel, const struct frame *frame) {
  const uint8_t *payload = frame->payload;
  uint32_t amount;
  switch (frame->type) {
    case FRAME_REQUEST:
      if (channel->busy) return false;
      channel->busy = true;
      channel->events->request(channel, payload, frame->length);
      return true;
    case FRAME_CONTROL:
      if (channel->busy) channel->events->control(channel, payload, frame->length);
      return true;
    case FRAME_CREDIT:
      amount = load_u32(payload);
      if (amount > SEND_WINDOW - channel->credit) return false;
      channel->credit += amount;
      return true;
    default: /* DATA, EOF */
      amount = (uint32_t)(frame->length + DATA_COST);
      if (amount > channel->host_credit) return false;
      channel->host_credit -= amount;
      /* What is not payload takes no room here, so it is given back at once. */
      give_back(channel, DATA_COST + 1);
      if (frame->type == FRAME_EOF) {
        if (channel->busy) channel->events->eof(channel);
      } else if (frame->length > 1) {
        if (channel->busy) channel->events->data(channel, payload + 1, frame->length - 1);
        else channel_consumed(channel, frame->length - 1);
      }
      return true;
  }
}

/* Takes frames; how many bytes are done with. Stops where the session ends: those bytes are searched again. */
static size_t take_frames(struct channel *channel, const uint8_t *bytes, size_t length) {
  size_t at = 0;
  while (at < length && channel->open) {
    int repeat = handshake_repeats(bytes + at, length - at, channel->nonce_h);
    if (repeat < 0) return at;
    if (repeat > 0) {
      at += RECORD_SIZE;
      continue;
    }
    struct frame frame;
    int size = frame_take(bytes + at, length - at, channel->receive_tag, &frame, NULL);
    if (size == 0) return at;
    if (size > 0) channel->receive_tag++;
    if (size < 0 || !deliver(channel, &frame)) {
      close_session(channel);
      return at;
    }
    at += (size_t)size;
    if (channel->broken) close_session(channel);
  }
  return at;
}

static void process(struct channel *channel, const uint8_t *bytes, size_t length) {
  size_t at = 0, step;
  do {
    bool was_open = channel->open;
    step = was_open ? take_frames(channel, bytes + at, length - at) : scan(channel, bytes + at, length - at);
    at += step;
    /* On when it got ahead, or when it changed its mind about the same bytes. */
    if (channel->open != was_open) step = 1;
  } while (step > 0 && at < length);
  struct buffer rest = {0};
  size_t rest_length = length - at;
  if (rest_length > 0) {
    rest = buffer_take(rest_length);
    if (rest.bytes != NULL) memcpy(rest.bytes, bytes + at, rest_length);
    else rest_length = 0;
  }
  buffer_give(&channel->held);
  channel->held = rest;
  channel->held_length = rest_length;
  if (rest.bytes == NULL && length > at) close_session(channel);
}

/* What is held, and what comes behind it. */
static uint8_t joined[FRAME_MAX + CHANNEL_CHUNK];

uint8_t *channel_space(const struct channel *channel) { return joined + channel->held_length; }

void channel_receive(struct channel *channel, const uint8_t *bytes, size_t length) {
  if (channel->held_length > 0) {
    memcpy(joined, channel->held.bytes, channel->held_length);
    if (length > 0 && bytes != channel_space(channel)) memcpy(channel_space(channel), bytes, length);
    bytes = joined;
    length += channel->held_length;
  }
  if (length > 0) process(channel, bytes, length);
}

void channel_abort(struct channel *channel) {
  if (!channel->open) return;
  close_session(channel);
  /* Not by channel_receive(): another channel may be in the middle of that. */
  struct buffer held = channel->held;
  size_t length = channel->held_length;
  channel->held = (struct buffer){0};
  channel->held_length = 0;
  if (length > 0) process(channel, held.bytes, length);
  buffer_give(&held);
}
