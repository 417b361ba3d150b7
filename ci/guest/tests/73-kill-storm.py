# limit: 1200 s
# A daemon of its own, below a group of its own, is killed with SIGKILL at random instants under a load of starts, stops,
# changes, ends and forks, STORM_KILLS times (60). After each new start every unit, limit and process is as was
# promised: what was answered has happened, what was not has happened whole or not at all, and nobody was moved or lost.
import random
import signal
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

if SYSTEMD:
    sys.exit(0)
KILLS = int(os.environ.get("STORM_KILLS", "60"))
SEED = int(os.environ.get("STORM_SEED", "73"))
OWN = OwnDaemon("storm73")
SLICES = ["st.slice", "st-a.slice", "st-a-b.slice", "su.slice"]
choice = random.Random(SEED)


class Scope:
    """What the daemon was asked for, and what it has promised of that."""

    def __init__(self, name, slice_name, tasks, process):
        self.name, self.process = name, process
        self.tasks = {tasks}
        parts = slice_name[:-6].split("-")
        levels = ["-".join(parts[:i + 1]) + ".slice" for i in range(len(parts))]
        self.path = OWN.top + "/" + "/".join(levels) + "/" + name
        self.promised, self.stopping, self.ended = False, False, False

    def alive(self):
        return self.process.poll() is None

    def pids(self):
        try:
            return [int(line) for line in open(self.path + "/cgroup.procs")]
        except FileNotFoundError:
            return []


def marked(directory):
    try:
        return "user.invocation_id" in os.listxattr(directory)
    except FileNotFoundError:
        return False


def own_group(pid):
    return [line[3:].strip() for line in open("/proc/%d/cgroup" % pid) if line.startswith("0::")][0]


scopes, number = {}, 0
HOME = own_group(os.getpid())


def ask_start(bus):
    global number
    number += 1
    command = choice.choice(["exec sleep 1000", "sleep 1000 & wait", "while sleep 0.2; do true & wait; done"])
    process = subprocess.Popen(["sh", "-c", command])
    name, slice_name, tasks = "k%d.scope" % number, choice.choice(SLICES), choice.randint(10, 99)
    scopes[name] = scope = Scope(name, slice_name, tasks, process)
    properties = [["PIDs", {"au": [process.pid]}], ["Slice", {"s": slice_name}], ["TasksMax", {"t": tasks}],
                  ["TimeoutStopUSec", {"t": 5000000}]]
    serial = bus._send(SD, ROOT, MANAGER, "StartTransientUnit", START, [name, "fail", properties, []])
    return serial, "start", scope, None


def ask_change(bus, scope):
    tasks = choice.randint(100, 999)
    properties = [["TasksMax", {"t": tasks}]]
    serial = bus._send(SD, ROOT, MANAGER, "SetUnitProperties", "sba(sv)", [scope.name, True, properties])
    return serial, "change", scope, tasks


def ask_stop(bus, scope):
    scope.stopping = True
    return bus._send(SD, ROOT, MANAGER, "StopUnit", "ss", [scope.name, "replace"]), "stop", scope, None


def ask_something(bus):
    up = [s for s in scopes.values() if s.promised and not s.stopping and not s.ended]
    what = choice.random()
    if len(up) < 4 or what < 0.35 and len(up) < 20:
        return ask_start(bus)
    scope = choice.choice(up)
    if what < 0.6:
        return ask_change(bus, scope)
    if what < 0.85:
        return ask_stop(bus, scope)
    scope.ended = True
    for pid in scope.pids():
        os.kill(pid, signal.SIGKILL)
    return None


def hear(bus, asked):
    """What was answered before the daemon died."""
    try:
        while bus.pump(1):
            pass
    except OSError:
        pass
    for serial, what, scope, tasks in asked:
        reply = bus.replies.get(serial)
        if reply is not None and reply.type == 3 and not (scope.stopping or scope.ended):
            fail("%s of %s was refused: %s %s" % (what, scope.name, reply.error, reply.body))
        done = reply is not None and reply.type == 2
        if what == "start":
            scope.promised = done
        elif what == "change":
            scope.tasks = {tasks} if done else scope.tasks | {tasks}


def state(bus, scope):
    try:
        return prop(bus, scope.name, "ActiveState")
    except DBusError:
        return "gone"


def check_scope(bus, scope, round_number):
    where = "kill %d, %s" % (round_number, scope.name)
    if scope.stopping or scope.ended:
        soon(where + " is settled", lambda: state(bus, scope) in ("active", "inactive", "failed", "gone"))
    if state(bus, scope) == "active":
        if scope.ended:
            soon(where + " has ended", lambda: state(bus, scope) != "active")
            return forget(bus, scope, where)
        if not scope.alive() or scope.process.pid not in scope.pids():
            fail(where + ": active, but its process is not in it")
        value = int(open(scope.path + "/pids.max").read())
        if value not in scope.tasks or value != prop(bus, scope.name, "TasksMax", SD + ".Scope"):
            fail("%s: pids.max %d, TasksMax %r, asked for %r" % (
                where, value, prop(bus, scope.name, "TasksMax", SD + ".Scope"), scope.tasks))
        scope.tasks, scope.promised, scope.stopping = {value}, True, False
        return None
    if scope.promised and not (scope.stopping or scope.ended):
        fail("%s: was promised, is %s" % (where, state(bus, scope)))
    return forget(bus, scope, where)


def forget(bus, scope, where):
    """It is over, or has never been: whole, in either case."""
    if not scope.promised and not scope.ended:
        if not scope.alive():
            fail(where + ": the process of a start that never was has died")
        if own_group(scope.process.pid) != HOME:
            fail("%s: not known, but its process is in %s" % (where, own_group(scope.process.pid)))
        scope.process.kill()
    elif scope.alive():
        soon(where + ": its process is gone, too", lambda: not scope.alive())
    scope.process.wait()
    soon(where + ": its cgroup is gone", lambda: not os.path.exists(scope.path))
    del scopes[scope.name]


switched = Switched("pids", "memory", "cpu")
start = time.monotonic()
bus = OWN.start()
for round_number in range(1, KILLS + 1):
    asked = [a for a in (ask_something(bus) for _ in range(choice.randint(1, 6))) if a]
    time.sleep(choice.random() ** 2 * 0.06)
    OWN.kill()
    hear(bus, asked)
    bus.close()
    bus = OWN.start()
    for scope in list(scopes.values()):
        check_scope(bus, scope, round_number)
print("SHOW: %d kills in %d s, %d scopes in all, %d at the end" % (
    KILLS, time.monotonic() - start, number, len(scopes)))
for scope in list(scopes.values()):
    manager(bus, "StopUnit", "ss", [scope.name, "replace"])
for scope in list(scopes.values()):
    soon(scope.name + " has ended", lambda: not scope.alive())
for slice_name in ("st.slice", "su.slice"):
    manager(bus, "StopUnit", "ss", [slice_name, "replace"])
# A slice whose mark was not yet on it when the daemon died is left to whoever made it: empty, and told.
soon("nothing of ours is left", lambda: not [
    d for d in os.listdir(OWN.top) if d.startswith(("st", "su")) and d.endswith(".slice") and marked(OWN.top + "/" + d)])
OWN.end()
switched.back()
