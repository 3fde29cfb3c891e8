# PID 1 of the lab once it is in the host's root: makes an ordinary machine of it, fetches one command from the host,
# runs it, sends back its exit code and powers off. Ports: 1 standard output, 2 standard error, 3 control.
lab=/run/virga-lab
b=$lab/busybox
$b mkdir -p /dev/pts /dev/shm /dev/hugepages /sys/fs/cgroup
$b mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
$b mount -t tmpfs -o mode=1777 tmpfs /dev/shm
$b mount -t cgroup2 cgroup2 /sys/fs/cgroup
$b mount -t securityfs securityfs /sys/kernel/security
[ -e /dev/fd ] || $b ln -s /proc/self/fd /dev/fd
[ -e /dev/stdin ] || $b ln -s /proc/self/fd/0 /dev/stdin
[ -e /dev/stdout ] || $b ln -s /proc/self/fd/1 /dev/stdout
[ -e /dev/stderr ] || $b ln -s /proc/self/fd/2 /dev/stderr
$b hostname lab
$b ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward

exec 3<> /dev/vport0p3 || exit 1
echo ready >&3
read -r length <&3
$b head -c "$length" <&3 > $lab/command
# What comes after it only wakes the processor.
$b cat <&3 > /dev/null &
# A port can be open once only: through pipes the command can open /dev/stdout again, as scripts do.
$b mkfifo $lab/stdout $lab/stderr
$b cat $lab/stdout > /dev/vport0p1 &
out=$!
$b cat $lab/stderr > /dev/vport0p2 &
err=$!
# The host's shell: Debian's busybox would run its own applets in place of the programs the command names.
/bin/sh $lab/command < /dev/null > $lab/stdout 2> $lab/stderr 3>&-
code=$?
# Processes the command left behind may hold the pipes open; what they say later is lost.
tries=0
while [ $tries -lt 50 ] && { $b kill -0 $out || $b kill -0 $err; } 2> /dev/null; do
  $b sleep 0.1
  tries=$((tries + 1))
done
echo "exit $code" >&3
echo o > /proc/sysrq-trigger
while :; do $b sleep 60; done
