#include "task.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* All of this runs in the child of a task. */

static bool begun;
/* A message with its kind in front. */
static uint8_t message[PAYLOAD_MAX];
static uint8_t records[PAYLOAD_MAX - 1];
static size_t records_length;

static void say(uint8_t kind, const struct writer *writer) {
  /* What does not fit is our own mistake: the agent says that the task ended without an answer. */
  if (writer->full) _exit(125);
  message[0] = kind;
  if (send(TASK_REPORT_FD, message, writer->length + 1, MSG_NOSIGNAL) < 0) _exit(125);
}

static struct writer start(void) { return (struct writer){.bytes = message + 1, .capacity = sizeof message - 1}; }

struct writer task_writer(uint32_t pairs) {
  struct writer writer = start();
  write_map(&writer, pairs + 1);
  write_key(&writer, "ok");
  write_bool(&writer, true);
  return writer;
}

void task_answer(const struct writer *writer) { say(TASK_ANSWER, writer); }

void task_begin(const struct writer *writer) {
  begun = true;
  say(TASK_BEGIN, writer);
}

void task_done(void) {
  task_flush();
  struct writer writer = start();
  write_map(&writer, 1);
  write_key(&writer, "event");
  write_key(&writer, "done");
  say(TASK_EVENT, &writer);
}

static const char *code_of(int error) {
  switch (error) {
    case ENOENT:
    case ESRCH:
      return "NOT_FOUND";
    case EEXIST:
      return "EXISTS";
    case EACCES:
    case EPERM:
      return "DENIED";
    case ECONNREFUSED:
      return "REFUSED";
    case ENOTDIR:
      return "NOT_DIRECTORY";
    case EISDIR:
      return "IS_DIRECTORY";
    case ENOTEMPTY:
      return "NOT_EMPTY";
    case ENOSPC:
    case EDQUOT:
      return "NO_SPACE";
    default:
      return "FAILED";
  }
}

static _Noreturn void end(const char *code, int error, const char *text) {
  struct writer writer = start();
  write_map(&writer, error != 0 ? 4 : 3);
  write_key(&writer, begun ? "event" : "ok");
  if (begun) write_key(&writer, "failed");
  else write_bool(&writer, false);
  write_key(&writer, "code");
  write_key(&writer, code);
  write_key(&writer, "message");
  write_text(&writer, text);
  if (error != 0) {
    write_key(&writer, "errno");
    write_int(&writer, error);
  }
  say(begun ? TASK_EVENT : TASK_ANSWER, &writer);
  _exit(0);
}

void task_fail(int error, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text, sizeof text - 128, format, arguments);
  va_end(arguments);
  if (length > (int)sizeof text - 129) length = (int)sizeof text - 129;
  if (error != ESRCH) snprintf(text + length, sizeof text - (size_t)length, ": %s", strerror(error));
  end(code_of(error), error, text);
}

void task_refuse(const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  end("BAD_REQUEST", 0, text);
}

void task_send(const void *bytes, size_t length) {
  for (const uint8_t *at = bytes; length > 0;) {
    ssize_t put = write(STDOUT_FILENO, at, length);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) _exit(125);
    at += put;
    length -= (size_t)put;
  }
}

void task_flush(void) {
  task_send(records, records_length);
  records_length = 0;
}

void task_record(const struct writer *writer) {
  if (writer->full || writer->length + 4 > sizeof records) _exit(125);
  if (writer->length + 4 > sizeof records - records_length) task_flush();
  store_u32(records + records_length, (uint32_t)writer->length);
  memcpy(records + records_length + 4, writer->bytes, writer->length);
  records_length += writer->length + 4;
}
