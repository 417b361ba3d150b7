# A unit that exists is not started a second time, whatever the mode; what runs is not disturbed.
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

bus = Bus()
first = start_scope(bus, "u43.scope", [["Slice", {"s": "u43.slice"}], ["TasksMax", {"t": 43}]])
other = subprocess.Popen(["sleep", "1000"])
for mode in ("fail", "replace", "ignore-dependencies"):
    text = refused("a second u43.scope, mode " + mode, SD + ".UnitExists", manager, bus, "StartTransientUnit", START,
                   ["u43.scope", mode, [["PIDs", {"au": [other.pid]}], ["TasksMax", {"t": 9}]], []])
    same("the text", "Unit u43.scope was already loaded or has a fragment file.", text)
same("TasksMax", "43\n", open(CG + "/u43.slice/u43.scope/pids.max").read())
same("its process", "%d\n" % first.pid, open(CG + "/u43.slice/u43.scope/cgroup.procs").read())
# Twenty requests for one name at once: one is done, all others are refused, everybody is answered.
sleepers = [subprocess.Popen(["sleep", "1000"]) for _ in range(20)]
serials = [bus._send(SD, ROOT, MANAGER, "StartTransientUnit", START,
                     ["u43race.scope", "fail", [["PIDs", {"au": [p.pid]}], ["Slice", {"s": "u43.slice"}]], []])
           for p in sleepers]
started, exists = 0, 0
for serial in serials:
    try:
        bus.wait_reply(serial)
        started += 1
    except DBusError as e:
        same("the losers' error", SD + ".UnitExists", e.name)
        exists += 1
same("winners and losers", (1, 19), (started, exists))
soon("the scope has its one process", lambda: open(CG + "/u43.slice/u43race.scope/cgroup.procs").read() == "%d\n" % sleepers[0].pid)
for p in sleepers + [other]:
    p.kill()
    p.wait()
end_unit(bus, "u43.scope", first)
soon("u43race.scope is unloaded", lambda: not loaded(bus, "u43race.scope"))
end_unit(bus, "u43.slice")
answers("duplicates")
