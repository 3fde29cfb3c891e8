#ifndef VIRGA_CLOCK_H
#define VIRGA_CLOCK_H

#include <stdint.h>

/* Milliseconds of the monotonic clock. It stands still while the machine is paused or saved. */
uint64_t clock_ms(void);

#endif
