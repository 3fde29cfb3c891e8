#include "agent.h"
#include "exec.h"
#include "request.h"

#include <signal.h>
#include <string.h>

/* Programs by their pid or tag: another host for one of them, a signal, and what there is. */

static bool is_wanted(const struct exec *exec, int64_t pid, const char *tag) {
  if ((exec->state != EXEC_RUNNING && exec->state != EXEC_STARTING) || exec->task != NULL) return false;
  return tag[0] != 0 ? strcmp(exec->tag, tag) == 0 : exec->pid == pid;
}

struct exec *exec_find(int64_t pid, const char *tag) {
  struct exec *found = NULL;
  for (size_t i = 0; i < EXECS_MAX; i++) {
    if (!is_wanted(&execs[i], pid, tag)) continue;
    if (found == NULL || execs[i].number > found->number) found = &execs[i];
  }
  return found;
}

/* Answers by itself when there is none. */
static struct exec *find_asked(struct connection *connection, const struct value *request, const char *what) {
  char tag[EXEC_TAG_SIZE] = {0};
  int64_t pid = 0;
  enum key by_pid = request_int(request, "pid", 1, INT32_MAX, &pid);
  enum key by_tag = request_text(request, "tag", tag, sizeof tag);
  if (by_pid == KEY_WRONG || by_tag == KEY_WRONG || (by_pid == KEY_OK) == (by_tag == KEY_OK)) {
    fail(connection, "BAD_REQUEST", 0, "Cannot %s a program: it must be named by its pid or by its tag", what);
    return NULL;
  }
  struct exec *exec = exec_find(pid, tag);
  if (exec != NULL) return exec;
  if (by_tag == KEY_OK) fail(connection, "NOT_FOUND", 0, "Cannot %s a program: none has the tag \"%s\"", what, tag);
  else fail(connection, "NOT_FOUND", 0, "Cannot %s a program: none has the pid %lld", what, (long long)pid);
  return NULL;
}

/* The host of before is told, and its operation is over. */
static void part(struct exec *exec) {
  uint8_t bytes[32];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  if (exec->connection == NULL) return;
  write_map(&writer, 1);
  write_key(&writer, "event");
  write_key(&writer, "taken");
  connection_event(exec->connection, &writer);
  exec_end_operation(exec);
}

static void answer_attached(struct exec *exec, bool replays) {
  uint8_t bytes[128];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  const struct ring *ring = &exec->ring;
  write_map(&writer, 6);
  write_key(&writer, "ok");
  write_bool(&writer, true);
  write_key(&writer, "pid");
  write_int(&writer, exec->pid);
  write_key(&writer, "pty");
  write_bool(&writer, exec->is_terminal);
  write_key(&writer, "stdin");
  write_bool(&writer, exec->in.source.fd >= 0 && !exec->in_ended);
  write_key(&writer, "outFrom");
  write_int(&writer, (int64_t)(ring->written[STREAM_OUT] - (replays ? ring->kept[STREAM_OUT] : 0)));
  write_key(&writer, "errFrom");
  write_int(&writer, (int64_t)(ring->written[STREAM_ERR] - (replays ? ring->kept[STREAM_ERR] : 0)));
  connection_response(exec->connection, &writer);
}

void attach_request(struct connection *connection, const struct value *request) {
  bool replays = true;
  if (request_bool(request, "replay", &replays) == KEY_WRONG) {
    fail(connection, "BAD_REQUEST", 0, "Cannot attach to a program: replay is not a bool");
    return;
  }
  struct exec *exec = find_asked(connection, request, "attach to");
  if (exec == NULL) return;
  if (exec->state == EXEC_STARTING || agent.prepared) {
    fail(connection, "BUSY", 0, "Cannot attach to a program: %s",
         agent.prepared ? "the machine is prepared for a snapshot" : "it is just being started");
    return;
  }
  part(exec);
  exec_set_host(exec, connection);
  timer_clear(&exec->again);
  exec->exit_sent = exec->out.ended = false;
  exec->err.ended = exec->is_terminal;
  exec->replay = replays ? ring_reader(&exec->ring) : (struct ring_reader){0};
  answer_attached(exec, replays);
}

void signal_request(struct connection *connection, const struct value *request) {
  int64_t number;
  bool group = true;
  if (request_int(request, "signal", 1, 64, &number) != KEY_OK ||
      request_bool(request, "group", &group) == KEY_WRONG) {
    fail(connection, "BAD_REQUEST", 0, "Cannot signal a program: signal is not an int from 1 to 64");
    return;
  }
  struct exec *exec = find_asked(connection, request, "signal");
  if (exec == NULL) return;
  exec_signal(exec, (int)number, group);
  connection_ok(connection);
}

static void write_exec(struct writer *writer, const struct exec *exec) {
  bool tagged = exec->tag[0] != 0;
  write_map(writer, 5 + (tagged ? 1 : 0) + (exec->exited ? exec_exit_keys(exec) : 0));
  write_key(writer, "pid");
  write_int(writer, exec->pid);
  if (tagged) {
    write_key(writer, "tag");
    write_text(writer, exec->tag);
  }
  write_key(writer, "program");
  write_text(writer, exec->program);
  write_key(writer, "pty");
  write_bool(writer, exec->is_terminal);
  write_key(writer, "attached");
  write_bool(writer, exec->connection != NULL);
  write_key(writer, "startedMs");
  write_int(writer, (int64_t)exec->started_ms);
  if (exec->exited) exec_write_exit(writer, exec);
}

static bool is_listed(const struct exec *exec) { return exec->state == EXEC_RUNNING && exec->task == NULL; }

void execs_request(struct connection *connection) {
  static uint8_t bytes[PAYLOAD_MAX];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  uint32_t count = 0;
  for (size_t i = 0; i < EXECS_MAX; i++) count += is_listed(&execs[i]);
  write_map(&writer, 2);
  write_key(&writer, "ok");
  write_bool(&writer, true);
  write_key(&writer, "execs");
  write_array(&writer, count);
  for (size_t i = 0; i < EXECS_MAX; i++) {
    if (is_listed(&execs[i])) write_exec(&writer, &execs[i]);
  }
  connection_response(connection, &writer);
  connection_end(connection);
}
