"""Runs the command in its arguments on a pseudo-terminal and prints what came to be on it, and the exit code, as JSON.
usage: terminal-record.py [--when TEXT KEYS] COMMAND…: types KEYS once TEXT is there."""
import fcntl, json, os, struct, sys, termios

ROWS, COLUMNS = 24, 60
command, text, keys = sys.argv[1:], None, None
if command[0] == "--when":
    text, keys, command = command[1].encode(), command[2].encode(), command[3:]
pid, fd = os.forkpty()
if pid == 0:
    # The parent has set the size when it says go.
    sys.stdin.readline()
    os.execvp(command[0], command)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
settings = termios.tcgetattr(fd)
settings[3] &= ~termios.ECHO
termios.tcsetattr(fd, termios.TCSANOW, settings)
os.write(fd, b"\n")
seen = b""
while True:
    try:
        piece = os.read(fd, 4096)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if text is not None and text in seen:
        os.write(fd, keys)
        text = None
_, status = os.waitpid(pid, 0)
print(json.dumps({"seen": seen.decode(errors="replace"), "code": os.waitstatus_to_exitcode(status)}))
