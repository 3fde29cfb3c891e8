#ifndef VIRGA_BOOT_H
#define VIRGA_BOOT_H

#include <stdbool.h>
#include <stddef.h>

/* The first steps of PID 1 in our initramfs. A step that fails is logged, and the next one is done. */

/* /proc, /sys, /dev. */
void boot_mount_kernel(void);

/* /dev/pts, /dev/shm, /run and the links in /dev that programs expect. */
void boot_mount_rest(void);

/* Loads the modules that /modules/order names, one file name a line, in that order. */
void boot_load_modules(void);

/* The kernel command line's word `key` (with its `=`): its value, or false. */
bool boot_word(const char *key, char *value, size_t capacity);
/* The same as a number; 0 when absent. */
int boot_number(const char *key);

/* Brings up the loopback interface. */
void boot_loopback(void);

#endif
