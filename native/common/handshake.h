#ifndef VIRGA_HANDSHAKE_H
#define VIRGA_HANDSHAKE_H

#include "frame.h"

#include <stdbool.h>

/* The three records that begin a session. `record` is RECORD_SIZE bytes. */

/* How many bytes stand before what is, or may yet become, the host's record. */
size_t handshake_find(const uint8_t *bytes, size_t length);

bool handshake_is_hello(const uint8_t *record);
bool handshake_is_confirm(const uint8_t *record, const uint8_t *nonce_h, const uint8_t *nonce_g);

/* Takes a hello: its nonce, and a new one of ours unless it repeats the hello that is pending. */
void handshake_accept(const uint8_t *record, bool *pending, uint8_t *nonce_h, uint8_t *nonce_g);

void handshake_welcome(uint8_t *record, const uint8_t *nonce_h, const uint8_t *nonce_g);

/* In a session, between frames: 1 a repeat of its own hello, -1 it may become one, 0 something else. */
int handshake_repeats(const uint8_t *bytes, size_t length, const uint8_t *nonce_h);

#endif
