# A service has descriptors kept: its next process finds them, as many as may be, until it is stopped. A daemon of its own
# keeps them when it is replaced, too. Unit files and drop-ins that change are told of (NeedDaemonReload).
import shutil
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

NAME = "s79.service"
HERE = "/run/s79"
SERVICE = SD + ".Service"
# Keeps a file with its process number in it, or says what it has found; then waits.
PROGRAM = """
import os, socket, sys, time
def say(text, fds=()):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(os.environ["NOTIFY_SOCKET"])
        socket.send_fds(s, [text.encode()], list(fds))
number = int(os.environ.get("LISTEN_FDS", "0"))
if number:
    texts = ["%s=%s" % (name, os.pread(3 + i, 100, 0).decode())
             for i, name in enumerate(os.environ["LISTEN_FDNAMES"].split(":"))]
    mine = os.environ["LISTEN_PID"] == str(os.getpid())
    say("STATUS=%s %s" % (mine, " ".join(sorted(texts))))
else:
    for name in ["b", "a", "gone", "many"]:
        fd = os.memfd_create(name)
        os.write(fd, name.encode())
        say("FDSTORE=1\\nFDNAME=" + name, [fd])
    say("FDSTOREREMOVE=1\\nFDNAME=gone")
    if os.fork() == 0:
        # Nobody may who is not the main process.
        say("FDSTORE=1\\nFDNAME=foreign", [fd])
        os._exit(0)
    os.wait()
    say("STATUS=kept")
say("READY=1")
time.sleep(1000)
"""
os.makedirs(HERE, exist_ok=True)
with open(HERE + "/program.py", "w") as file:
    file.write(PROGRAM)
COMMAND = ["/usr/bin/python3", HERE + "/program.py"]


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def status(bus):
    return prop(bus, NAME, "StatusText", SERVICE)


def kept(bus):
    return prop(bus, NAME, "NFileDescriptorStore", SERVICE)


def start(bus, *more):
    words = [["ExecStart", {"a(sasb)": [[COMMAND[0], COMMAND, False]]}], ["Type", {"s": "notify"}],
             ["FileDescriptorStoreMax", {"u": 3}], ["Restart", {"s": "always"}], ["RestartUSec", {"t": 100000}]]
    manager(bus, "StartTransientUnit", START, [NAME, "fail", words + list(more), []])
    soon("it has said what it keeps", lambda: status(bus) == "kept")
    soon("it is up", lambda: prop(bus, NAME, "ActiveState") == "active")


def found(bus, what):
    soon("it has found " + what, lambda: status(bus) == "True " + what)
    soon("it is up", lambda: prop(bus, NAME, "ActiveState") == "active")


def stop(bus, name=NAME):
    manager(bus, "StopUnit", "ss", [name, "replace"])
    soon("%s is down" % name, lambda: prop(bus, name, "ActiveState") == "inactive")


def keeps(bus):
    start(bus)
    same("kept", 2, kept(bus))
    os.kill(prop(bus, NAME, "MainPID", SERVICE), 9)
    found(bus, "a=a b=b")
    manager(bus, "RestartUnit", "ss", [NAME, "replace"])
    soon("it has been started anew", lambda: prop(bus, NAME, "NRestarts", SERVICE) == 0)
    found(bus, "a=a b=b")
    same("kept", 2, kept(bus))


def is_outdated(bus, name):
    return prop(bus, name, "NeedDaemonReload")


def tells_of_changed_files(bus, units):
    name, file = "s79-file.service", units + "/s79-file.service"
    write(file, "[Service]\nExecStart=/bin/sleep 1000\n")
    manager(bus, "Reload")
    manager(bus, "StartUnit", "ss", [name, "replace"])
    soon("it runs", lambda: prop(bus, name, "ActiveState") == "active")
    same("as it was loaded", False, is_outdated(bus, name))
    # Clocks of file systems tick slowly.
    time.sleep(0.1)
    write(file, "[Service]\nExecStart=/bin/sleep 1001\n")
    same("another file", True, is_outdated(bus, name))
    manager(bus, "Reload")
    same("after a reload", False, is_outdated(bus, name))
    write(file + ".d/x.conf", "[Service]\nTasksMax=5\n")
    manager(bus, "Reload")
    same("after another reload", False, is_outdated(bus, name))
    write(file + ".d/y.conf", "[Service]\nTasksMax=6\n")
    same("a second drop-in", True, is_outdated(bus, name))
    shutil.rmtree(file + ".d")
    same("no drop-in", True, is_outdated(bus, name))
    stop(bus, name)
    os.remove(file)
    manager(bus, "Reload")


def is_replaced(pid):
    return b"CGARBITER_STORED=" in open("/proc/%d/environ" % pid, "rb").read()


def survives_an_upgrade():
    own = OwnDaemon("kept79")
    bus = own.start()
    keeps(bus)
    manager(bus, "Reexecute")
    soon("the new program runs", lambda: is_replaced(own.process.pid))
    bus.close()
    bus = own.bus()
    same("kept by the new program", 2, kept(bus))
    manager(bus, "RestartUnit", "ss", [NAME, "replace"])
    soon("it has been started anew", lambda: status(bus) == "True a=a b=b")
    stop(bus)
    own.end()


bus = PeerBus()
keeps(bus)
stop(bus)
start(bus)
stop(bus)
tells_of_changed_files(bus, "/run/systemd/system")
if not SYSTEMD:
    survives_an_upgrade()
