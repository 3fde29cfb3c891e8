#include "operations.h"
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { READ_MAX = 16384 };

static int open_device(struct connection *connection, const struct value *request, int flags, off_t *offset) {
  char device[256];
  int64_t at;
  if (request_text(request, "device", device, sizeof device) != KEY_OK ||
      request_int(request, "offset", 0, INT64_MAX, &at) != KEY_OK) {
    connection_fail(connection, "BAD_REQUEST", 0, "device or offset is missing or wrong");
    return -1;
  }
  *offset = (off_t)at;
  int fd = open(device, flags | O_CLOEXEC);
  if (fd < 0) fail_errno(connection, "open the device");
  return fd;
}

void run_disk_write(struct connection *connection, const struct value *request) {
  struct value data;
  if (request_value(request, "data", VALUE_BIN, &data) != KEY_OK) {
    connection_fail(connection, "BAD_REQUEST", 0, "data is missing or not bin");
    return;
  }
  off_t offset;
  int fd = open_device(connection, request, O_WRONLY, &offset);
  if (fd < 0) return;
  ssize_t put = pwrite(fd, data.bytes, data.count, offset);
  if (put >= 0 && (size_t)put < data.count) {
    put = -1;
    errno = ENOSPC;
  }
  if (put < 0 || fsync(fd) != 0) fail_errno(connection, "write to the device");
  else connection_ok(connection);
  close(fd);
}

void run_disk_read(struct connection *connection, const struct value *request) {
  static uint8_t bytes[READ_MAX];
  int64_t length;
  if (request_int(request, "length", 0, READ_MAX, &length) != KEY_OK) {
    connection_fail(connection, "BAD_REQUEST", 0, "length is missing or out of range");
    return;
  }
  off_t offset;
  int fd = open_device(connection, request, O_RDONLY, &offset);
  if (fd < 0) return;
  /* What counts is on the device: the host may have changed it under a restored cache. */
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ssize_t got = pread(fd, bytes, (size_t)length, offset);
  close(fd);
  if (got < 0) {
    fail_errno(connection, "read from the device");
    return;
  }
  struct writer writer = answer(1);
  write_key(&writer, "data");
  write_bin(&writer, bytes, (size_t)got);
  send_answer(connection, &writer);
}
