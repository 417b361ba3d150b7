"""Writes persistent settings until the power goes; looks first at what the last boot has left of them.

Setting N is made on slice N mod 8 as TasksMax=1000+N, and the Nth is asked for only after the one before was answered.
What was answered must be there after the cut, as a whole; of the one that was under way either the old or the new.
"""
import glob
import random
import signal
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

SETTINGS = dict(line.strip().split("=", 1) for line in open("/payload/settings"))
STORE = "/run/store"
OWN = OwnDaemon("power-cut", files=STORE, root=False, log="/run/log")
SLICES = 8


def files():
    return glob.glob(STORE + "/**/cut*.slice.d/*.conf", recursive=True)


def value_of(file):
    text = open(file).read()
    lines = [line for line in text.splitlines() if line.startswith("TasksMax=")]
    if len(lines) != 1 or "[Slice]" not in text or not text.endswith("\n"):
        fail("%s is torn: %r" % (file, text))
    return int(lines[0][9:])


def look(bus):
    """The number of the latest setting that is there."""
    latest = 0
    for file in files():
        name, value = file.split("/")[-2][:-2], value_of(file)
        number = value - 1000
        if "cut%d.slice" % (number % SLICES) != name:
            fail("%s holds a value of another slice: %d" % (file, value))
        told = prop(bus, name, "TasksMax", SD + ".Slice")
        if told != value:
            fail("%s: the file says %d, the daemon %r" % (name, value, told))
        latest = max(latest, number)
    return latest


bus = OWN.start()
found = look(bus)
# Every slice of the last round holds its latest value, not one of a round before.
for file in files():
    if found - (value_of(file) - 1000) >= SLICES:
        fail("%s is older than what was answered after it" % file)
print("found %d" % found, flush=True)
if SETTINGS["LAST"] == "true":
    OWN.process.terminate()
    OWN.process.wait()
    sys.exit(0)
choice = random.Random(int(SETTINGS["CUT"]))
end = time.monotonic() + choice.uniform(0.5, 2.0)
number = found


def cut(*_):
    open("/proc/sysrq-trigger", "w").write("b")


open("/proc/sys/kernel/sysrq", "w").write("1")
signal.signal(signal.SIGALRM, cut)
signal.setitimer(signal.ITIMER_REAL, choice.uniform(0.5, 2.0))
while time.monotonic() < end + 10:
    number += 1
    manager(bus, "SetUnitProperties", "sba(sv)",
            ["cut%d.slice" % (number % SLICES), False, [["TasksMax", {"t": 1000 + number}]]])
    print("wrote %d" % number, flush=True)
fail("the power did not go")
