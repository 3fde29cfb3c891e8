#ifndef VIRGA_HOSTS_H
#define VIRGA_HOSTS_H

/* Makes /etc/hosts know the machine by its name, beside what users wrote there. 0, or -1 with errno. */
int hosts_write(const char *hostname);

#endif
