#include "handshake.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static const char hello[] = "VIRGA/1H", welcome[] = "VIRGA/1W", confirm[] = "VIRGA/1C";
enum { MAGIC_SIZE = 8 };
static const uint8_t zeros[NONCE_SIZE];

size_t handshake_find(const uint8_t *bytes, size_t length) {
  for (size_t at = 0; at < length; at++) {
    const uint8_t *found = memchr(bytes + at, hello[0], length - at);
    if (found == NULL) return length;
    at = (size_t)(found - bytes);
    size_t left = length - at;
    size_t known = left < MAGIC_SIZE ? left : MAGIC_SIZE;
    if (memcmp(found, hello, known) == 0 || memcmp(found, confirm, known) == 0) return at;
  }
  return length;
}

bool handshake_is_hello(const uint8_t *record) {
  return memcmp(record, hello, MAGIC_SIZE) == 0 && memcmp(record + MAGIC_SIZE + NONCE_SIZE, zeros, NONCE_SIZE) == 0;
}

bool handshake_is_confirm(const uint8_t *record, const uint8_t *nonce_h, const uint8_t *nonce_g) {
  return memcmp(record, confirm, MAGIC_SIZE) == 0 && memcmp(record + MAGIC_SIZE, nonce_h, NONCE_SIZE) == 0 &&
         memcmp(record + MAGIC_SIZE + NONCE_SIZE, nonce_g, NONCE_SIZE) == 0;
}

static void fill_nonce(uint8_t *nonce) {
  /* Nonces tell sessions apart, they are no secret: before the kernel's generator is ready the clock will do. */
  static uint64_t count;
  if (getrandom(nonce, NONCE_SIZE, GRND_NONBLOCK) == NONCE_SIZE) return;
  if (getrandom(nonce, NONCE_SIZE, GRND_INSECURE) == NONCE_SIZE) return;
  store_u64(nonce, ++count);
  store_u64(nonce + 8, ~count);
}

void handshake_accept(const uint8_t *record, bool *pending, uint8_t *nonce_h, uint8_t *nonce_g) {
  if (!*pending || memcmp(record + MAGIC_SIZE, nonce_h, NONCE_SIZE) != 0) {
    memcpy(nonce_h, record + MAGIC_SIZE, NONCE_SIZE);
    fill_nonce(nonce_g);
  }
  *pending = true;
}

void handshake_welcome(uint8_t *record, const uint8_t *nonce_h, const uint8_t *nonce_g) {
  memcpy(record, welcome, MAGIC_SIZE);
  memcpy(record + MAGIC_SIZE, nonce_h, NONCE_SIZE);
  memcpy(record + MAGIC_SIZE + NONCE_SIZE, nonce_g, NONCE_SIZE);
}

int handshake_repeats(const uint8_t *bytes, size_t length, const uint8_t *nonce_h) {
  size_t magic = length < MAGIC_SIZE ? length : MAGIC_SIZE;
  if (memcmp(bytes, hello, magic) != 0) return 0;
  if (length <= MAGIC_SIZE) return -1;
  size_t nonce = length - magic < NONCE_SIZE ? length - magic : NONCE_SIZE;
  if (memcmp(bytes + MAGIC_SIZE, nonce_h, nonce) != 0) return 0;
  return length < RECORD_SIZE ? -1 : 1;
}
