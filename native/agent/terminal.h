#ifndef VIRGA_TERMINAL_H
#define VIRGA_TERMINAL_H

#include <stdint.h>

/* Opens a terminal of that size: both ends close-on-exec, the master not blocking. 0, or -1 with errno. */
int terminal_open(uint16_t rows, uint16_t columns, int *master, int *slave);
void terminal_resize(int master, uint16_t rows, uint16_t columns);
/* The byte that means end of input as the terminal is set now, or -1 when it takes bytes as they are. */
int terminal_end_byte(int master);

#endif
