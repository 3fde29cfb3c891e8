#include "loop.h"

#include "clock.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

enum { BATCH = 16 };

static int epoll_fd = -1;
static struct epoll_event batch[BATCH];
static int batch_size;
static struct timer *timers;
static bool stopped;

int loop_start(void) {
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  return epoll_fd < 0 ? -1 : 0;
}

int loop_add(struct source *source, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = source};
  return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, source->fd, &event);
}

void loop_remove(struct source *source) {
  epoll_ctl(epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
  /* Events already fetched must not reach a source that is gone. */
  for (int i = 0; i < batch_size; i++) {
    if (batch[i].data.ptr == source) batch[i].data.ptr = NULL;
  }
}

void timer_set(struct timer *timer, uint64_t at_ms) {
  timer_clear(timer);
  timer->at_ms = at_ms;
  timer->armed = true;
  struct timer **place = &timers;
  while (*place != NULL && (*place)->at_ms <= at_ms) place = &(*place)->next;
  timer->next = *place;
  *place = timer;
}

void timer_clear(struct timer *timer) {
  if (!timer->armed) return;
  timer->armed = false;
  for (struct timer **place = &timers; *place != NULL; place = &(*place)->next) {
    if (*place == timer) {
      *place = timer->next;
      return;
    }
  }
}

static int wait_ms(void) {
  if (timers == NULL) return -1;
  uint64_t now = clock_ms();
  if (timers->at_ms <= now) return 0;
  uint64_t left = timers->at_ms - now;
  return left > 60000 ? 60000 : (int)left;
}

/* Only what was due at the start: a timer that sets itself again must not keep the descriptors waiting. */
static void fire_due(void) {
  uint64_t now = clock_ms();
  int due = 0;
  for (struct timer *timer = timers; timer != NULL && timer->at_ms <= now; timer = timer->next) due++;
  while (due-- > 0 && timers != NULL && timers->at_ms <= now) {
    struct timer *timer = timers;
    timer_clear(timer);
    timer->fire(timer);
  }
}

void loop_run(void) {
  stopped = false;
  while (!stopped) {
    int count = epoll_wait(epoll_fd, batch, BATCH, wait_ms());
    batch_size = count < 0 ? 0 : count;
    for (int i = 0; i < batch_size && !stopped; i++) {
      struct source *source = batch[i].data.ptr;
      if (source != NULL) source->ready(source, batch[i].events);
    }
    batch_size = 0;
    fire_due();
  }
}

void loop_stop(void) { stopped = true; }
