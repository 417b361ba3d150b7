# Pids of processes that are gone, never were, or cannot be moved; lists that are empty or missing; a pid that dies while
# the request is on its way.
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

bus = Bus()
UNKNOWN = DBUS + ".UnixProcessIdUnknown"
INVALID = DBUS + ".InvalidArgs"
dead = subprocess.Popen(["true"])
dead.wait()
alive = subprocess.Popen(["sleep", "1000"])


def start(*properties):
    return manager(bus, "StartTransientUnit", START, ["d42.scope", "fail", list(properties), []])


for want, pids in ((UNKNOWN, [dead.pid]), (UNKNOWN, [dead.pid, alive.pid]), (UNKNOWN, [alive.pid, dead.pid]),
                   (UNKNOWN, [4194303]), (INVALID, [4294967295]), (INVALID, [2147483648]), (INVALID, [2]), (INVALID, [])):
    refused("PIDs=%r" % pids, want, start, ["PIDs", {"au": pids}])
    same("loaded after PIDs=%r" % pids, False, loaded(bus, "d42.scope"))
refused("no PIDs at all", DBUS + ".FileNotFound", start)
with open("/proc/%d/cgroup" % alive.pid) as f, open("/proc/self/cgroup") as own:
    same("the living one was not moved", own.read(), f.read())

# A zombie has a pid but no cgroup to be moved to; a process that dies meanwhile is somewhere between. Whatever comes of
# it, nobody waits for ever and nothing stays.
zombie = subprocess.Popen(["true"])
time.sleep(0.3)
try:
    start(["PIDs", {"au": [zombie.pid]}], ["CollectMode", {"s": "inactive-or-failed"}])
except DBusError:
    pass
zombie.wait()
if SYSTEMD and loaded(bus, "d42.scope"):
    # systemd waits for a notice that never comes: the kernel does not move what is already dead.
    end_unit(bus, "d42.scope")
soon("the scope of a zombie is unloaded", lambda: not loaded(bus, "d42.scope"))
for i in range(20):
    racer = subprocess.Popen(["sleep", "0.0%02d" % (i * 3)])
    try:
        start(["PIDs", {"au": [racer.pid]}], ["CollectMode", {"s": "inactive-or-failed"}])
    except DBusError as e:
        if e.name not in (UNKNOWN, SD + ".UnitExists"):
            fail("a process that dies meanwhile: %s" % e)
    racer.wait()
    soon("the scope of a process that died is unloaded", lambda: not loaded(bus, "d42.scope"))

refused("GetUnitByPID of a dead one", SD + ".NoUnitForPID", manager, bus, "GetUnitByPID", "u", [dead.pid])
alive.kill()
alive.wait()
answers("dead pids")
