# limit: 900 s
# A thousand reloads while others start and stop. What only stands by is not written to, not even once: the trace of all
# that the daemon did names none of it, and values written by hand into its files, delegated or not, are there afterwards.
import re
import sys
import threading
sys.path.insert(0, "/payload/guest")
from lib import *

if SYSTEMD:
    sys.exit(0)
RELOADS = 1000
TRACE = "/run/reload76/trace"
OWN = OwnDaemon("reload76", options=["--record", TRACE])
TOP = OWN.top
UNITS = OWN.files + "/etc/cgarbiter/units"


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    return open(path).read().strip()


def job(bus, verb, unit):
    manager(bus, verb, "ss", [unit, "replace"])


def state(bus, unit):
    return prop(bus, unit, "ActiveState")


def reload_all(bus, times):
    for _ in range(times):
        manager(bus, "Reload")


# What stands by: services and slices from files, one of them delegated, and a transient scope.
os.makedirs(UNITS)
switched = Switched("pids", "memory", "cpu")
for number in range(20):
    write("%s/by%d.service" % (UNITS, number),
          "[Service]\nExecStart=/bin/sleep 10000\nSlice=by.slice\nMemoryHigh=64M\nCPUWeight=50\nTasksMax=70\n")
write(UNITS + "/by-delegated.service", "[Service]\nExecStart=/bin/sleep 10000\nSlice=by.slice\nDelegate=yes\n")
write(UNITS + "/by.slice", "[Slice]\nTasksMax=5000\n")
# What comes and goes.
write(UNITS + "/go.service", "[Service]\nExecStart=/bin/sleep 10000\nSlice=go.slice\nMemoryMax=32M\n")
write(UNITS + "/go@.service", "[Service]\nType=oneshot\nExecStart=/bin/true\nSlice=go.slice\nTasksMax=9\n")
bus = OWN.start()
names = ["by%d.service" % number for number in range(20)] + ["by-delegated.service"]
for name in names:
    job(bus, "StartUnit", name)
sleeper = subprocess.Popen(["sleep", "10000"])
manager(bus, "StartTransientUnit", START,
        ["by-scope.scope", "fail", [["PIDs", {"au": [sleeper.pid]}], ["Slice", {"s": "by.slice"}],
                                    ["MemoryHigh", {"t": 1 << 26}]], []])
names.append("by-scope.scope")
for name in names:
    soon(name + " is up", lambda: state(bus, name) == "active")

# Written by hand: what a reload that writes would put back.
by_hand = {}
for name in names:
    for file, value in [("memory.high", "77594624"), ("pids.max", "123"), ("cpu.weight", "7")]:
        path = "%s/by.slice/%s/%s" % (TOP, name, file)
        if os.path.exists(path):
            write(path, value)
            by_hand[path] = value
inner = TOP + "/by.slice/by-delegated.service/inner"
os.mkdir(inner)
write(inner + "/cgroup.max.descendants", "5")
by_hand[inner + "/cgroup.max.descendants"] = "5"
if "memory" in read(TOP + "/cgroup.controllers") and len(by_hand) < 40:
    fail("only %d values could be written by hand" % len(by_hand))
before = os.path.getsize(TRACE)

# Alone: no plan at all.
reload_all(bus, 100)
alone = open(TRACE).read()[before:]
same("reloads in the trace", 100, len(re.findall(r"^[^ ].* Reload$", alone, re.M)))
same("plans of reloads alone", 0, len(re.findall(r"^  run ", alone, re.M)))

# Under load.
stop, cycles, load_failed = threading.Event(), [0], []
def load():
    try:
        own = OWN.bus()
        while not stop.is_set():
            cycles[0] += 1
            job(own, "StartUnit", "go.service")
            job(own, "StartUnit", "go@%d.service" % cycles[0])
            job(own, "RestartUnit", "go.service")
            job(own, "StopUnit", "go.service")
    except Exception as error:
        load_failed.append(error)
loader = threading.Thread(target=load)
loader.start()
reload_all(bus, RELOADS)
stop.set()
loader.join()
if load_failed:
    fail("the load: %r" % load_failed[0])
soon("go.service is down", lambda: state(bus, "go.service") == "inactive")
trace = open(TRACE).read()[before:]
same("reloads in the trace", 100 + RELOADS, len(re.findall(r"^[^ ].* Reload$", trace, re.M)))
steps = re.findall(r"^    (\S+) (\S+) (\S+) (.*)$", trace, re.M)
spoken_of = [step for step in steps if step[0].startswith("by") or "/by.slice" in step[3]]
if spoken_of:
    fail("%d steps for what only stood by, the first: %s" % (len(spoken_of), " ".join(spoken_of[0])))
causes = {step[1] for step in steps}
if not causes <= {"Start", "Stop", "Member", "Collect", "Failed", "Kill"}:
    fail("steps for other reasons than starts and stops: %s" % causes)
if cycles[0] < 20 or len(steps) < 200:
    fail("this was no load: %d cycles, %d steps" % (cycles[0], len(steps)))
for path, value in by_hand.items():
    same(path, value, read(path))
for name in names:
    same(name, "active", state(bus, name))
print("SHOW: %d reloads, %d starts and stops between them, %d values by hand" % (RELOADS, 5 * cycles[0], len(by_hand)))

os.rmdir(inner)
for name in names:
    job(bus, "StopUnit", name)
sleeper.wait()
job(bus, "StopUnit", "by.slice")
soon("nothing is left of by.slice", lambda: not os.path.exists(TOP + "/by.slice"))
job(bus, "StopUnit", "go.slice")
OWN.end()
switched.back()
