/*
 * The codecs on standard input, one command a line, for the tests of the golden vectors:
 *   message HEX          VALUE-AS-JSON TAB HEX-WRITTEN-ANEW | bad TAB REASON
 *   frame TAG HEX        TYPE TAB PAYLOAD-HEX | more | bad TAB REASON   (a frame of the host)
 *   seal TYPE TAG HEX    FRAME-HEX
 *   hello HEX            yes | no
 *   confirm HEX H G      yes | no
 *   welcome H G          RECORD-HEX
 * TAG is decimal; empty HEX is written "-".
 */
#include "frame.h"
#include "handshake.h"
#include "msgpack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 65536, WORDS_MAX = 4 };

static size_t from_hex(const char *hex, uint8_t *bytes) {
  size_t length = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
  for (size_t i = 0; i < length && i < BYTES_MAX; i++) {
    const char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
    bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
  }
  return length;
}

static void print_hex(const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) printf("%02x", bytes[i]);
}

static void print_string(const struct value *value) {
  putchar('"');
  for (size_t i = 0; i < value->count; i++) {
    uint8_t c = value->bytes[i];
    if (c < 0x20 || c == '"' || c == '\\') printf("\\u%04x", c);
    else putchar(c);
  }
  putchar('"');
}

/* Prints a value as JSON and writes it anew. */
static void copy(const struct value *value, struct writer *writer) {
  const uint8_t *at = value->bytes;
  struct value item;
  switch (value->kind) {
    case VALUE_NIL:
      printf("null");
      write_nil(writer);
      break;
    case VALUE_BOOL:
      printf(value->number != 0 ? "true" : "false");
      write_bool(writer, value->number != 0);
      break;
    case VALUE_INT:
      printf("%" PRId64, value->number);
      write_int(writer, value->number);
      break;
    case VALUE_STR:
      print_string(value);
      write_str(writer, (const char *)value->bytes, value->count);
      break;
    case VALUE_BIN:
      printf("{\"$bin\":\"");
      print_hex(value->bytes, value->count);
      printf("\"}");
      write_bin(writer, value->bytes, value->count);
      break;
    case VALUE_ARRAY:
      putchar('[');
      write_array(writer, (uint32_t)value->count);
      for (size_t i = 0; i < value->count; i++) {
        if (i > 0) putchar(',');
        value_next(value, &at, &item);
        copy(&item, writer);
      }
      putchar(']');
      break;
    case VALUE_MAP:
      putchar('{');
      write_map(writer, (uint32_t)value->count);
      for (size_t i = 0; i < value->count; i++) {
        if (i > 0) putchar(',');
        value_next(value, &at, &item);
        copy(&item, writer);
        putchar(':');
        value_next(value, &at, &item);
        copy(&item, writer);
      }
      putchar('}');
      break;
  }
}

static void run_message(char **words, uint8_t *bytes) {
  static uint8_t again[BYTES_MAX];
  struct writer writer = {.bytes = again, .capacity = sizeof again};
  struct value map;
  const char *wrong = msgpack_check(bytes, from_hex(words[1], bytes), &map);
  if (wrong != NULL) {
    printf("bad\t%s", wrong);
    return;
  }
  copy(&map, &writer);
  putchar('\t');
  print_hex(again, writer.length);
}

static void run_frame(char **words, uint8_t *bytes) {
  struct frame frame;
  const char *wrong;
  int size = frame_take(bytes, from_hex(words[2], bytes), strtoull(words[1], NULL, 10), &frame, &wrong);
  if (size > 0) {
    printf("%u\t", frame.type);
    print_hex(frame.payload, frame.length);
  } else if (size == 0) {
    printf("more");
  } else {
    printf("bad\t%s", wrong);
  }
}

static void run_seal(char **words, uint8_t *bytes) {
  size_t length = from_hex(words[3], bytes + FRAME_HEAD);
  enum frame_type type = (enum frame_type)atoi(words[1]);
  print_hex(bytes, frame_seal(bytes, type, length, strtoull(words[2], NULL, 10)));
}

static void run_record(char **words, uint8_t *bytes) {
  uint8_t nonces[2][NONCE_SIZE];
  if (strcmp(words[0], "hello") == 0) {
    from_hex(words[1], bytes);
    printf(handshake_is_hello(bytes) ? "yes" : "no");
  } else if (strcmp(words[0], "confirm") == 0) {
    from_hex(words[1], bytes);
    from_hex(words[2], nonces[0]);
    from_hex(words[3], nonces[1]);
    printf(handshake_is_confirm(bytes, nonces[0], nonces[1]) ? "yes" : "no");
  } else {
    from_hex(words[1], nonces[0]);
    from_hex(words[2], nonces[1]);
    handshake_welcome(bytes, nonces[0], nonces[1]);
    print_hex(bytes, RECORD_SIZE);
  }
}

int main(void) {
  static uint8_t bytes[BYTES_MAX];
  char *line = NULL;
  size_t capacity = 0;
  while (getline(&line, &capacity, stdin) > 0) {
    char *words[WORDS_MAX] = {NULL}, *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(line, " \n", &rest); word != NULL && count < WORDS_MAX; word = strtok_r(NULL, " \n", &rest)) {
      words[count++] = word;
    }
    if (count == 0) continue;
    memset(bytes, 0, sizeof bytes);
    if (strcmp(words[0], "message") == 0) run_message(words, bytes);
    else if (strcmp(words[0], "frame") == 0) run_frame(words, bytes);
    else if (strcmp(words[0], "seal") == 0) run_seal(words, bytes);
    else run_record(words, bytes);
    putchar('\n');
  }
  free(line);
  return 0;
}
