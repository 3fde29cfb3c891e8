#include "../../common/fuzz/fuzz.h"

#include "../exec-wish.h"
#include "../file.h"
#include "../init-wish.h"
#include "../network.h"
#include "../tar.h"
#include "../task.h"
#include "msgpack.h"
#include "request.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/*
 * What the agent reads of its host: requests by all who read one, whatever their op is, and archives. Nothing is done:
 * these are the parts that only read.
 */

static jmp_buf refused;

/* The task's side of a refusal ends its process; here only the reading ends. */
_Noreturn void task_refuse(const char *format, ...) {
  (void)format;
  longjmp(refused, 1);
}

_Noreturn void task_fail(int error, const char *format, ...) {
  (void)error;
  (void)format;
  longjmp(refused, 1);
}

static void read_exec(const struct value *request) {
  struct wish wish;
  if (wish_read(request, &wish) == NULL) {
    MUST(wish.arguments.count <= ARGUMENTS_MAX && wish.environment.count <= VARIABLES_MAX);
    MUST(wish.arguments.used + wish.environment.used <= STRINGS_BYTES_MAX);
    MUST(wish.login || (wish.arguments.count > 0 && wish.arguments.list[0][0] != 0));
    MUST(wish.arguments.list[wish.arguments.count] == NULL && wish.environment.list[wish.environment.count] == NULL);
    for (size_t i = 0; i < wish.environment.count; i++) MUST(strchr(wish.environment.list[i], '=') != NULL);
    MUST(wish.limits.count <= RESOURCE_LIMITS_MAX && wish.ring_bytes >= 0 && wish.ring_bytes <= EXEC_RING_MOST);
    MUST(wish.rows >= 0 && wish.rows <= UINT16_MAX && wish.columns >= 0 && wish.columns <= UINT16_MAX);
  }
  wish_free(&wish);
}

static void read_init(const struct value *request) {
  static struct init_wish wish;
  memset(&wish, 0, sizeof wish);
  if (init_wish_read(request, &wish) != NULL) return;
  MUST(wish.entropy.count >= ENTROPY_LEAST && wish.entropy.count <= ENTROPY_MOST);
  MUST(wish.machine_id[0] == 0 || strlen(wish.machine_id) == 32);
  MUST(wish.time.tv_nsec >= 0 && wish.time.tv_nsec <= 999999999 && wish.time.tv_sec >= 0);
  MUST(strlen(wish.hostname) <= HOST_NAME_MAX);
  if (wish.has_network) MUST(strlen(wish.network.interface) < IFNAMSIZ && wish.network.dns_count <= DNS_MAX);
  if (wish.has_environment) environment_keep(&wish.environment);
}

static void read_path(const struct value *request, const char *key) {
  static char path[PATH_MAX];
  if (setjmp(refused) != 0) return;
  file_path(request, key, path);
  MUST(path[0] != 0 && strlen(path) < PATH_MAX);
}

static void read_file(const struct value *request) {
  static const char *const paths[] = {"path", "from", "to", "target"};
  static struct timespec times[2];
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) read_path(request, paths[i]);
  if (setjmp(refused) == 0) MUST(file_number(request, "mode", 0, 07777, -1) <= 07777);
  if (setjmp(refused) == 0) MUST(file_number(request, "offset", 0, INT64_MAX / 2, -1) >= -1);
  if (setjmp(refused) == 0) file_flag(request, "parents", false);
  if (setjmp(refused) == 0) file_owner(request);
  if (setjmp(refused) == 0 && file_time(request, times)) {
    MUST(times[1].tv_nsec >= 0 && times[1].tv_nsec <= 999999999);
  }
}

static void fuzz_request(const uint8_t *data, size_t size) {
  struct value request, map;
  if (msgpack_check(data, size, &request) != NULL) return;
  read_exec(&request);
  read_init(&request);
  read_file(&request);
  static struct network network;
  memset(&network, 0, sizeof network);
  if (request_value(&request, "network", VALUE_MAP, &map) == KEY_OK) network_read(&map, &network);
}

/* An entry that is read must be the same when it is written and read again. */
static void write_again(const struct tar_entry *entry) {
  static uint8_t bytes[TAR_HEADER_MOST];
  static struct tar_entry again;
  bool end;
  if (entry->name[0] == 0 || entry->type == TAR_PAX) return;
  size_t length = tar_write(entry, bytes), at = 0;
  MUST(length % TAR_BLOCK == 0 && length <= TAR_HEADER_MOST);
  MUST(tar_read(bytes, &again, &end) == NULL && !end);
  const uint8_t *pax = NULL;
  size_t pax_length = 0;
  if (again.type == TAR_PAX) {
    pax = bytes + TAR_BLOCK;
    pax_length = (size_t)again.size;
    at = length - TAR_BLOCK;
    MUST(pax_length <= TAR_PAX_MOST && tar_read(bytes + at, &again, &end) == NULL && !end);
  }
  MUST(at + TAR_BLOCK == length && tar_read_pax(pax, pax_length, &again) == NULL);
  MUST(again.type == entry->type && again.size == entry->size && again.mode == entry->mode);
  MUST(strcmp(again.name, entry->name) == 0 && strcmp(again.target, entry->target) == 0);
}

/* Blocks of headers; the checksum is made right, or nothing would come past it. */
static void fuzz_archive(const uint8_t *data, size_t size) {
  static struct tar_entry entry;
  uint8_t block[TAR_BLOCK] = {0};
  bool end;
  memcpy(block, data, size < TAR_BLOCK ? size : TAR_BLOCK);
  if (size > 0 && data[0] % 4 != 0) {
    unsigned sum = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++) sum += i >= 148 && i < 156 ? ' ' : block[i];
    for (size_t i = 0; i < 6; i++) block[148 + i] = (uint8_t)('0' + (sum >> (3 * (5 - i)) & 7));
    block[154] = 0;
  }
  memset(&entry, 0, sizeof entry);
  if (tar_read(block, &entry, &end) != NULL || end) return;
  MUST(strlen(entry.name) <= 100 && strlen(entry.target) <= 100 && entry.mode <= 07777 && entry.size >= 0);
  size_t rest = size > TAR_BLOCK ? size - TAR_BLOCK : 0;
  if (rest > 0 && tar_read_pax(data + TAR_BLOCK, rest, &entry) != NULL) return;
  MUST(strlen(entry.name) < PATH_MAX && strlen(entry.target) < PATH_MAX && entry.size >= 0);
  write_again(&entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  if (data[0] == 0xff) fuzz_archive(data + 1, size - 1);
  else fuzz_request(data, size);
  return 0;
}
