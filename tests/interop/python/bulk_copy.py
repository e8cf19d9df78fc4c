"""Copies a stream whose every byte is known over TCP, and a stream of numbered datagrams over UDP.

bulk_copy.py send SECONDS HOST        connects to HOST for TCP, and sends datagrams there meanwhile
bulk_copy.py receive                  waits for both, and says on its last line what it got

Every block of the TCP stream and every datagram follows from its number, so that the receiver knows what it must be; the SHA-256
of all that was sent goes over a connection of its own at the end. The receiver says `wrong: ...` and ends with 1 for any
other byte, a datagram that comes twice, or one that comes after a later one.
"""

import hashlib
import random
import socket
import struct
import sys
import threading
import time

TCP, TALLY, UDP = 7001, 7002, 7003
BLOCK = 65536
POOL = random.Random(1).randbytes(1 << 20)


def block(number):
    """Bytes that are those of no other block."""
    start = number * 4099 % (len(POOL) - BLOCK)
    return struct.pack(">Q", number) + POOL[start : start + BLOCK - 8]


def datagram(number):
    """Lengths of every kind, as long as a tunnel takes, and often several equal ones behind each other."""
    length = 16 + (number // 8 * 37) % 1380
    start = number * 7919 % (len(POOL) - 1500)
    return struct.pack(">Q", number) + POOL[start : start + length - 8]


def connect(host, port):
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection((host, port), timeout=30)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def send(seconds, host):
    end = time.monotonic() + seconds
    tcp = connect(host, TCP)
    count = 0

    def datagrams():
        nonlocal count
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while time.monotonic() < end:
            for _ in range(16):
                udp.sendto(datagram(count), (host, UDP))
                count += 1
            time.sleep(0.02)

    beside = threading.Thread(target=datagrams)
    beside.start()
    digest, blocks = hashlib.sha256(), 0
    while time.monotonic() < end:
        data = block(blocks)
        tcp.sendall(data)
        digest.update(data)
        blocks += 1
    tcp.shutdown(socket.SHUT_WR)
    tcp.recv(1)
    beside.join()
    tally = connect(host, TALLY)
    tally.sendall(f"{digest.hexdigest()} {blocks} {count}\n".encode())
    tally.recv(1)
    print("sent", blocks * BLOCK, "bytes and", count, "datagrams", flush=True)


def receive():
    listening = [socket.create_server(("", port)) for port in (TCP, TALLY)]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    udp.bind(("", UDP))
    print("listening", flush=True)
    wrong, seen, last = [], set(), -1

    def datagrams():
        nonlocal last
        while True:
            data = udp.recv(65536)
            if data == b"end":
                return
            number = struct.unpack(">Q", data[:8])[0]
            if data != datagram(number):
                wrong.append(f"datagram {number} is not what was sent")
            if number in seen:
                wrong.append(f"datagram {number} came twice")
            elif number < last:
                wrong.append(f"datagram {number} came after {last}")
            seen.add(number)
            last = max(last, number)

    beside = threading.Thread(target=datagrams)
    beside.start()
    stream, _ = listening[0].accept()
    digest, blocks, expected, got = hashlib.sha256(), 0, block(0), b""
    while data := stream.recv(1 << 20):
        digest.update(data)
        got += data
        while len(got) >= BLOCK:
            if got[:BLOCK] != expected:
                wrong.append(f"block {blocks} is not what was sent")
            got, blocks = got[BLOCK:], blocks + 1
            expected = block(blocks)
    stream.close()
    tally, _ = listening[1].accept()
    said, sent, count = tally.makefile().readline().split()
    tally.close()
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"end", ("127.0.0.1", UDP))
    beside.join()
    if said != digest.hexdigest() or int(sent) != blocks or got:
        wrong.append("the stream is not what was sent")
    for what in wrong[:10]:
        print("wrong:", what)
    print("received", blocks * BLOCK, "bytes", "lost", int(count) - len(seen), "of", count, "datagrams", flush=True)
    sys.exit(1 if wrong else 0)


if sys.argv[1] == "send":
    send(float(sys.argv[2]), sys.argv[3])
else:
    receive()
