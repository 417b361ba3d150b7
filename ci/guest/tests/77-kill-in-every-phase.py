# limit: 400 s
# The daemon is killed with SIGKILL in each phase of a service's life and started again. The service is then what it
# was, or what became of it in the meantime; it can be stopped, and started again; and there are never two of it.
import signal
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

if SYSTEMD:
    sys.exit(0)
OWN = OwnDaemon("phase77")
TOP, FILES = OWN.top, OWN.files
SERVICE = SD + ".Service"


def command(step):
    """Says that it has begun, holds the lock of its step while it runs, and says so if somebody else holds it."""
    script = FILES + "/step"
    return ["a(sasb)", [[script, [script, step], False]]]


# What each command does: `main` runs until it is told to end, the others for as long as their step's file says.
SCRIPT = """#!/bin/sh
cd %s
echo $$ >>began.$1
exec 9>lock.$1
flock -n 9 || { echo "$1 $$" >>second; exit 9; }
case $1 in
main) trap 'exit 0' TERM; while :; do sleep 0.05; done ;;
*) [ ! -e slow.$1 ] || sleep 5 ;;
esac
""" % FILES


def began(step):
    try:
        return len(open(FILES + "/began." + step).read().split())
    except FileNotFoundError:
        return 0


def slow(step, wanted=True):
    path = FILES + "/slow." + step
    if wanted:
        open(path, "w").close()
    elif os.path.exists(path):
        os.remove(path)


def look(bus, unit):
    return prop(bus, unit, "ActiveState"), prop(bus, unit, "SubState")


def properties(**more):
    steps = {"ExecStartPre": "pre", "ExecStart": "main", "ExecStartPost": "post", "ExecReload": "reload",
             "ExecStop": "stop", "ExecStopPost": "stop-post"}
    every = [[name, {command(step)[0]: command(step)[1]}] for name, step in steps.items()]
    return every + [[name, value] for name, value in more.items()]


def start(bus, unit, **more):
    manager(bus, "StartTransientUnit", START, [unit, "fail", properties(**more), []])


def processes(unit):
    try:
        return [int(pid) for pid in open("%s/system.slice/%s/cgroup.procs" % (TOP, unit))]
    except FileNotFoundError:
        return []


def kill_daemon(away=0.3):
    global bus
    OWN.kill()
    bus.close()
    time.sleep(away)
    bus = OWN.start()


def ask(verb, unit):
    manager(bus, verb, "ss", [unit, "replace"])


def reach_start(unit):
    start(bus, unit)


def reach_running(unit):
    start(bus, unit)
    soon(unit + " runs", lambda: look(bus, unit)[1] == "running")


def reach_reload(unit):
    reach_running(unit)
    ask("ReloadUnit", unit)


def reach_stop(unit):
    reach_running(unit)
    ask("StopUnit", unit)


def reach_restart(unit):
    start(bus, unit, Restart={"s": "always"}, RestartUSec={"t": 4000000})
    soon(unit + " runs", lambda: look(bus, unit)[1] == "running")
    os.kill(prop(bus, unit, "MainPID", SERVICE), signal.SIGKILL)
    soon(unit + " waits", lambda: look(bus, unit)[1] == "auto-restart")


RUNS, OVER, FAILED = ("active", "running"), ("inactive", "dead"), ("failed", "failed")
# Before Linux 6.15 nobody tells how a process ended that is no child of the daemon; a command that ends after the
# restart has then failed, with the result `protocol`, and what follows a failure follows.
TOLD = tuple(int(number) for number in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 15)
# The phase as its states are called; what leads there; the command in the middle of which the daemon is killed; what
# becomes of it; and how often each command has been run in the end, where it is not once each and no reload.
PHASES = [
    (("activating", "start-pre"), reach_start, "pre", RUNS, {}),
    (("activating", "start-post"), reach_start, "post", RUNS, {}),
    (("active", "running"), reach_running, None, RUNS, {}),
    (("reloading", "reload"), reach_reload, "reload", RUNS, {"reload": 1}),
    (("deactivating", "stop"), reach_stop, "stop", OVER, {}),
    (("deactivating", "stop-post"), reach_stop, "stop-post", OVER, {}),
    (("activating", "auto-restart"), reach_restart, None, RUNS, {"pre": 2, "main": 2, "post": 2, "stop-post": 2}),
]
STEPS = ["pre", "main", "post", "reload", "stop", "stop-post"]


def go_through(states, reach, step, becomes, runs):
    phase = states[1]
    unit = "p-%s.service" % phase
    before = {name: began(name) for name in STEPS}
    if step:
        slow(step)
    reach(unit)
    if step:
        soon(phase + ": its command has begun", lambda: began(step) > before[step])
    soon(phase + " is reached", lambda: look(bus, unit) == states)
    main = prop(bus, unit, "MainPID", SERVICE)
    kill_daemon()
    same(phase + ", after the restart of the daemon", states, look(bus, unit))
    same(phase + ": its main process", main, prop(bus, unit, "MainPID", SERVICE))
    if step:
        slow(step, False)
    allowed = [becomes] if TOLD or not step else [becomes, FAILED]
    soon("%s: becomes %s" % (phase, allowed), lambda: look(bus, unit) in allowed)
    became = look(bus, unit)
    if became == FAILED:
        same(phase + ": why it failed", "protocol", prop(bus, unit, "Result", SERVICE))
        manager(bus, "ResetFailedUnit", "s", [unit])
    if became == RUNS:
        if phase in ("start-post", "running", "reload"):
            same(phase + ": its main process, later", main, prop(bus, unit, "MainPID", SERVICE))
        ask("StopUnit", unit)
        soon(phase + " is over", lambda: look(bus, unit)[0] in ("inactive", "failed"))
    soon(phase + ": nothing is left", lambda: not os.path.exists(TOP + "/system.slice/" + unit))
    for name in STEPS:
        wanted = runs.get(name, 0 if name == "reload" else 1)
        often = began(name) - before[name]
        if became == becomes or often > wanted:
            same("%s: how often %s was run" % (phase, name), wanted, often)
    if os.path.exists(FILES + "/second"):
        fail("%s: two at once: %s" % (phase, open(FILES + "/second").read()))
    return "%s: %s" % (phase, became[1])


with open(FILES + "/step", "w") as file:
    file.write(SCRIPT)
os.chmod(FILES + "/step", 0o755)
bus = OWN.start()
became = [go_through(*row) for row in PHASES]
print("SHOW: killed in, and then: " + ", ".join(became))
OWN.end()
