# Wrongly typed, out-of-range, unknown and not now settable properties are refused; nothing is half done.
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

bus = Bus()
ENXIO = "System.Error.ENXIO"
INVALID = DBUS + ".InvalidArgs"
READ_ONLY = DBUS + ".PropertyReadOnly"
sleeper = subprocess.Popen(["sleep", "1000"])


def start(*properties):
    more = [["PIDs", {"au": [sleeper.pid]}], ["Slice", {"s": "q41.slice"}]]
    return manager(bus, "StartTransientUnit", START, ["q41.scope", "fail", more + list(properties), []])


def set_(*properties):
    return manager(bus, "SetUnitProperties", "sba(sv)", ["q41live.scope", True, list(properties)])


live = start_scope(bus, "q41live.scope", [["Slice", {"s": "q41.slice"}], ["MemoryMax", {"t": 50 << 20}],
                                          ["TasksMax", {"t": 41}]])
at = CG + "/q41.slice/q41live.scope/"


def files():
    return [open(at + f).read() for f in ("memory.max", "memory.high", "pids.max")]


before = files()
wrong_type = [["MemoryMax", {"s": "64M"}], ["MemoryMax", {"u": 5}], ["CPUWeight", {"u": 100}],
              ["TasksMax", {"s": "infinity"}], ["AllowedCPUs", {"s": "0"}], ["AllowedCPUs", {"au": [0]}],
              ["IOWeight", {"x": 5}], ["DeviceAllow", {"as": []}], ["CPUAccounting", {"s": "yes"}]]
out_of_range = [["CPUWeight", {"t": 20000}], ["TasksMax", {"t": 0}], ["IOWeight", {"t": 0}],
                ["MemoryMax", {"t": 0}], ["CPUQuotaPerSecUSec", {"t": 0}], ["DevicePolicy", {"s": "bogus"}]]
unknown = [["Nope", {"s": "x"}], ["", {"s": ""}], ["memorymax", {"t": 5}], ["ActiveState", {"s": "active"}],
           ["MemoryCurrent", {"t": 5}], ["ControlGroup", {"s": "/x"}]]
for wants, properties in ((ENXIO, wrong_type), (INVALID, out_of_range), (READ_ONLY, unknown)):
    for p in properties:
        text = refused("start with %r" % p, wants, start, p)
        same("loaded after %r" % p, False, loaded(bus, "q41.scope"))
        refused("set %r" % p, wants, set_, p)
        # A good property in front of the bad one is not applied either.
        refused("set a good one and %r" % p, wants, set_, ["MemoryHigh", {"t": 30 << 20}], p)
        same("files after %r" % p, before, files())
        if wants == READ_ONLY:
            same("the text", "Cannot set property %s, or unknown property." % p[0], text)
for p in (["Slice", {"s": "other.slice"}], ["PIDs", {"au": [sleeper.pid]}], ["Delegate", {"b": True}],
          ["KillMode", {"s": "process"}]):
    refused("set %r at run time" % p, READ_ONLY, set_, p)
# systemd looks at the value; we have no such programs, and crun knows by this error that it has to attach its own.
refused("BPFProgram", INVALID if SYSTEMD else READ_ONLY, start, ["BPFProgram", {"a(ss)": [["device", "x"]]}])
refused("Delegate on a slice", INVALID, manager, bus, "StartTransientUnit", START,
        ["q41-d.slice", "fail", [["Delegate", {"b": True}]], []])
same("files in the end", before, files())
same("MemoryHigh in the end", 2 ** 64 - 1, prop(bus, "q41live.scope", "MemoryHigh", SD + ".Scope"))
sleeper.kill()
sleeper.wait()
end_unit(bus, "q41live.scope", live)
end_unit(bus, "q41.slice")
answers("bad properties")
