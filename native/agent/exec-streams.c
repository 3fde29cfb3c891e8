#include "agent.h"
#include "clock.h"
#include "exec.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
  CHUNK = PAYLOAD_MAX - 1,
  TURN_READS = 8,
  ENDS_MS = 5,
  PIPE_WIDE = 262144,
  /* What a terminal may hold unread; it cannot be asked. */
  TERMINAL_TAIL = 65536,
};

#define OWNER(source, member) ((struct exec *)((char *)(source) - offsetof(struct exec, member.source)))

static uint8_t chunk[CHUNK];

void exec_stream_close(struct stream *stream) {
  if (stream->source.fd < 0) return;
  loop_remove(&stream->source);
  close(stream->source.fd);
  stream->source.fd = -1;
  stream->ready = false;
}

void exec_streams_close(struct exec *exec) {
  exec_stream_close(&exec->in);
  exec_stream_close(&exec->out);
  exec_stream_close(&exec->err);
  buffer_give(&exec->queue);
  exec->queue_start = exec->queue_length = exec->queue_foreign = 0;
}

/* Bytes are consumed in their order, those of an earlier host first. */
static void consumed(struct exec *exec, size_t length) {
  size_t foreign = length < exec->queue_foreign ? length : exec->queue_foreign;
  exec->queue_foreign -= foreign;
  if (exec->connection != NULL && length > foreign) channel_consumed(&exec->connection->channel, length - foreign);
}

void exec_input_drop(struct exec *exec) {
  consumed(exec, exec->queue_length);
  buffer_give(&exec->queue);
  exec->queue_start = exec->queue_length = 0;
  exec_stream_close(&exec->in);
}

/* How many bytes stdin took; all when it is closed. */
static size_t put(struct exec *exec, const uint8_t *bytes, size_t length) {
  size_t done = 0;
  while (done < length) {
    ssize_t written = write(exec->in.source.fd, bytes + done, length - done);
    if (written > 0) {
      done += (size_t)written;
    } else if (written < 0 && errno == EINTR) {
      continue;
    } else if (written < 0 && errno == EAGAIN) {
      break;
    } else {
      exec_stream_close(&exec->in);
      return length;
    }
  }
  return done;
}

static void flush_input(struct exec *exec) {
  if (exec->in.source.fd < 0) return;
  if (exec->queue_length > 0) {
    size_t done = put(exec, exec->queue.bytes + exec->queue_start, exec->queue_length);
    exec->queue_start += done;
    exec->queue_length -= done;
    consumed(exec, done);
    if (exec->queue_length > 0) return;
    buffer_give(&exec->queue);
    exec->queue_start = 0;
  }
  if (!exec->in_ended || exec->in.source.fd < 0) return;
  if (exec->is_terminal) {
    int end = terminal_end_byte(exec->in.source.fd);
    uint8_t byte = (uint8_t)end;
    if (end >= 0 && put(exec, &byte, 1) == 0) return;
  }
  exec_stream_close(&exec->in);
}

void exec_input(struct exec *exec, const uint8_t *bytes, size_t length) {
  if (exec->in.source.fd < 0 || exec->in_ended) {
    consumed(exec, length);
    return;
  }
  size_t done = exec->queue_length == 0 ? put(exec, bytes, length) : 0;
  consumed(exec, done);
  if (done == length) return;
  size_t left = length - done;
  struct buffer queue = buffer_take(exec->queue_length + left);
  if (queue.bytes == NULL) {
    /* Without memory the program's input cannot go on whole: end it rather than leave a gap. */
    consumed(exec, left);
    exec_input_drop(exec);
    return;
  }
  if (exec->queue_length > 0) memcpy(queue.bytes, exec->queue.bytes + exec->queue_start, exec->queue_length);
  memcpy(queue.bytes + exec->queue_length, bytes + done, left);
  buffer_give(&exec->queue);
  exec->queue = queue;
  exec->queue_start = 0;
  exec->queue_length += left;
}

void exec_input_end(struct exec *exec) {
  exec->in_ended = true;
  flush_input(exec);
}

static void on_in(struct source *source, uint32_t events) {
  struct exec *exec = OWNER(source, in);
  if ((events & EPOLLERR) != 0) exec_input_drop(exec);
  else flush_input(exec);
  /* Credit given back may have to be sent. */
  if (exec->connection != NULL) connection_wake(exec->connection);
}

static void on_output(struct exec *exec, struct stream *stream) {
  stream->ready = true;
  if (exec->connection != NULL) connection_pump(exec->connection);
  else exec_discard(exec);
}

static void on_out(struct source *source, uint32_t events) {
  (void)events;
  struct exec *exec = OWNER(source, out);
  on_output(exec, &exec->out);
}

static void on_err(struct source *source, uint32_t events) {
  (void)events;
  struct exec *exec = OWNER(source, err);
  on_output(exec, &exec->err);
}

int exec_streams_open(struct exec *exec, int in, int out, int err) {
  exec->in.source = (struct source){.fd = in, .ready = on_in};
  exec->out.source = (struct source){.fd = out, .ready = on_out};
  exec->err.source = (struct source){.fd = err, .ready = on_err};
  /* A terminal has no stream of errors, and some tasks have no output: there is nothing to end. */
  exec->err.ended = err < 0;
  exec->out.ended = out < 0;
  if (in >= 0 && loop_add(&exec->in.source, EPOLLOUT | EPOLLET) != 0) return -1;
  if (out >= 0 && loop_add(&exec->out.source, EPOLLIN | EPOLLET) != 0) return -1;
  if (err >= 0 && loop_add(&exec->err.source, EPOLLIN | EPOLLET) != 0) return -1;
  return 0;
}

/* A program that writes much shall not have to wait for us after each frame or two. Few do, and the others need not pay for it. */
static void widen(struct stream *stream) {
  stream->wide = true;
  /* A user who has many keeps this one as it is, and so does a terminal. */
  (void)fcntl(stream->source.fd, F_SETPIPE_SZ, PIPE_WIDE);
}

/* Reads at most `room` bytes to `bytes`; 0 when there is nothing now or nothing more (then the stream is closed). */
static size_t take(struct exec *exec, struct stream *stream, uint8_t *bytes, size_t room) {
  if (stream->source.fd < 0 || !stream->ready || room == 0) return 0;
  if (exec->tail && room > stream->tail_left) room = stream->tail_left;
  ssize_t got;
  do {
    got = room == 0 ? 0 : read(stream->source.fd, bytes, room);
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    if (exec->tail) stream->tail_left -= (size_t)got;
    if (!stream->wide && (size_t)got == room && room >= CHUNK) widen(stream);
    ring_add(&exec->ring, stream == &exec->err ? STREAM_ERR : STREAM_OUT, bytes, (size_t)got);
    return (size_t)got;
  }
  bool nothing_now = got < 0 && errno == EAGAIN;
  /* EIO: nobody has the terminal open. Its program may open it again, and closing it would hang up on the program. */
  if (exec->is_terminal && !exec->exited) nothing_now = true;
  if (nothing_now && !exec->tail) stream->ready = false;
  else exec_stream_close(stream);
  return 0;
}

/*
 * A program's end closes its output and is told a moment later. Each write to a port is a turn of the machine and
 * wakes the host, so they go together. One that closes its output and goes on is waited for in vain, and briefly.
 */
static bool waits_for_exit(struct exec *exec) {
  /* A task has a result of its own, which does not wait for its process. */
  if (exec->task != NULL || exec->exited || exec->ends_due) return false;
  if (!exec->ends.armed) timer_set(&exec->ends, clock_ms() + ENDS_MS);
  return true;
}

static bool send_stream(struct exec *exec, struct stream *stream, uint8_t number) {
  struct channel *channel = &exec->connection->channel;
  size_t room = stream->source.fd >= 0 && stream->ready ? channel_room(channel) : 0;
  uint8_t *place = room > 0 ? channel_data_begin(channel, room) : NULL;
  if (place != NULL) {
    size_t length = take(exec, stream, place, room);
    channel_data_end(channel, number, length);
    if (length > 0) return true;
  }
  if (stream->source.fd >= 0 || stream->ended || !channel_eof_room(channel) || waits_for_exit(exec)) return false;
  stream->ended = true;
  channel_eof(channel, number);
  return true;
}

/* False when there is no room now. */
static bool replay(struct exec *exec) {
  struct channel *channel = &exec->connection->channel;
  size_t room = channel_room(channel);
  uint8_t stream;
  if (room == 0) return false;
  size_t length = ring_read(&exec->ring, &exec->replay, chunk, room, &stream);
  if (length > 0) channel_data(channel, stream, chunk, length);
  return true;
}

bool exec_produce(struct exec *exec) {
  /* While all stands still the agent's output drains, and nothing is added to it. */
  if (exec->state != EXEC_RUNNING || agent.prepared) return false;
  if (exec->replay.active) return replay(exec);
  for (int i = 0; i < 2; i++) {
    exec->err_first = !exec->err_first;
    if (exec->err_first ? send_stream(exec, &exec->err, STREAM_ERR) : send_stream(exec, &exec->out, STREAM_OUT)) {
      return true;
    }
  }
  exec_settle(exec);
  return false;
}

static void finish(const struct exec *exec, struct stream *stream) {
  int waiting = 0;
  if (stream->source.fd < 0) return;
  if (exec->is_terminal) waiting = TERMINAL_TAIL;
  else if (ioctl(stream->source.fd, FIONREAD, &waiting) != 0) waiting = 0;
  stream->tail_left = (size_t)waiting;
  stream->ready = true;
}

void exec_streams_finish(struct exec *exec) {
  exec->tail = true;
  finish(exec, &exec->out);
  finish(exec, &exec->err);
}

void exec_discard(struct exec *exec) {
  bool more = false;
  /* It is read when it goes on: see exec-clocks.c. */
  if (agent.prepared) return;
  for (int turn = 0; turn < TURN_READS; turn++) {
    more = take(exec, &exec->out, chunk, CHUNK) > 0;
    more = take(exec, &exec->err, chunk, CHUNK) > 0 || more;
    if (!more) break;
  }
  if (more) timer_set(&exec->again, clock_ms());
  exec_settle(exec);
}
