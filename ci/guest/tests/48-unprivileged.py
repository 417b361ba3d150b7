# Uid 1000 may look, and may change nothing: not on the bus, and the private socket does not let it in.
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

DENIED = DBUS + ".AccessDenied"
bus = Bus()
scope = start_scope(bus, "v48.scope", [["Slice", {"s": "v48.slice"}], ["TasksMax", {"t": 48}]])
user = Bus(uid=1000)
same("it may read", "active", prop(user, "v48.scope", "ActiveState"))
same("it may list", True, any(row[0] == "v48.scope" for row in manager(user, "ListUnits")[0]))
same("it may ask", unit_path("v48.scope"), manager(user, "GetUnitByPID", "u", [scope.pid])[0])
for member, sig, args in (
        ("StartTransientUnit", START, ["v48new.scope", "fail", [["PIDs", {"au": [scope.pid]}]], []]),
        ("StopUnit", "ss", ["v48.scope", "replace"]), ("KillUnit", "ssi", ["v48.scope", "all", 9]),
        ("SetUnitProperties", "sba(sv)", ["v48.scope", True, [["TasksMax", {"t": 5}]]]),
        ("FreezeUnit", "s", ["v48.scope"]), ("ResetFailed", "", []), ("Reload", "", [])):
    refused("%s by uid 1000" % member, DENIED, manager, user, member, sig, args)
same("TasksMax", "48\n", open(CG + "/v48.slice/v48.scope/pids.max").read())
same("it runs", "running", prop(bus, "v48.scope", "SubState"))

os.seteuid(1000)
try:
    s = raw_private()
    s.sendall(b"\0AUTH EXTERNAL 31303030\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n" + message("StopUnit", "ss", ["v48.scope", "replace"]))
    answer = s.recv(4096)
except OSError:
    answer = b""
finally:
    os.seteuid(0)
if b"/org/freedesktop/systemd1/job/" in answer:
    fail("uid 1000 stopped a scope over the private socket")
same("it still runs", "running", prop(bus, "v48.scope", "SubState"))
end_unit(bus, "v48.scope", scope)
end_unit(bus, "v48.slice")
answers("an unprivileged client")
