#!/bin/busybox sh
# PID 1 of the lab's initramfs: loads modules, puts a writable layer in memory over the host's root, enters it.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
while read -r module parameters; do
  # shellcheck disable=SC2086
  $b insmod "/modules/$module" $parameters || echo "lab: cannot load $module"
done < /modules/order
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host || exit 1
$b mount -t tmpfs -o size=80% tmpfs /upper
$b mkdir /upper/data /upper/work
$b mount -t overlay -o lowerdir=/host,upperdir=/upper/data,workdir=/upper/work overlay /new || exit 1
for folder in proc sys dev; do
  $b mkdir -p /new/$folder
  $b mount -o move /$folder /new/$folder
done
$b mkdir -p /new/run /new/tmp
$b mount -t tmpfs -o mode=755 tmpfs /new/run
$b mkdir /new/run/virga-lab
$b cp /bin/busybox /run.sh /new/run/virga-lab/
exec $b switch_root /new /run/virga-lab/busybox sh /run/virga-lab/run.sh
