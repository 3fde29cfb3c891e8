#ifndef VIRGA_TASK_H
#define VIRGA_TASK_H

#include "connection.h"
#include "exec.h"

/*
 * An operation that may wait or take memory as the guest would have it, such as reading a file: it is done in a child
 * process, as the user it is asked for, among the user's processes, so that it is frozen and killed like these.
 */

struct task {
  const char *op;
  /* The host sends a stream; the task sends one. */
  bool reads, writes;
  /* In the child. Returns when all is well and task_done() or task_answer() has been called. */
  void (*run)(const struct value *request);
};

/* The task of an operation, or NULL. */
const struct task *task_find(const struct value *op);
void task_request(struct connection *connection, const struct value *request, const struct task *task);

/* For the agent: the child has been reaped, or its host has gone. */
void task_reaped(struct exec *exec);
void task_cancelled(struct exec *exec);
/* Whether all is over but its END. */
void task_settle(struct exec *exec);

/* task-report.c, in the child. What a task has to say goes to this descriptor. */
enum { TASK_REPORT_FD = 3 };

/* Kinds of messages to the agent; the rest of each is a MessagePack map. */
enum { TASK_ANSWER = 'A', TASK_BEGIN = 'B', TASK_EVENT = 'E' };

/* Starts a map with `pairs` keys beside `ok`. */
struct writer task_writer(uint32_t pairs);
/* The only answer. */
void task_answer(const struct writer *writer);
/* The answer, after which streams follow. */
void task_begin(const struct writer *writer);
/* The end of a task that began. */
void task_done(void);
/* Ends the task; the code follows from `error`. */
_Noreturn __attribute__((format(printf, 2, 3))) void task_fail(int error, const char *format, ...);
_Noreturn __attribute__((format(printf, 1, 2))) void task_refuse(const char *format, ...);
/* Sends bytes on the stream; ends the task when nobody takes them. */
void task_send(const void *bytes, size_t length);
/* One map of a stream of maps, each behind its length in four bytes; they go out when there are many, or by task_flush(). */
void task_record(const struct writer *writer);
void task_flush(void);

#endif
