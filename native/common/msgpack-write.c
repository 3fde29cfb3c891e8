#include "msgpack.h"
#include "utf8.h"

#include <string.h>

enum { TEXT_MAX = 1024 };

static void put(struct writer *writer, const void *bytes, size_t length) {
  if (writer->full || writer->capacity - writer->length < length) {
    writer->full = true;
    return;
  }
  if (length > 0) memcpy(writer->bytes + writer->length, bytes, length);
  writer->length += length;
}

/* A code and a number behind it, in `size` bytes, the greatest first. */
static void put_number(struct writer *writer, uint8_t code, uint64_t number, size_t size) {
  uint8_t bytes[9] = {code};
  for (size_t i = 0; i < size; i++) bytes[1 + i] = (uint8_t)(number >> (8 * (size - 1 - i)));
  put(writer, bytes, 1 + size);
}

void write_map(struct writer *writer, uint32_t pairs) {
  if (pairs < 16) put_number(writer, (uint8_t)(0x80 + pairs), 0, 0);
  else if (pairs < 0x10000) put_number(writer, 0xde, pairs, 2);
  else put_number(writer, 0xdf, pairs, 4);
}

void write_array(struct writer *writer, uint32_t items) {
  if (items < 16) put_number(writer, (uint8_t)(0x90 + items), 0, 0);
  else if (items < 0x10000) put_number(writer, 0xdc, items, 2);
  else put_number(writer, 0xdd, items, 4);
}

void write_int(struct writer *writer, int64_t number) {
  uint64_t bits = (uint64_t)number;
  if (number >= -0x20 && number < 0x80) put_number(writer, (uint8_t)bits, 0, 0);
  else if (number >= 0 && number < 0x100) put_number(writer, 0xcc, bits, 1);
  else if (number >= 0 && number < 0x10000) put_number(writer, 0xcd, bits, 2);
  else if (number >= 0 && number < 0x100000000) put_number(writer, 0xce, bits, 4);
  else if (number >= 0) put_number(writer, 0xcf, bits, 8);
  else if (number >= -0x80) put_number(writer, 0xd0, bits, 1);
  else if (number >= -0x8000) put_number(writer, 0xd1, bits, 2);
  else if (number >= -0x80000000LL) put_number(writer, 0xd2, bits, 4);
  else put_number(writer, 0xd3, bits, 8);
}

void write_bool(struct writer *writer, bool truth) { put_number(writer, truth ? 0xc3 : 0xc2, 0, 0); }

void write_nil(struct writer *writer) { put_number(writer, 0xc0, 0, 0); }

void write_str(struct writer *writer, const char *bytes, size_t length) {
  if (length < 32) put_number(writer, (uint8_t)(0xa0 + length), 0, 0);
  else if (length < 0x100) put_number(writer, 0xd9, length, 1);
  else if (length < 0x10000) put_number(writer, 0xda, length, 2);
  else put_number(writer, 0xdb, length, 4);
  put(writer, bytes, length);
}

void write_key(struct writer *writer, const char *key) { write_str(writer, key, strlen(key)); }

void write_text(struct writer *writer, const char *bytes) {
  char text[TEXT_MAX];
  size_t length = 0, total = strlen(bytes);
  for (size_t i = 0; i < total;) {
    size_t size = utf8_sequence((const uint8_t *)bytes + i, total - i);
    size_t step = size > 0 ? size : 1;
    if (length + step > sizeof text) break;
    if (size > 0) memcpy(text + length, bytes + i, size);
    else text[length] = '?';
    length += step;
    i += step;
  }
  write_str(writer, text, length);
}

void write_bin(struct writer *writer, const uint8_t *bytes, size_t length) {
  if (length < 0x100) put_number(writer, 0xc4, length, 1);
  else if (length < 0x10000) put_number(writer, 0xc5, length, 2);
  else put_number(writer, 0xc6, length, 4);
  put(writer, bytes, length);
}
