# SPDX-License-Identifier: MIT
"""keys.py KEYS PROGRAM [ARGUMENTS]: runs it on a terminal of its own, presses each key after it has had time to draw,
prints what it drew; fails if it does not end by the last key."""
import os
import pty
import select
import sys
import time

pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])


def draw(least, most):
    """Until it has drawn something and then nothing for `least` seconds; or has ended."""
    seen, end = False, time.time() + most
    quiet = time.time() + least
    while time.time() < end and not (seen and time.time() > quiet):
        if select.select([fd], [], [], 0.05)[0]:
            try:
                sys.stdout.write(os.read(fd, 65536).decode(errors="replace"))
            except OSError:
                return
            seen, quiet = True, time.time() + least


for key in sys.argv[1]:
    draw(0.1, 5)
    os.write(fd, key.encode())
for _ in range(50):
    draw(0.1, 0.1)
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        sys.exit(os.waitstatus_to_exitcode(status))
    time.sleep(0.1)
os.kill(pid, 9)
sys.exit("it goes on")
