#include "utf8.h"

size_t utf8_sequence(const uint8_t *bytes, size_t length) {
  if (length == 0) return 0;
  uint8_t first = bytes[0];
  if (first < 0x80) return 1;
  size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (first < 0xc2 || first > 0xf4 || length < size) return 0;
  /* The second byte's range shuts out overlong forms, surrogates and what lies beyond U+10FFFF. */
  uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (bytes[1] < low || bytes[1] > high) return 0;
  for (size_t i = 2; i < size; i++) {
    if ((bytes[i] & 0xc0) != 0x80) return 0;
  }
  return size;
}
