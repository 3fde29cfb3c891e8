#ifndef VIRGA_LOOP_H
#define VIRGA_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* The one event loop of a program: descriptors (epoll) and timers, no threads. */

struct source {
  int fd;
  /* epoll's events. May remove or free any source, this one included. */
  void (*ready)(struct source *source, uint32_t events);
};

struct timer {
  uint64_t at_ms;
  void (*fire)(struct timer *timer);
  struct timer *next;
  bool armed;
};

/* 0, or -1 with errno. */
int loop_start(void);

/* Watches `source->fd`; 0, or -1 with errno. */
int loop_add(struct source *source, uint32_t events);
/* Stops watching. Does not close. */
void loop_remove(struct source *source);

/* Fires once at `at_ms` of clock_ms(); setting an armed timer moves it. Must be cleared before its memory goes. */
void timer_set(struct timer *timer, uint64_t at_ms);
void timer_clear(struct timer *timer);

/* Runs until loop_stop(). */
void loop_run(void);
void loop_stop(void);

#endif
