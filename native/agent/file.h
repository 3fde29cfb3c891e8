#ifndef VIRGA_FILE_H
#define VIRGA_FILE_H

#include "msgpack.h"

#include <limits.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Operations on files: each runs as a task (task.h), in the child. */

void file_stat(const struct value *request);
void file_list(const struct value *request);
void file_read(const struct value *request);
void file_write(const struct value *request);
void file_mkdir(const struct value *request);
void file_remove(const struct value *request);
void file_rename(const struct value *request);
void file_symlink(const struct value *request);
void file_set(const struct value *request);
void file_attributes(const struct value *request);
void file_watch(const struct value *request);
void file_pack(const struct value *request);
void file_unpack(const struct value *request);

/* file-request.c: keys of a request. What is wrong with one ends the task. */
void file_path(const struct value *request, const char *key, char path[PATH_MAX]);
/* The path of a directory to be made, without the slashes at its end: with them it would be one of its own parents, and a
   link would be followed. */
void file_new_directory(const struct value *request, char path[PATH_MAX]);
bool file_flag(const struct value *request, const char *key, bool otherwise);
/* `otherwise` when it is absent. */
int64_t file_number(const struct value *request, const char *key, int64_t least, int64_t most, int64_t otherwise);

/* mtimeNs as utimensat() takes it; false when it is absent. */
bool file_time(const struct value *request, struct timespec times[2]);

struct owner {
  uid_t uid;
  gid_t gid;
};
/* Whether anybody is named. */
static inline bool owner_is_given(struct owner owner) { return owner.uid != (uid_t)-1 || owner.gid != (gid_t)-1; }

/* owner: "user", "user:group" or ":group", names or numbers; (uid_t)-1 and (gid_t)-1 for what stays. */
struct owner file_owner(const struct value *request);
/* Makes the directories above `path` that are missing, and gives them to `owner`; 0, or -1 with errno. */
int file_make_parents(const char *path, struct owner owner);

/* file-write.c: gives an open file owner, mode (-1: as it is) and times (NULL: as they are); 0, or -1 with errno. */
int file_dress(int fd, struct owner owner, int64_t mode, const struct timespec times[2]);

/* file-change.c: one descriptor is open for each directory on the way down a tree. */
void file_raise_limit(void);

/*
 * file-temporary.c: what takes its place at `path` only when it is whole is made under another name beside it, one at a
 * time. It is removed when the task is told to end.
 */
/* A file (its descriptor), or a link to `target` unless that is NULL (0); -1 with errno. */
int file_temporary_make(const char *path, const char *target);
/* These give 0, or -1 with errno. */
int file_temporary_chown(struct owner owner);
int file_temporary_keep(const char *path);
void file_temporary_drop(void);
/* Drops it and ends the task: `path` cannot be written. */
_Noreturn void file_give_up(int error, const char *path);

/* file-stat.c: bytes of a name, as str when they are text, else as bin. */
void file_write_name(struct writer *writer, const char *name);
/* The keys of a status; how many they are. `target` may be NULL. */
uint32_t file_status_keys(const struct stat *status, const char *target);
void file_write_status(struct writer *writer, const struct stat *status, const char *target);

#endif
