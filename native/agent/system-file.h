#ifndef VIRGA_SYSTEM_FILE_H
#define VIRGA_SYSTEM_FILE_H

/* Writes a file of the guest's /etc in place of what is there, a link included. 0, or -1 with errno. */
int system_file_write(const char *path, const char *text);

#endif
