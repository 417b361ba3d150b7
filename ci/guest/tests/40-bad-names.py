# Malformed and impossible unit names are refused by every method, with systemd's error names, and change nothing.
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

bus = Bus()
sleeper = subprocess.Popen(["sleep", "1000"])
pids = ["PIDs", {"au": [sleeper.pid]}]


def start(name, *properties):
    return manager(bus, "StartTransientUnit", START, [name, "fail", [pids] + list(properties), []])


malformed = ["", "x", "x.foo", "a/b.scope", "a b.scope", "\u00e9.scope", ".scope", "a.scope.", "a*.scope", "a%i.scope",
             "a$.scope", "x" * 250 + ".scope", "../../a.scope", "a\n.scope", "n40@.scope", "n40@i.scope"]
for name in malformed:
    refused("StartTransientUnit %r" % name, DBUS + ".InvalidArgs", start, name)
    if name:
        refused("GetUnit %r" % name, SD + ".NoSuchUnit", manager, bus, "GetUnit", "s", [name])
        refused("KillUnit %r" % name, SD + ".NoSuchUnit", manager, bus, "KillUnit", "ssi", [name, "all", 9])
        if name != "n40@i.scope":
            refused("StopUnit %r" % name, DBUS + ".InvalidArgs", manager, bus, "StopUnit", "ss", [name, "replace"])
            refused("RefUnit %r" % name, DBUS + ".InvalidArgs", manager, bus, "RefUnit", "s", [name])
            refused("SetUnitProperties %r" % name, DBUS + ".InvalidArgs", manager, bus, "SetUnitProperties", "sba(sv)",
                    [name, True, [["TasksMax", {"t": 5}]]])
for slice_ in ["", "n40", "n40.scope", "n40--x.slice", "n40@i.slice", "n40/x.slice", "nonslice.service"]:
    refused("Slice=%r" % slice_, DBUS + ".InvalidArgs", start, "n40.scope", ["Slice", {"s": slice_}])
    same("loaded after Slice=%r" % slice_, False, loaded(bus, "n40.scope"))
for name in ["n40--b.slice", "n40-.slice", "-n40.slice"]:
    refused("the slice %r" % name, SD + ".UnitExists", manager, bus, "StartTransientUnit", START, [name, "fail", [], []])
refused("a slice with a Slice", DBUS + ".InvalidArgs", manager, bus, "StartTransientUnit", START,
        ["n40-b.slice", "fail", [["Slice", {"s": "n40.slice"}]], []])

with open("/proc/%d/cgroup" % sleeper.pid) as f, open("/proc/self/cgroup") as own:
    same("the process was not moved", own.read(), f.read())
sleeper.kill()
sleeper.wait()
answers("malformed names")
