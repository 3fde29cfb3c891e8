#ifndef VIRGA_WATCH_TABLE_H
#define VIRGA_WATCH_TABLE_H

/* Which directory each watch of inotify is for, by its path below the one that is watched ("" for that one itself). */

/* Keeps a path; descriptors only grow, but one that is there already gets the new path. Ends the task without memory. */
void watch_put(int descriptor, const char *path);
/* The path of a watch, or NULL. */
const char *watch_path(int descriptor);
void watch_forget(int descriptor);
/* Directories at and below `from` are now at and below `to`. */
void watch_move(const char *from, const char *to);
/* Calls `each` for the watches at and below `path`, and forgets these. */
void watch_forget_tree(const char *path, void (*each)(int descriptor));

#endif
