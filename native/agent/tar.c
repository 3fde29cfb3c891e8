#include "tar.h"

#include <stdio.h>
#include <string.h>

enum {
  NAME_AT = 0,
  NAME_SIZE = 100,
  MODE_AT = 100,
  SIZE_AT = 124,
  TIME_AT = 136,
  SUM_AT = 148,
  TYPE_AT = 156,
  TARGET_AT = 157,
  MAGIC_AT = 257,
};

#define OCTAL_11 077777777777LL

static unsigned sum_of(const uint8_t *block) {
  unsigned sum = 0;
  for (size_t i = 0; i < TAR_BLOCK; i++) sum += i >= SUM_AT && i < SUM_AT + 8 ? ' ' : block[i];
  return sum;
}

static void write_block(uint8_t *block, char type, const char *name, const char *target, uint32_t mode, int64_t size,
                        int64_t mtime) {
  memset(block, 0, TAR_BLOCK);
  memcpy(block + NAME_AT, name, strnlen(name, NAME_SIZE));
  memcpy(block + TARGET_AT, target, strnlen(target, NAME_SIZE));
  char *text = (char *)block;
  snprintf(text + MODE_AT, 8, "%07o", mode & 07777);
  snprintf(text + MODE_AT + 8, 8, "%07o", 0);
  snprintf(text + MODE_AT + 16, 8, "%07o", 0);
  snprintf(text + SIZE_AT, 12, "%011llo", (unsigned long long)size);
  snprintf(text + TIME_AT, 12, "%011llo", (unsigned long long)mtime);
  block[TYPE_AT] = (uint8_t)type;
  memcpy(block + MAGIC_AT, "ustar\00000", 8);
  snprintf(text + SUM_AT, 8, "%06o", sum_of(block));
  block[SUM_AT + 7] = ' ';
}

/* Its length counts its own digits. */
static size_t write_record(uint8_t *at, const char *key, const char *value) {
  size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;
  char digits[24];
  while ((size_t)snprintf(digits, sizeof digits, "%zu", length) + rest != length) {
    length = rest + (size_t)snprintf(digits, sizeof digits, "%zu", length);
  }
  return (size_t)sprintf((char *)at, "%s %s=%s\n", digits, key, value);
}

size_t tar_write(const struct tar_entry *entry, uint8_t bytes[TAR_HEADER_MOST]) {
  uint8_t *records = bytes + TAR_BLOCK;
  size_t length = 0;
  int64_t size = entry->size, mtime = entry->mtime;
  if (strlen(entry->name) > NAME_SIZE) length += write_record(records + length, "path", entry->name);
  if (strlen(entry->target) > NAME_SIZE) length += write_record(records + length, "linkpath", entry->target);
  if (size > OCTAL_11) {
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)size);
    length += write_record(records + length, "size", text);
    size = 0;
  }
  if (mtime < 0) mtime = 0;
  if (mtime > OCTAL_11) mtime = OCTAL_11;
  size_t at = 0;
  if (length > 0) {
    write_block(bytes, TAR_PAX, "pax", "", 0644, (int64_t)length, 0);
    at = TAR_BLOCK + (length + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    memset(records + length, 0, at - TAR_BLOCK - length);
  }
  write_block(bytes + at, entry->type, entry->name, entry->target, entry->mode, size, mtime);
  return at + TAR_BLOCK;
}

/* Octal digits, ended by NUL, a space or the field's end. */
static bool read_octal(const uint8_t *at, size_t length, int64_t *number) {
  *number = 0;
  for (size_t i = 0; i < length && at[i] != 0 && at[i] != ' '; i++) {
    if (at[i] < '0' || at[i] > '7') return false;
    *number = *number * 8 + (at[i] - '0');
  }
  return true;
}

static void read_text(const uint8_t *at, char *text) {
  size_t length = strnlen((const char *)at, NAME_SIZE);
  memcpy(text, at, length);
  text[length] = 0;
}

const char *tar_read(const uint8_t block[TAR_BLOCK], struct tar_entry *entry, bool *end) {
  int64_t sum, mode;
  size_t zeros = 0;
  while (zeros < TAR_BLOCK && block[zeros] == 0) zeros++;
  *end = zeros == TAR_BLOCK;
  if (*end) return NULL;
  if (memcmp(block + MAGIC_AT, "ustar", 6) != 0) return "a header is not ustar's";
  if (!read_octal(block + SUM_AT, 8, &sum) || sum != sum_of(block)) return "the checksum of a header is wrong";
  bool numbers = read_octal(block + MODE_AT, 8, &mode) && read_octal(block + SIZE_AT, 12, &entry->size) &&
                 read_octal(block + TIME_AT, 12, &entry->mtime);
  if (!numbers) return "a number in a header is not octal";
  entry->mode = mode & 07777;
  entry->type = (char)block[TYPE_AT];
  read_text(block + NAME_AT, entry->name);
  read_text(block + TARGET_AT, entry->target);
  return NULL;
}

static bool read_path(char *path, const uint8_t *value, size_t length) {
  if (length == 0 || length >= PATH_MAX || memchr(value, 0, length) != NULL) return false;
  memcpy(path, value, length);
  path[length] = 0;
  return true;
}

static bool read_decimal(const uint8_t *at, size_t length, int64_t *number) {
  *number = 0;
  if (length == 0 || length > 18) return false;
  for (size_t i = 0; i < length; i++) {
    if (at[i] < '0' || at[i] > '9') return false;
    *number = *number * 10 + (at[i] - '0');
  }
  return true;
}

static bool is_key(const uint8_t *at, size_t length, const char *key) {
  return length == strlen(key) && memcmp(at, key, length) == 0;
}

const char *tar_read_pax(const uint8_t *bytes, size_t length, struct tar_entry *entry) {
  for (size_t at = 0; at < length;) {
    const uint8_t *space = memchr(bytes + at, ' ', length - at);
    int64_t size;
    if (space == NULL || !read_decimal(bytes + at, (size_t)(space - bytes) - at, &size)) return "a pax record has no length";
    const uint8_t *key = space + 1;
    if (size > (int64_t)(length - at) || bytes + at + size <= key) return "a pax record has a wrong length";
    const uint8_t *end = bytes + at + size - 1, *equals = memchr(key, '=', (size_t)(end - key));
    if (*end != '\n' || equals == NULL) return "a pax record is cut off";
    const uint8_t *value = equals + 1;
    size_t key_length = (size_t)(equals - key), value_length = (size_t)(end - value);
    bool right = true;
    if (is_key(key, key_length, "path")) right = read_path(entry->name, value, value_length);
    else if (is_key(key, key_length, "linkpath")) right = read_path(entry->target, value, value_length);
    else if (is_key(key, key_length, "size")) right = read_decimal(value, value_length, &entry->size);
    if (!right) return "a pax record has a wrong value";
    at += (size_t)size;
  }
  return NULL;
}
