# Services that put themselves in the background: who is left is their main process, by guess or by its file,
# and how that ends is known. Whoever else is left behind and ends does not stay as a zombie.
import shutil
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

HERE = "/run/s80"
SERVICE = SD + ".Service"
PID_FILE = HERE + "/pid"
# Forks twice: its grandchild waits until it is to end, with the status in the file.
WAIT = "while ! [ -s %s/$0 ]; do sleep 0.1; done; exit $(cat %s/$0)" % (HERE, HERE)
TWICE = "(setsid sh -c '%s' %%s & %%s)" % WAIT
STRAYS = "i=0; while [ $i -lt 50 ]; do (sleep 0.3 &); i=$((i+1)); done; exec sleep 1000"


def start(bus, name, script, *more):
    properties = [["ExecStart", {"a(sasb)": [["/bin/sh", ["sh", "-c", script], False]]}]] + list(more)
    manager(bus, "StartTransientUnit", START, [name, "fail", properties, []])
    soon("%s is up" % name, lambda: prop(bus, name, "SubState") == "running")


def end(bus, name, status, result):
    main = prop(bus, name, "MainPID", SERVICE)
    if main == 0:
        fail("%s has no main process" % name)
    with open(HERE + "/" + name, "w") as file:
        file.write("%d\n" % status)
    soon("%s has ended" % name, lambda: prop(bus, name, "SubState") in ("exited", "failed"))
    same("status of " + name, [status, result],
         [prop(bus, name, "ExecMainStatus", SERVICE), prop(bus, name, "Result", SERVICE)])


def zombies(parent):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            state, above = open("/proc/%s/stat" % pid).read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state == "Z" and int(above) == parent:
            found.append(pid)
    return found


def check(bus, pid):
    forking, stays = ["Type", {"s": "forking"}], ["RemainAfterExit", {"b": True}]
    file = ["PIDFile", {"s": PID_FILE}]
    start(bus, "g80.service", TWICE % ("g80.service", ":"), forking)
    start(bus, "f80.service", TWICE % ("f80.service", "echo $! >" + PID_FILE), forking, file)
    start(bus, "m80.service", TWICE % ("m80.service", ":") + "; exec sleep 1000")
    end(bus, "g80.service", 7, "exit-code")
    end(bus, "f80.service", 8, "exit-code")
    start(bus, "w80.service", TWICE % ("w80.service", ":"), forking, stays)
    end(bus, "w80.service", 0, "success")
    start(bus, "z80.service", STRAYS)
    time.sleep(0.5)
    soon("nobody is left as a zombie", lambda: zombies(pid) == [])
    for name in "m80.service", "w80.service", "z80.service":
        manager(bus, "StopUnit", "ss", [name, "replace"])
        soon("%s is down" % name, lambda: prop(bus, name, "ActiveState") == "inactive")
    for name in "g80.service", "f80.service":
        manager(bus, "ResetFailedUnit", "s", [name])


shutil.rmtree(HERE, ignore_errors=True)
os.makedirs(HERE)
if SYSTEMD:
    check(PeerBus(), 1)
else:
    own = OwnDaemon("daemonised80")
    check(own.start(), own.process.pid)
    own.end()
