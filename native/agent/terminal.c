#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

void terminal_resize(int master, uint16_t rows, uint16_t columns) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  ioctl(master, TIOCSWINSZ, &size);
}

int terminal_open(uint16_t rows, uint16_t columns, int *master, int *slave) {
  *master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (*master < 0) return -1;
  int unlocked = 0;
  *slave = -1;
  if (ioctl(*master, TIOCSPTLCK, &unlocked) == 0) {
    *slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  }
  if (*slave < 0) {
    int error = errno;
    close(*master);
    errno = error;
    return -1;
  }
  terminal_resize(*master, rows, columns);
  return 0;
}

int terminal_end_byte(int master) {
  struct termios settings;
  if (tcgetattr(master, &settings) != 0 || (settings.c_lflag & ICANON) == 0) return -1;
  return settings.c_cc[VEOF];
}
