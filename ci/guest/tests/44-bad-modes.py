# Job modes: unknown ones and those which do not fit are refused at once (checklist T45), on the bus and privately.
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

INVALID = DBUS + ".InvalidArgs"
sleeper = subprocess.Popen(["sleep", "1000"])
for bus in (Bus(), PeerBus()):
    scope = start_scope(bus, "j44.scope", [["Slice", {"s": "j44.slice"}]])
    for mode in ("bogus", "", "FAIL", "restart-dependencies"):
        start = time.monotonic()
        refused("start, mode %r" % mode, INVALID, manager, bus, "StartTransientUnit", START,
                ["j44new.scope", mode, [["PIDs", {"au": [sleeper.pid]}]], []])
        if time.monotonic() - start > 5:
            fail("the refusal took %.1f s" % (time.monotonic() - start))
        same("loaded", False, loaded(bus, "j44new.scope"))
        refused("StopUnit, mode %r" % mode, INVALID, manager, bus, "StopUnit", "ss", ["j44.scope", mode])
    refused("StartUnit triggering", INVALID, manager, bus, "StartUnit", "ss", ["j44.slice", "triggering"])
    refused("StartUnit isolate", SD + ".NoIsolation", manager, bus, "StartUnit", "ss", ["j44.slice", "isolate"])
    refused("KillUnit of whom", INVALID, manager, bus, "KillUnit", "ssi", ["j44.scope", "nobody", 15])
    refused("KillUnit with a signal that is none", INVALID, manager, bus, "KillUnit", "ssi", ["j44.scope", "all", 4711])
    refused("CancelJob that is none", SD + ".NoSuchJob", manager, bus, "CancelJob", "u", [4000000])
    same("it still runs", "running", prop(bus, "j44.scope", "SubState"))
    end_unit(bus, "j44.scope", scope)
    end_unit(bus, "j44.slice")
sleeper.kill()
sleeper.wait()
answers("bad modes")
