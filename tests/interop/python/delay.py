"""Joins two Ethernet interfaces and delays every frame, for kernels without netem.

delay.py INTERFACE INTERFACE MILLISECONDS
"""

import collections
import select
import socket
import sys
import time

SOL_PACKET = 263
# a frame comes and goes with what the kernel has not done yet: its checksum, its segmentation
PACKET_VNET_HDR = 15
# what this program sends itself does not come back
PACKET_IGNORE_OUTGOING = 23
EVERY_PROTOCOL = 3


def interface(name):
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    end.bind((name, EVERY_PROTOCOL))
    end.setblocking(False)
    return end


def main():
    first, second = interface(sys.argv[1]), interface(sys.argv[2])
    delay = float(sys.argv[3]) / 1000
    other = {first: second, second: first}
    waiting = collections.deque()
    print("joined", flush=True)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, end, frame = waiting.popleft()
            try:
                end.send(frame)
            except OSError as error:
                print("a frame is lost:", error, flush=True)
        timeout = max(0.0, waiting[0][0] - now) if waiting else None
        for end in select.select([first, second], [], [], timeout)[0]:
            while True:
                try:
                    frame = end.recv(1 << 17)
                except BlockingIOError:
                    break
                waiting.append((time.monotonic() + delay, other[end], frame))


main()
