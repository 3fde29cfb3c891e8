#include "agent.h"
#include "clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void read_text(const char *path, char *text, size_t capacity) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? 0 : read(fd, text, capacity - 1);
  if (fd >= 0) close(fd);
  text[length > 0 ? length : 0] = 0;
}

/* The number behind a label of /proc/meminfo. */
static int64_t labelled(const char *text, const char *label) {
  const char *at = strstr(text, label);
  return at == NULL ? 0 : strtoll(at + strlen(label), NULL, 10);
}

/* Processor time since boot, of all processors together: the first line of /proc/stat, in ticks. */
static void read_processors(int64_t *busy_ms, int64_t *total_ms) {
  char text[256];
  enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, KINDS };
  long long ticks[KINDS] = {0}, total = 0;
  read_text("/proc/stat", text, sizeof text);
  sscanf(text, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &ticks[USER], &ticks[NICE], &ticks[SYSTEM], &ticks[IDLE],
         &ticks[IOWAIT], &ticks[IRQ], &ticks[SOFTIRQ], &ticks[STEAL]);
  for (int i = 0; i < KINDS; i++) total += ticks[i];
  int64_t tick_ms = 1000 / sysconf(_SC_CLK_TCK);
  *total_ms = total * tick_ms;
  *busy_ms = (total - ticks[IDLE] - ticks[IOWAIT] - ticks[STEAL]) * tick_ms;
}

static int64_t kib_of(uint64_t blocks, uint64_t block_size) { return (int64_t)(blocks * (block_size / 1024)); }

static int64_t count_processes(void) {
  int64_t count = 0;
  DIR *proc = opendir("/proc");
  struct dirent *entry;
  while (proc != NULL && (entry = readdir(proc)) != NULL) count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
  if (proc != NULL) closedir(proc);
  return count;
}

void stats_request(struct connection *connection) {
  uint8_t bytes[512];
  int64_t busy_ms, total_ms;
  struct statvfs disk = {0};
  char load[64], memory[512], pages[64];
  long hundredths[3][2] = {{0}};
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  read_text("/proc/loadavg", load, sizeof load);
  read_text("/proc/meminfo", memory, sizeof memory);
  read_text("/proc/self/statm", pages, sizeof pages);
  sscanf(load, "%ld.%ld %ld.%ld %ld.%ld", &hundredths[0][0], &hundredths[0][1], &hundredths[1][0], &hundredths[1][1],
         &hundredths[2][0], &hundredths[2][1]);
  read_processors(&busy_ms, &total_ms);
  if (statvfs("/", &disk) != 0) disk.f_blocks = disk.f_bavail = 0;
  const char *resident = strchr(pages, ' ');
  write_map(&writer, 13);
  write_key(&writer, "ok");
  write_bool(&writer, true);
  write_key(&writer, "uptimeMs");
  write_int(&writer, (int64_t)clock_ms());
  write_key(&writer, "loadAverage");
  write_array(&writer, 3);
  for (int i = 0; i < 3; i++) write_int(&writer, hundredths[i][0] * 100 + hundredths[i][1]);
  write_key(&writer, "cpus");
  write_int(&writer, sysconf(_SC_NPROCESSORS_ONLN));
  write_key(&writer, "cpuBusyMs");
  write_int(&writer, busy_ms);
  write_key(&writer, "cpuTotalMs");
  write_int(&writer, total_ms);
  write_key(&writer, "diskTotalKib");
  write_int(&writer, kib_of(disk.f_blocks, disk.f_frsize));
  write_key(&writer, "diskFreeKib");
  write_int(&writer, kib_of(disk.f_bavail, disk.f_frsize));
  write_key(&writer, "memoryTotalKib");
  write_int(&writer, labelled(memory, "MemTotal:"));
  write_key(&writer, "memoryFreeKib");
  write_int(&writer, labelled(memory, "MemFree:"));
  write_key(&writer, "memoryAvailableKib");
  write_int(&writer, labelled(memory, "MemAvailable:"));
  write_key(&writer, "processes");
  write_int(&writer, count_processes());
  write_key(&writer, "agentResidentKib");
  write_int(&writer, resident == NULL ? 0 : strtoll(resident, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024));
  connection_response(connection, &writer);
  connection_end(connection);
}
