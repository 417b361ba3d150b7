# limit: 240 s
# Clients that vanish in the middle of a call, that never read what they asked for, and that hold references.
import signal
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

bus = Bus()
manager(bus, "Subscribe")
before = len(os.listdir("/proc/%d/fd" % manager_pid()))

# Gone before the reply: the scope is started all the same (its process asked for nothing else), or not; but nothing hangs.
sleepers = []
for i in range(30):
    p = subprocess.Popen(["sleep", "1000"])
    sleepers.append(p)
    text = message("StartTransientUnit", START,
                   ["w47-%d.scope" % i, "fail", [["PIDs", {"au": [p.pid]}], ["Slice", {"s": "w47.slice"}]], []])
    s = authenticated_private()
    s.sendall(text)
    s.close()
answers("thirty clients that did not wait")
for p in sleepers:
    p.kill()
    p.wait()
soon("their scopes are unloaded", lambda: not [r for r in manager(bus, "ListUnits")[0] if r[0].startswith("w47-")], 30)

# One that asks for the longest answer a thousand times and never reads; others are answered without delay.
deaf = authenticated_private()
deaf.setblocking(False)
sent = 0
for serial in range(1, 1001):
    try:
        sent += deaf.send(message("ListUnits", serial=serial))
    except BlockingIOError:
        break
start = time.monotonic()
answers("a client that does not read")
scope = start_scope(bus, "w47live.scope", [["Slice", {"s": "w47.slice"}]])
end_unit(bus, "w47live.scope", scope)
if time.monotonic() - start > 30:
    fail("with a client that does not read, others waited %.1f s" % (time.monotonic() - start))
deaf.close()

# A reference keeps a scope that is over; it ends with the connection of who holds it.
child = os.fork()
if child == 0:
    mine = Bus()
    p = subprocess.Popen(["sleep", "1000"])
    manager(mine, "StartTransientUnit", START,
            ["w47ref.scope", "fail", [["PIDs", {"au": [p.pid]}], ["AddRef", {"b": True}], ["Slice", {"s": "w47.slice"}]], []])
    soon("w47ref.scope is active", lambda: prop(mine, "w47ref.scope", "ActiveState") == "active")
    p.kill()
    p.wait()
    time.sleep(1000)
soon("w47ref.scope is over", lambda: loaded(bus, "w47ref.scope") and prop(bus, "w47ref.scope", "ActiveState") == "inactive", 20)
time.sleep(1)
same("it is kept", True, loaded(bus, "w47ref.scope"))
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
soon("it is unloaded when its holder has gone", lambda: not loaded(bus, "w47ref.scope"))

# The same for the owner of a scope: without its controller the scope is stopped by signal, not by request.
owner = Bus()
p = start_scope(owner, "w47own.scope", [["Controller", {"s": owner.name}], ["Slice", {"s": "w47.slice"}]])
same("Controller", owner.name, prop(bus, "w47own.scope", "Controller", SD + ".Scope"))
owner.close()
soon("the controller is forgotten", lambda: prop(bus, "w47own.scope", "Controller", SD + ".Scope") == "")
end_unit(bus, "w47own.scope", p)
end_unit(bus, "w47.slice")
soon("the descriptors are closed", lambda: len(os.listdir("/proc/%d/fd" % manager_pid())) <= before + 1, 20)
answers("vanished clients")
