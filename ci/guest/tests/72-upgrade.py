# A daemon of its own is replaced by a newly installed program again and again while clients come without a pause: each
# is answered, the process and its children stay the same, and so do units and limits. A program that does not start is
# not taken.
import shutil
import threading
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

if SYSTEMD:
    sys.exit(0)
ROUNDS = 10
HERE = "/run/upgrade72"
PROGRAM = HERE + "/cgarbiterd"
OWN = OwnDaemon("upgrade72", program=PROGRAM)
WAIT = "while ! [ -e /run/upgrade72/end ]; do sleep 0.1; done; exit 7"


def install(program):
    shutil.copy(program, PROGRAM + ".new")
    os.rename(PROGRAM + ".new", PROGRAM)


def inode_of(pid):
    return os.stat("/proc/%d/exe" % pid).st_ino


class Clients(threading.Thread):
    """Connect, ask one thing, leave."""

    def __init__(self):
        threading.Thread.__init__(self, daemon=True)
        self.answered, self.lost, self.on = 0, [], True

    def run(self):
        while self.on:
            try:
                bus = OWN.bus()
                manager(bus, "ListUnits")
                bus.close()
                self.answered += 1
            except (OSError, DBusError, Timeout) as error:
                self.lost.append(repr(error))


install("/payload/bin/cgarbiterd")
bus = OWN.start()
pid = OWN.process.pid
sleeper = start_scope(bus, "u72.scope", [["Slice", {"s": "u-v.slice"}], ["TasksMax", {"t": 72}]])
manager(bus, "StartTransientUnit", START, ["u72.service", "fail", [
    ["ExecStart", {"a(sasb)": [["/bin/sh", ["sh", "-c", WAIT], False]]}]], []])
soon("the service runs", lambda: prop(bus, "u72.service", "SubState") == "running")
main = prop(bus, "u72.service", "MainPID", SD + ".Service")
identity = prop(bus, "u72.scope", "InvocationID")
clients = Clients()
clients.start()
for _ in range(ROUNDS):
    before = inode_of(pid)
    install("/payload/bin/cgarbiterd")
    manager(bus, "Reexecute")
    soon("the new program runs", lambda: inode_of(pid) != before)
    bus.close()
    bus = OWN.bus()
    same("TasksMax", 72, prop(bus, "u72.scope", "TasksMax", SD + ".Scope"))
    same("the identity", identity, prop(bus, "u72.scope", "InvocationID"))
    same("SubState", "running", prop(bus, "u72.scope", "SubState"))
    same("MainPID", main, prop(bus, "u72.service", "MainPID", SD + ".Service"))
# One that does not start.
install("/bin/false")
text = refused("a program that does not start", DBUS + ".Failed", manager, bus, "Reexecute")
same("it is named", True, PROGRAM + " --check-config: exit status: 1" in text)
same("the old program serves on", "running", prop(bus, "u72.scope", "SubState"))
install("/payload/bin/cgarbiterd")
clients.on = False
clients.join()
if clients.lost:
    fail("%d of %d clients were not answered: %s" % (len(clients.lost), clients.answered, clients.lost[0]))
print("SHOW: %d clients answered across %d upgrades" % (clients.answered, ROUNDS))
# The children are still ours: how the service ends is known.
open(HERE + "/end", "w").close()
soon("the service has failed", lambda: prop(bus, "u72.service", "ActiveState") == "failed")
same("ExecMainStatus", 7, prop(bus, "u72.service", "ExecMainStatus", SD + ".Service"))
manager(bus, "ResetFailed")
manager(bus, "StopUnit", "ss", ["u72.scope", "replace"])
sleeper.wait()
manager(bus, "StopUnit", "ss", ["u.slice", "replace"])
soon("the slice is gone", lambda: not os.path.exists(OWN.top + "/u.slice"))
OWN.end()
shutil.rmtree(HERE)
