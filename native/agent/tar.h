#ifndef VIRGA_TAR_H
#define VIRGA_TAR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The subset of tar that trees are sent in: ustar headers, each with a pax header before it for what does not fit in
 * (path, linkpath, size). Owners are not sent.
 */

enum { TAR_BLOCK = 512, TAR_PAX_MOST = 16384 };

/* An entry's type is the flag of its header. */
enum tar_type {
  TAR_FILE = '0',
  TAR_LINK = '2',
  TAR_CHARACTER_DEVICE = '3',
  TAR_BLOCK_DEVICE = '4',
  TAR_DIRECTORY = '5',
  TAR_FIFO = '6',
  TAR_PAX = 'x',
};

struct tar_entry {
  char type;
  uint32_t mode;
  int64_t size;
  /* Seconds since 1970. */
  int64_t mtime;
  char name[PATH_MAX];
  /* Of a symbolic link. */
  char target[PATH_MAX];
};

/* What the header of an entry takes at most. */
enum { TAR_HEADER_MOST = 2 * TAR_BLOCK + TAR_PAX_MOST };

/* How many bytes fill a content of this size up to whole blocks. */
static inline size_t tar_padding(int64_t size) { return (size_t)(-size & (TAR_BLOCK - 1)); }

/* Writes the header of an entry, whose name is not empty; how many bytes it took. */
size_t tar_write(const struct tar_entry *entry, uint8_t bytes[TAR_HEADER_MOST]);

/* Reads a block. NULL, or what is wrong with it; *end for the block of zeros behind the last entry. */
const char *tar_read(const uint8_t block[TAR_BLOCK], struct tar_entry *entry, bool *end);
/* Changes an entry by the records of the pax header before it. NULL, or what is wrong. */
const char *tar_read_pax(const uint8_t *bytes, size_t length, struct tar_entry *entry);

#endif
