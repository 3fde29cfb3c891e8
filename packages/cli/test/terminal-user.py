"""Drives the command in its arguments on a pseudo-terminal, as a user at a keyboard would, and prints what was seen as JSON."""
import fcntl, json, os, re, select, struct, sys, termios, time

DEADLINE = time.monotonic() + 120
# Keys that come before it may be lost, as on any terminal.
PROMPT = r".*?[#$] "


def set_size(fd, rows, cols):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def expect(fd, pattern, seen=""):
    """Reads until the pattern is there. What came before it is dropped."""
    while not (match := re.search(pattern, seen)):
        if time.monotonic() > DEADLINE or not select.select([fd], [], [], 1)[0]:
            if time.monotonic() > DEADLINE:
                sys.exit("not seen: %r in %r" % (pattern, seen))
            continue
        seen += os.read(fd, 4096).decode(errors="replace")
    return match


pid, fd = os.forkpty()
if pid == 0:
    # The parent has set the size when it says go.
    sys.stdin.readline()
    os.execvp(sys.argv[1], sys.argv[1:])
set_size(fd, 33, 101)
before = termios.tcgetattr(fd)
os.write(fd, b"\n")
expect(fd, PROMPT)
os.write(fd, b"stty size; echo do''ne\n")
size = expect(fd, r"(\d+ \d+)\r\ndone\r\n" + PROMPT).group(1)
os.write(fd, b"echo $TERM; echo do''ne\n")
term = expect(fd, r"(\S+)\r\ndone\r\n" + PROMPT).group(1)
set_size(fd, 44, 122)
os.write(fd, b"until stty size | grep '44 122'; do :; done; echo do''ne\n")
resized = expect(fd, r"(\d+ \d+)\r\ndone\r\n" + PROMPT).group(1)
# What a command says itself, it says in the foreground: before that, Ctrl-C would be the shell's.
os.write(fd, b"sh -c 'echo wait\"\"ing; exec sleep 600'\n")
expect(fd, "waiting")
os.write(fd, b"\x03")
expect(fd, PROMPT)
os.write(fd, b"echo still he''re\n")
interrupted = expect(fd, "still here\r\n" + PROMPT) is not None
os.write(fd, b"exit 5\n")
while True:
    try:
        if not os.read(fd, 4096):
            break
    except OSError:
        break
_, status = os.waitpid(pid, 0)
# On Linux the master still tells what the last user of the terminal left.
restored = termios.tcgetattr(fd)[:4] == before[:4]
print(json.dumps({"size": size, "term": term, "resized": resized, "interrupted": interrupted, "restored": restored, "code": os.waitstatus_to_exitcode(status)}))
