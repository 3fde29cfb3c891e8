#ifndef VIRGA_ROOT_H
#define VIRGA_ROOT_H

/*
 * As PID 1: makes the image that the kernel command line names (`virga.root=`, `virga.upper=`) the root, read-only
 * with a writable layer over it, and empties the initramfs. Without `virga.root=` the initramfs stays the root.
 * When it cannot, agent.problem says why.
 */
void root_setup(void);

/* Makes the writable layer's file system clean, at the end. */
void root_close(void);

#endif
