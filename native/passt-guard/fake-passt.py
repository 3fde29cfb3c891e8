"""A passt for tests: goes into the background as the real one does, and sends every frame it gets back. `fail` makes it complain instead."""
import os, struct, sys

if "fail" in sys.argv:
    sys.stderr.write("No external routable interface for IPv4\n")
    sys.exit(1)
fd = int(sys.argv[sys.argv.index("--fd") + 1])
if os.fork() != 0:
    os._exit(0)
os.setsid()
null = os.open("/dev/null", os.O_RDWR)
for standard in (0, 1, 2):
    os.dup2(null, standard)


def exactly(count):
    got = b""
    while len(got) < count:
        part = os.read(fd, count - len(got))
        if not part:
            os._exit(0)
        got += part
    return got


while True:
    length = exactly(4)
    frame = length + exactly(struct.unpack("!I", length)[0])
    while frame:
        frame = frame[os.write(fd, frame):]
