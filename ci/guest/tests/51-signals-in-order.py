# The reply comes before JobRemoved, the process is in place and limited when the reply comes, JobRemoved reaches the
# caller without Subscribe, and UnitNew comes before UnitRemoved.
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

for kind in (Bus, PeerBus):
    bus = kind()
    if kind is Bus:
        bus.add_match("type='signal',sender='%s'" % SD)
    sleeper = subprocess.Popen(["sleep", "1000"])
    serial = bus._send(SD, ROOT, MANAGER, "StartTransientUnit", START,
                       ["o51.scope", "fail", [["PIDs", {"au": [sleeper.pid]}], ["Slice", {"s": "o51.slice"}],
                                              ["TasksMax", {"t": 51}]], []])
    order = []
    arrived = bus._parse

    def parse():
        m = arrived()
        if m is not None:
            # Of the signals, those about the scope: its slice has a job of its own.
            if m.reply_serial == serial:
                order.append("reply")
            elif "o51.scope" in m.body:
                order.append(m.member)
        return m
    bus._parse = parse

    def arrives(member):
        bus.pump(0.1)
        return member in order
    job = bus.wait_reply(serial)[1][0]
    soon("JobRemoved", lambda: arrives("JobRemoved"))
    if order.index("reply") > order.index("JobRemoved"):
        fail("JobRemoved came before the reply: %r" % order)
    removed = [m.body for m in bus.signals if m.member == "JobRemoved" and m.body[1] == job]
    same("JobRemoved of this job", [["o51.scope", "done"]], [b[2:] for b in removed])
    same("the process is there", "%d\n" % sleeper.pid, open(CG + "/o51.slice/o51.scope/cgroup.procs").read())
    same("with its limit", "51\n", open(CG + "/o51.slice/o51.scope/pids.max").read())
    if kind is PeerBus:
        bus.take_signals()
        end_unit(bus, "o51.scope", sleeper)
        soon("UnitRemoved", lambda: arrives("UnitRemoved"))
        if order.index("UnitNew") > order.index("UnitRemoved"):
            fail("UnitRemoved came before UnitNew: %r" % order)
    else:
        end_unit(bus, "o51.scope", sleeper)
    bus.close()
bus = Bus()
end_unit(bus, "o51.slice")
