#ifndef VIRGA_UTF8_H
#define VIRGA_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed UTF-8 sequence at the start (Unicode, table 3-7); 0 when there is none. */
size_t utf8_sequence(const uint8_t *bytes, size_t length);

#endif
