#ifndef VIRGA_EXEC_H
#define VIRGA_EXEC_H

#include "buffer.h"
#include "connection.h"
#include "exec-ring.h"

#include <sys/types.h>

/*
 * One program that a host started: from its REQUEST to its END. One without a host stays, also when it has ended,
 * until a host has been told or its place is wanted. exec-request.c starts it, exec-life.c ends it, exec-streams.c
 * moves its bytes, exec-attach.c gives it another host.
 */

enum { EXECS_MAX = 64, EXEC_TAG_SIZE = 64, EXEC_RING_USUAL = 65536, EXEC_RING_MOST = 1048576 };

enum exec_state {
  EXEC_FREE,
  /* The child has not yet become the program, nor said why not. */
  EXEC_STARTING,
  EXEC_RUNNING,
  /* It could not be started, and its child has yet to be reaped. */
  EXEC_FAILED,
};

/* One end of a stream of the program; fd -1 when closed. */
struct stream {
  struct source source;
  /* An edge came and has not been used up. */
  bool ready;
  /* out and err: its EOF is sent. */
  bool ended;
  /* Its pipe has been widened. */
  bool wide;
  /* In the exec's tail: how much may still be read. */
  size_t tail_left;
};

struct task;

struct exec {
  enum exec_state state;
  /* Not a program but an operation in a process of its own: see task.h. */
  const struct task *task;
  pid_t pid;
  /* NULL once the host is gone. */
  struct connection *connection;
  bool detach, is_terminal;
  /* Grows with each start: the pid of one that has ended may be another's now. */
  uint64_t number;
  uint64_t started_ms;
  char tag[EXEC_TAG_SIZE];
  int leaf_fd;
  unsigned leaf_number;
  struct source report;
  struct stream in, out, err;
  /* Bytes for stdin that it has not taken; the host's window bounds them. */
  struct buffer queue;
  size_t queue_start, queue_length;
  /* How many of these an earlier host sent: nobody is owed them. */
  size_t queue_foreign;
  bool in_ended;
  /* Its time limit, and after its end that of background children that hold its streams. */
  struct timer limit, drain;
  /* What is left of them while everything stands still; 0: not armed. */
  uint64_t limit_left_ms, drain_left_ms;
  bool timed_out;
  /* The drain is over: what may still be read is what was there then. */
  bool tail;
  /* Until when the ends of its output wait for its own end, to go out with that; and that they need not any more. */
  struct timer ends;
  bool ends_due;
  /* Its last output (of one that may be without a host), its size, and how far a host that came later has got in it. */
  struct ring ring;
  size_t ring_bytes;
  struct ring_reader replay;
  /* Whose turn it is, so that neither stream keeps the other waiting. */
  bool err_first;
  /* More to read and drop after the others had their turn. */
  struct timer again;
  bool exited, exit_sent;
  int status;
  /* What to say when it cannot be started. */
  char program[128], cwd[128], user[64];
};

extern struct exec execs[EXECS_MAX];

/* exec-life.c */
struct exec *exec_allocate(void);
/* Watches for the child's report. */
int exec_watch_report(struct exec *exec, int fd);
/* It cannot be watched (errno says why): answers so, and ends it. */
void exec_give_up(struct exec *exec);
/* Its host is gone. */
void exec_cancelled(struct exec *exec);
/* SIGKILL to all of it. */
void exec_kill(struct exec *exec);
/* A child has been reaped: whether it was an exec's. */
bool exec_reaped(pid_t pid, int status);
void exec_control(struct exec *exec, const struct value *control);
void exec_signal(struct exec *exec, int number, bool group);
/* By its tag, or by its pid when that is empty; of several the one started last. NULL: none. */
struct exec *exec_find(int64_t pid, const char *tag);
/* It has the host `connection`, or none (NULL) when it is to be without. */
void exec_set_host(struct exec *exec, struct connection *connection);
/* Its END. */
void exec_end_operation(struct exec *exec);
/* exec-clocks.c: around the time in which everything stands still. */
void exec_stop_clocks(void);
void exec_start_clocks(void);
void exec_release(struct exec *exec);
/* Frees it when nothing is left of it. */
void exec_settle(struct exec *exec);

/* exec-answers.c */
struct spawn_report;
void exec_answer_started(struct exec *exec);
void exec_answer_failed(const struct exec *exec, const struct spawn_report *report);
void exec_send_exit(struct exec *exec);
/* Its exit as keys of a map, and how many they are. */
uint32_t exec_exit_keys(const struct exec *exec);
void exec_write_exit(struct writer *writer, const struct exec *exec);

/* exec-streams.c */
/* Takes over descriptors, -1 for none; all must not block. */
int exec_streams_open(struct exec *exec, int in, int out, int err);
void exec_streams_close(struct exec *exec);
void exec_stream_close(struct stream *stream);
void exec_input(struct exec *exec, const uint8_t *bytes, size_t length);
void exec_input_end(struct exec *exec);
/* Nobody reads it any more: what waits and what comes is dropped. */
void exec_input_drop(struct exec *exec);
/* For the service: produces output when there is room. */
bool exec_produce(struct exec *exec);
/* The time for background children is over. */
void exec_streams_finish(struct exec *exec);
/* Without a host: reads and drops. */
void exec_discard(struct exec *exec);

#endif
