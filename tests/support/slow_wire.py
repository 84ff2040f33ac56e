"""A wire with latency and loss, for kernels without netem: two network interfaces, joined here.

    python slow_wire.py NEAR FAR DELAY_MS LOSS_PERCENT

makes the interfaces NEAR and FAR in its network namespace, says "ready", and carries each Ethernet
frame from one to the other after the delay, or loses it. They are gone when the process ends: with
whoever started it, at the end of its standard input.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time
from contextlib import suppress

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # <linux/if_tun.h>
_LARGEST_FRAME = 65_536


def open_interface(name: str) -> int:
    """A new Ethernet interface; what the kernel sends on it is read from the file descriptor."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(
        descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI)
    )
    return descriptor


def carry(near: int, far: int, delay: float, loss: float) -> None:
    """Carry frames both ways; delay in seconds, loss as a share of the frames."""
    draw = random.Random(1)
    other = {near: far, far: near}
    on_the_way: list[tuple[float, int, int, bytes]] = []  # due, order of arrival, to, frame
    arrived = 0
    poll = select.poll()
    for descriptor in (*other, sys.stdin.fileno()):
        poll.register(descriptor, select.POLLIN)
    while True:
        wait = (on_the_way[0][0] - time.monotonic()) * 1000 if on_the_way else None
        for descriptor, _ in poll.poll(None if wait is None else max(0.0, wait)):
            if descriptor not in other:
                return
            with suppress(OSError):  # read by nobody else, but the interface may be down
                frame = os.read(descriptor, _LARGEST_FRAME)
                arrived += 1
                if draw.random() >= loss:
                    due = time.monotonic() + delay
                    heapq.heappush(on_the_way, (due, arrived, other[descriptor], frame))
        while on_the_way and on_the_way[0][0] <= time.monotonic():
            _, _, to, frame = heapq.heappop(on_the_way)
            with suppress(OSError):  # the interface is down: the frame is lost
                os.write(to, frame)


if __name__ == "__main__":
    ends = [open_interface(name) for name in sys.argv[1:3]]
    print("ready", flush=True)
    carry(*ends, float(sys.argv[3]) / 1000, float(sys.argv[4]) / 100)
