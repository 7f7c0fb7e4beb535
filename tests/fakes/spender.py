"""A program that spends CPU in children that die, and then says what they spent: the truth that measures are held to.

spender.py <children> <seconds each> <own uid> <uid of the children>; it waits for a line, works, prints, waits.
"""

import os
import resource
import sys
import time


def burn(seconds: float) -> None:
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        sum(range(500))
        os.getppid()


def main() -> None:
    children, seconds, uid, children_uid = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    os.setuid(uid)  # after the start: other users may not be able to read this interpreter
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(children):
        pid = os.fork()
        if pid == 0:
            os.setuid(children_uid)
            burn(seconds)
            os._exit(0)
        os.waitpid(pid, 0)
    kids, own = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    print(kids.ru_utime + kids.ru_stime, own.ru_utime + own.ru_stime, flush=True)
    sys.stdin.readline()


main()
