# What nobody may send: half messages, lies about lengths, noise instead of an authentication, on many connections to
# the private socket at once. Others are answered all the while, and afterwards the descriptors are closed again.
import sys
sys.path.insert(0, "/payload/guest")
from lib import *


def descriptors():
    return len(os.listdir("/proc/%d/fd" % manager_pid()))


before = descriptors()
held = []
whole = message("StartTransientUnit", START, ["h46.scope", "fail", [["PIDs", {"au": [os.getpid()]}]], []])
ping = message("ListUnits")
noise = bytes((i * 7919 + 13) % 256 for i in range(4096))
# Said right after connecting.
for opening in (b"", b"\0", b"\0AUTH", b"\0AUTH EXTERNAL 30\r\n", b"\0NONSENSE\r\nBEGIN\r\n", b"\0AUTH BOGUS x\r\n", noise,
                b"\0" + b"A" * 70000, b"l\1\0\1"):
    s = raw_private()
    try:
        s.sendall(opening)
    except OSError:
        pass
    held.append(s)
    answers("the opening %r" % opening[:30])
# Said after the authentication.
huge = bytearray(ping)
huge[4:8] = b"\xff\xff\xff\x7f"
endless = bytearray(ping)
endless[12:16] = b"\xff\xff\xff\xff"
bad_order = b"Z" + ping[1:]
bad_type = ping[:1] + b"\xfe" + ping[2:]
bad_version = ping[:3] + b"\x09" + ping[4:]
zero_serial = ping[:8] + b"\0\0\0\0" + ping[12:]
for what, text in (("half a message", whole[:len(whole) // 2]), ("half a head", whole[:10]), ("noise", noise),
                   ("a huge body", bytes(huge)), ("an endless head", bytes(endless)), ("a byte order", bad_order),
                   ("a type", bad_type), ("a version", bad_version), ("no serial", zero_serial)):
    s = authenticated_private()
    try:
        s.sendall(text)
    except OSError:
        pass
    held.append(s)
    answers(what)
# A call byte by byte is slow, not wrong.
s = authenticated_private()
for i in range(len(ping)):
    s.sendall(ping[i:i + 1])
reply = s.recv(16)
same("the reply to a slow call", 2, reply[1])
held.append(s)
for s in held:
    s.close()
bus = Bus()
same("nothing was started", False, loaded(bus, "h46.scope"))
bus.close()
soon("the descriptors are closed", lambda: descriptors() <= before, 40)
