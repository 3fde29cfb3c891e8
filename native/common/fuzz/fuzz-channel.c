#include "fuzz.h"

#include "channel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

enum { STREAM_MAX = 1 << 19, SCRIPT_MAX = 4096, BIG = 32743 };

/* The agent's nonces are to be foreseen here: they take the place of the C library's. */
ssize_t getrandom(void *bytes, size_t length, unsigned flags) {
  (void)flags;
  memset(bytes, 0x5a, length);
  return (ssize_t)length;
}

/* What happened, in order, so that two runs can be compared. */
struct trace {
  struct channel channel;
  uint64_t hash;
  bool busy;
  /* bytes for stdin that have not been given back */
  size_t unread;
};

static void note(struct trace *trace, uint8_t what, const uint8_t *bytes, size_t length) {
  trace->hash = (trace->hash ^ what) * 0x100000001b3;
  for (size_t i = 0; i < length; i++) trace->hash = (trace->hash ^ bytes[i]) * 0x100000001b3;
  trace->hash = (trace->hash ^ length) * 0x100000001b3;
}

static void check(const struct channel *channel) {
  size_t length;
  channel_output(channel, &length);
  MUST(channel->credit <= SEND_WINDOW && channel->host_credit <= WINDOW && channel->owed < CREDIT_DUE);
  MUST(length <= 65536 && channel->held_length < FRAME_MAX);
  MUST(channel->open || !channel->busy);
}

static void on_request(struct channel *channel, const uint8_t *payload, size_t length) {
  struct trace *trace = (struct trace *)channel;
  MUST(channel->open && channel->busy && !trace->busy);
  note(trace, 1, payload, length);
  trace->busy = true;
  /* Enough of long answers that nobody takes break the session. */
  static const uint8_t long_answer[4000];
  if (length % 4 == 1) channel_message(channel, FRAME_RESPONSE, long_answer, sizeof long_answer);
  else channel_message(channel, FRAME_RESPONSE, payload, length < 64 ? length : 64);
  /* Some operations are over at once; the others run until an EOF, or the end of the session. */
  if (length % 4 != 3) {
    trace->busy = false;
    channel_end(channel);
  }
}

static void on_data(struct channel *channel, const uint8_t *bytes, size_t length) {
  struct trace *trace = (struct trace *)channel;
  MUST(trace->busy && length > 0);
  note(trace, 2, bytes, length);
  trace->unread += length;
  MUST(trace->unread <= WINDOW);
  size_t room = channel_room(channel);
  if (room > 0) channel_data(channel, STREAM_OUT, bytes, length < room ? length : room);
  /* Large ones are kept, so that the window can be overrun. */
  if (length % 2 == 0 && length < 20000) {
    channel_consumed(channel, trace->unread);
    trace->unread = 0;
  }
}

static void on_eof(struct channel *channel) {
  struct trace *trace = (struct trace *)channel;
  MUST(trace->busy);
  note(trace, 3, NULL, 0);
  if (channel_eof_room(channel)) channel_eof(channel, STREAM_OUT);
  channel_consumed(channel, trace->unread);
  trace->unread = 0;
  trace->busy = false;
  channel_end(channel);
}

static void on_control(struct channel *channel, const uint8_t *payload, size_t length) {
  struct trace *trace = (struct trace *)channel;
  MUST(trace->busy);
  note(trace, 4, payload, length);
}

static void on_closed(struct channel *channel) {
  struct trace *trace = (struct trace *)channel;
  MUST(!channel->open);
  note(trace, 5, NULL, 0);
  trace->busy = false;
  trace->unread = 0;
}

static const struct channel_events events = {on_request, on_data, on_eof, on_control, on_closed};

static void begin(struct trace *trace) {
  memset(trace, 0, sizeof *trace);
  trace->hash = 0xcbf29ce484222325;
  channel_init(&trace->channel, &events);
}

/* Feeds a stream in pieces of `piece` bytes and never takes output: then how it is cut must not matter. */
static uint64_t feed(const uint8_t *bytes, size_t length, size_t piece) {
  struct trace trace;
  begin(&trace);
  for (size_t at = 0; at < length;) {
    size_t step = length - at < piece ? length - at : piece;
    channel_receive(&trace.channel, bytes + at, step);
    check(&trace.channel);
    at += step;
  }
  size_t output;
  const uint8_t *waiting = channel_output(&trace.channel, &output);
  note(&trace, 6, waiting, output);
  note(&trace, trace.channel.open, trace.channel.held.bytes, trace.channel.held_length);
  channel_free(&trace.channel);
  return trace.hash;
}

/* Writes a stream whose frames are right: steps of the script say which, and their bytes are payloads. */
static size_t build(const uint8_t *script, size_t size, uint8_t *stream) {
  static const uint8_t zeros[BIG];
  size_t length = 0;
  uint64_t tag = 0x5a5a5a5a5a5a5a5b;
  for (size_t at = 0; at + 2 <= size && length + 2 * FRAME_MAX < STREAM_MAX;) {
    uint8_t what = script[at] % 14, amount = script[at + 1];
    const uint8_t *payload = script + at + 2;
    size_t left = size - at - 2, taken = amount < left ? amount : left;
    uint8_t *place = stream + length;
    at += 2 + taken;
    if (what == 0) {
      memcpy(place, payload, taken);
      length += taken;
    } else if (what <= 2) {
      /* a hello, or a confirm to it */
      memcpy(place, what == 1 ? "VIRGA/1H" : "VIRGA/1C", 8);
      memset(place + 8, amount % 2, NONCE_SIZE);
      memset(place + 24, what == 1 ? 0 : 0x5a, NONCE_SIZE);
      length += RECORD_SIZE;
      tag = 0x5a5a5a5a5a5a5a5b;
    } else if (what == 3) {
      /* the host's way of freeing an agent that is caught within a frame */
      memcpy(place, zeros, sizeof zeros);
      length += sizeof zeros;
    } else {
      uint8_t *frame = place;
      enum frame_type type = what < 12 ? (enum frame_type)(what - 3) : FRAME_DATA;
      if (type == FRAME_RESPONSE && amount < 200) type = FRAME_REQUEST;
      if (type == FRAME_CREDIT) taken = 4;
      if (type == FRAME_EOF) taken = 1;
      memset(frame + FRAME_HEAD, 0, 4);
      if (what == 12) {
        taken = BIG;
        memcpy(frame + FRAME_HEAD, zeros, taken);
      } else {
        memcpy(frame + FRAME_HEAD, payload, taken < left ? taken : left);
      }
      if ((type == FRAME_DATA || type == FRAME_EOF) && amount < 250) frame[FRAME_HEAD] = STREAM_IN;
      if (type == FRAME_DATA && taken == 0) taken = 1;
      length += frame_seal(frame, type, taken, tag++);
    }
  }
  return length;
}

/* The same with output taken now and then, and sessions that are lost in between. */
static void live(const uint8_t *stream, size_t length, const uint8_t *script, size_t size) {
  struct trace trace;
  begin(&trace);
  for (size_t at = 0, turn = 0; at < length; turn++) {
    size_t byte = script[turn % size], piece = byte % 4 == 0 ? byte / 4 + 1 : byte * 37;
    size_t step = length - at < piece ? length - at : piece, waiting;
    channel_receive(&trace.channel, stream + at, step);
    at += step;
    check(&trace.channel);
    channel_output(&trace.channel, &waiting);
    if (waiting > 0 && step % 3 != 0) channel_sent(&trace.channel, step % 2 == 0 ? waiting : (waiting + 1) / 2);
    if (step % 97 == 0 || trace.channel.broken) channel_abort(&trace.channel);
    check(&trace.channel);
  }
  channel_free(&trace.channel);
}

void fuzz_channel(const uint8_t *data, size_t size) {
  static uint8_t stream[STREAM_MAX + 2 * FRAME_MAX];
  if (size == 0 || size > SCRIPT_MAX) return;
  size_t length = 0;
  if (data[0] % 4 == 0) {
    length = size - 1;
    memcpy(stream, data + 1, length);
  } else {
    length = build(data + 1, size - 1, stream);
  }
  uint64_t whole = feed(stream, length, CHANNEL_CHUNK);
  MUST(feed(stream, length, 1 + data[0] * 131) == whole);
  if (length < 2048) MUST(feed(stream, length, 1) == whole);
  live(stream, length, data, size);
}
