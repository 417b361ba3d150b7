"""Helpers of the guest's Python tests: those that need a message said exactly so, or only half of one.

The first fact that is not so ends the test with one line of why, as in lib.sh.
"""
import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, "/payload/guest/player")
from dbusmini import Bus, DBusError, Timeout, pad, put  # noqa: E402,F401

ROOT = "/org/freedesktop/systemd1"
SD = "org.freedesktop.systemd1"
MANAGER = SD + ".Manager"
UNIT = SD + ".Unit"
DBUS = "org.freedesktop.DBus.Error"
CG = "/sys/fs/cgroup"
PRIVATE = "/run/systemd/private"
START = "ssa(sv)a(sa(sv))"
SYSTEMD = "MANAGER=systemd" in open("/payload/settings").read()


def fail(why):
    print("FAIL: " + why)
    sys.exit(1)


def same(what, want, got):
    if want != got:
        fail("%s: want %r, got %r" % (what, want, got))


def soon(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            fail("%s: not so within %d s" % (what, seconds))
        time.sleep(0.05)


def after_begin():
    """systemd overlooks a message that it reads together with BEGIN until something else arrives; we must not."""
    if SYSTEMD:
        time.sleep(0.4)


class PeerBus(Bus):
    """The private socket: the same messages, but nobody who answers Hello."""

    def __init__(self, path=PRIVATE):
        Bus.__init__(self, "unix:path=" + path)
        if path == PRIVATE:
            after_begin()

    def call(self, path, iface, member, *rest, **more):
        if member == "Hello":
            return "s", [None]
        return Bus.call(self, path, iface, member, *rest, **more)


class OwnDaemon:
    """A daemon of the test's own: with a socket and unit files in a folder `files`, below a group `top` of its own."""

    def __init__(self, name, files=None, program="/payload/bin/cgarbiterd", root=True, log=None, options=()):
        self.files = files or "/run/" + name
        self.socket = self.files + "/socket"
        self.log = log or "/results/%s.log" % name
        self.top = CG + "/" + name if root else CG
        self.command = [program, "--backend", "cgroupfs", "--bus", "none", "--socket", self.socket,
                        "--file-root", self.files] + (["--root", self.top] if root else []) + list(options)
        self.process = None
        os.makedirs(self.files, exist_ok=True)
        os.makedirs(self.top, exist_ok=True)

    def bus(self):
        return PeerBus(self.socket)

    def start(self):
        """Returns a connection once it has answered."""
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while True:
            try:
                bus = self.bus()
                bus.call(ROOT, "org.freedesktop.DBus.Properties", "Get", "ss", [MANAGER, "Version"])
                return bus
            except (OSError, DBusError, Timeout):
                if self.process.poll() is not None or time.monotonic() > end:
                    fail("the daemon does not serve: exit status %r, %s" % (self.process.poll(), self.last_log()))
                time.sleep(0.01)

    def last_log(self):
        return " / ".join(open(self.log).read().splitlines()[-3:])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """Ends it as a service manager would, and removes its group, in which nothing may be left."""
        self.process.terminate()
        same("exit status of the daemon", 0, self.process.wait())
        for directory, _, _ in os.walk(self.top, topdown=False):
            os.rmdir(directory)


class Switched:
    """Controllers that are on in the root for as long as a test needs them."""

    def __init__(self, *controllers):
        present, on = (open(CG + "/cgroup." + file).read().split() for file in ("controllers", "subtree_control"))
        self.ours = [controller for controller in controllers if controller in present and controller not in on]
        self.write("+")

    def back(self):
        self.write("-")

    def write(self, sign):
        for controller in self.ours:
            with open(CG + "/cgroup.subtree_control", "w") as file:
                file.write(sign + controller)


def unit_path(name):
    return ROOT + "/unit/" + "".join(c if c.isalnum() else "_%02x" % ord(c) for c in name)


def manager(bus, member, sig="", args=()):
    return bus.call(ROOT, MANAGER, member, sig, args)[1]


def prop(bus, unit, name, iface=UNIT):
    value = bus.call(unit_path(unit), "org.freedesktop.DBus.Properties", "Get", "ss", [iface, name])[1][0]
    return next(iter(value.values()))


def start_scope(bus, name, properties=(), mode="fail", pids=None):
    """StartTransientUnit of a scope around a new sleeping process; returns that process."""
    p = subprocess.Popen(["sleep", "1000"])
    pids = [p.pid] if pids is None else pids
    try:
        manager(bus, "StartTransientUnit", START, [name, mode, [["PIDs", {"au": pids}]] + list(properties), []])
    except (DBusError, Timeout):
        p.kill()
        p.wait()
        raise
    soon("%s is active" % name, lambda: prop(bus, name, "ActiveState") == "active")
    return p


def loaded(bus, name):
    return bool(manager(bus, "ListUnitsByNames", "as", [[name]])) and any(
        row[0] == name for row in manager(bus, "ListUnits")[0])


def end_unit(bus, name, process=None):
    manager(bus, "StopUnit", "ss", [name, "replace"])
    soon("%s is unloaded" % name, lambda: not loaded(bus, name))
    if process:
        process.wait()


def manager_pid():
    return 1 if SYSTEMD else int(open("/run/guest-manager.pid").read())


def cgroups():
    return sorted(d for d, _, _ in os.walk(CG))


def refused(what, want, function, *args):
    """The call is refused with that error name; returns the text. Refusals change no cgroup."""
    before = cgroups()
    try:
        got = "the reply %r" % (function(*args),)
    except DBusError as e:
        if e.name == want:
            soon("%s: the cgroups are as before" % what, lambda: cgroups() == before)
            return e.message
        got = "%s (%s)" % (e.name, e.message)
    except Timeout:
        got = "no reply"
    fail("%s: want %s, got %s" % (what, want, got))


def answers(what):
    """The manager answers on the bus and on the private socket."""
    for kind in (Bus, PeerBus):
        try:
            bus = kind()
            state = bus.call(ROOT, "org.freedesktop.DBus.Properties", "Get", "ss", [MANAGER, "SystemState"])[1][0]
            bus.close()
        except (OSError, DBusError, Timeout) as e:
            fail("after %s: no answer to a %s: %s %s" % (what, kind.__name__, type(e).__name__, e))
        same("SystemState after %s" % what, {"s": "running"}, state)


def raw_private():
    """A stream to the private socket on which nothing has been said."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(20)
    s.connect(PRIVATE)
    return s


def authenticated_private():
    s = raw_private()
    s.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
    reply = b""
    while not reply.endswith(b"\r\n"):
        reply += s.recv(1)
    if not reply.startswith(b"OK"):
        fail("authentication on the private socket: %r" % reply)
    s.sendall(b"BEGIN\r\n")
    after_begin()
    return s


def message(member, sig="", args=(), path=ROOT, iface=MANAGER, serial=1, flags=0):
    """The bytes of one method call."""
    import struct
    from dbusmini import split
    body = bytearray()
    for t, v in zip(split(sig), args):
        put(body, t, v)
    head = bytearray(struct.pack("<BBBBII", ord("l"), 1, flags, 1, len(body), serial))
    fields = [[1, {"o": path}], [3, {"s": member}], [6, {"s": SD}], [2, {"s": iface}]]
    if sig:
        fields.append([8, {"g": sig}])
    put(head, "a(yv)", fields)
    pad(head, 8)
    return bytes(head) + bytes(body)
