#ifndef VIRGA_LOG_H
#define VIRGA_LOG_H

/* Where lines go: the kernel's log once it is open (so that they reach the console), standard error before. */
void log_open(const char *program);

/* One line, without the line end. For what an operator needs to know: nothing is logged when all is well. */
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

#endif
