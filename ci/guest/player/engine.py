"""Executes vector steps against a bus serving org.freedesktop.systemd1 and a cgroup v2 tree.

run_step() returns the outcome of one step, diff() compares it with the recorded one.  The format is
described in vectors/systemd/README.md.
"""
import errno
import fnmatch
import glob
import json
import os
import re
import select
import signal
import stat
import time

import dbusmini
from dbusmini import Bus, DBusError

SD = "org.freedesktop.systemd1"
ROOT = "/org/freedesktop/systemd1"
MGR = SD + ".Manager"
UNIT = SD + ".Unit"
PROPS = "org.freedesktop.DBus.Properties"
JOB_RE = re.compile(r"^/org/freedesktop/systemd1/job/(\d+)$")
U64MAX = 2 ** 64 - 1

# keys of a step that are outcomes (everything else is input)
OUTCOME = {
    "call": ["reply", "error", "message"],
    "settle": ["job_new", "job_removed", "job_removed_order", "unit_new", "unit_removed", "request_stop", "pending"],
    "get": ["loaded", "props"],
    "cgroup": ["exists", "files", "procs", "owner"],
    "tree": ["dirs"],
    "proc": ["state", "cgroup"],
    "files": ["content"],
    "mkdir": ["errno"], "rmdir": ["errno"], "write": ["errno"], "move": ["errno"],
    "listing": ["units"],
    "cgtree": ["cgroups"],
}
INFORMATIVE = {"message"}
ACCOUNTING = {"MemoryCurrent", "MemoryPeak", "CPUUsageNSec", "TasksCurrent", "MemoryAvailable", "IPIngressBytes",
              "IPIngressPackets", "IPEgressBytes", "IPEgressPackets", "IOReadBytes", "IOReadOperations",
              "IOWriteBytes", "IOWriteOperations"}
PIDPROPS = {"MainPID", "ControlPID", "ExecMainPID"}
# lists without an order: kept sorted
UNORDERED = {"Names", "Requires", "Requisite", "Wants", "BindsTo", "PartOf", "Upholds", "RequiredBy", "RequisiteOf",
             "WantedBy", "BoundBy", "UpheldBy", "ConsistsOf", "Conflicts", "ConflictedBy", "Before", "After", "OnFailure",
             "OnFailureOf", "OnSuccess", "OnSuccessOf", "Triggers", "TriggeredBy", "PropagatesReloadTo",
             "ReloadPropagatedFrom", "PropagatesStopTo", "StopPropagatedFrom", "JoinsNamespaceOf", "SliceOf",
             "RequiresMountsFor", "DelegateControllers", "DisableControllers", "IPAddressAllow", "IPAddressDeny"}


def label_escape(s):
    if not s:
        return "_"
    out = []
    for i, b in enumerate(s.encode("utf-8", "surrogateescape")):
        c = chr(b)
        if ("a" <= c <= "z") or ("A" <= c <= "Z") or (i > 0 and "0" <= c <= "9"):
            out.append(c)
        else:
            out.append("_%02x" % b)
    return "".join(out)


def unit_path(name):
    return ROOT + "/unit/" + label_escape(name)


def iface_of(name):
    return SD + "." + name.rsplit(".", 1)[1].capitalize()


def errname(e):
    return errno.errorcode.get(e, str(e))


class Env:
    """What differs between machines."""

    def __init__(self, address=None, cgroup_root="/sys/fs/cgroup", file_root="", uid_address=None):
        self.address, self.cgroup_root, self.file_root = address, cgroup_root.rstrip("/"), file_root.rstrip("/")
        self.bus = Bus(address)
        self.ubus = None
        self.bus.add_match("type='signal',interface='%s'" % MGR)
        try:
            self.bus.call(ROOT, MGR, "Subscribe")
        except (DBusError, dbusmini.Timeout):
            pass
        self.facts = self.read_facts()
        self.origin_unit = None
        try:
            self.origin_unit = self.bus.call(ROOT, MGR, "GetUnitByPID", "u", [os.getpid()])[1][0]
        except (DBusError, dbusmini.Timeout):
            pass
        with open("/proc/self/cgroup") as f:
            own = [l.strip().split("::", 1)[1] for l in f if l.startswith("0::")]
        self.origin_cgroup = own[0] if own else "/"

    def user_bus(self):
        if self.ubus is None:
            self.ubus = Bus(self.address, uid=1000)
        return self.ubus

    def cg(self, path):
        return self.cgroup_root + ("" if path == "/" else path)

    def read_facts(self):
        f = {}
        with open("/proc/meminfo") as h:
            for l in h:
                if l.startswith("MemTotal:"):
                    f["mem_total_bytes"] = int(l.split()[1]) * 1024
                elif l.startswith("SwapTotal:"):
                    f["swap_total_bytes"] = int(l.split()[1]) * 1024
        f["page_size"] = os.sysconf("SC_PAGE_SIZE")
        f["cpus"] = os.sysconf("SC_NPROCESSORS_ONLN")
        f["kernel"] = os.uname().release
        f["uid_tests"] = 1000
        dev = "/dev/vda"
        try:
            st = os.stat(dev)
            f["blockdev"] = dev
            f["blockdev_majmin"] = "%d:%d" % (os.major(st.st_rdev), os.minor(st.st_rdev))
        except OSError:
            f["blockdev"], f["blockdev_majmin"] = "/dev/null-block", "0:0"
        for k in ("pid_max", "threads-max"):
            with open("/proc/sys/kernel/" + k) as h:
                f[k.replace("-", "_")] = int(h.read())
        for k in ("cgroup.controllers", "cgroup.subtree_control"):
            try:
                with open(self.cgroup_root + "/" + k) as h:
                    f["root_" + k.split(".")[1]] = " ".join(sorted(h.read().split()))
            except OSError:
                pass
        for p, k in (("Version", "manager_version"), ("SystemState", "system_state"), ("DefaultTasksMax", "default_tasks_max"),
                     ("DefaultTimeoutStopUSec", "default_timeout_stop_usec"),
                     ("DefaultMemoryAccounting", "default_memory_accounting"),
                     ("DefaultTasksAccounting", "default_tasks_accounting"),
                     ("DefaultCPUAccounting", "default_cpu_accounting"),
                     ("DefaultIOAccounting", "default_io_accounting"),
                     ("DefaultBlockIOAccounting", "default_blockio_accounting"),
                     ("DefaultIPAccounting", "default_ip_accounting")):
            try:
                v = self.bus.call(ROOT, PROPS, "Get", "ss", [MGR, p])[1][0]
                f[k] = next(iter(v.values()))
            except (DBusError, dbusmini.Timeout):
                pass
        return f


class Proc:
    def __init__(self, pid, agent=None):
        self.pid, self.status, self.agent = pid, None, agent

    def poll(self):
        if self.status is None:
            try:
                p, st = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.status = "gone"
                return self.status
            if p == self.pid:
                if os.WIFSIGNALED(st):
                    self.status = "signal:%d" % os.WTERMSIG(st)
                else:
                    self.status = "exit:%d" % os.WEXITSTATUS(st)
        return self.status

    def wait(self, t):
        end = time.monotonic() + t
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.003)
        return self.status


class Runner:
    """Runs the steps of one scenario."""

    def __init__(self, env, scenario):
        self.env, self.sc = env, scenario
        self.prefix = scenario["prefix"]
        self.bus = env.bus
        self.procs = {}
        self.jobs = []          # job ids in order of first appearance
        self.wrote_files = []
        self.bus.take_signals()

    # ---- symbols -------------------------------------------------------
    def subst(self, v):
        if isinstance(v, str):
            if not v.startswith("$"):
                return v
            if v.startswith("$pid:"):
                return self.procs[v[5:]].pid
            if v.startswith("$jobid"):
                return self.jobs[int(v[6:]) - 1]
            if v.startswith("$job"):
                return "%s/job/%d" % (ROOT, self.jobs[int(v[4:]) - 1])
            if v == "$blockdev":
                return self.env.facts["blockdev"]
            if v == "$busname":
                return self.bus.name
            if v.startswith("$main:"):
                return self.main_pid(v[6:])
            raise KeyError(v)
        if isinstance(v, list):
            return [self.subst(x) for x in v]
        if isinstance(v, dict):
            return {k: self.subst(x) for k, x in v.items()}
        return v

    def main_pid(self, unit):
        try:
            r = self.bus.call(unit_path(unit), PROPS, "Get", "ss", [SD + ".Service", "MainPID"])
            return next(iter(r[1][0].values()))
        except DBusError:
            return 0

    def job_sym(self, n):
        if n not in self.jobs:
            self.jobs.append(n)
        return self.jobs.index(n) + 1

    def norm(self, v, prop=None):
        if isinstance(v, str):
            m = JOB_RE.match(v)
            if m:
                return "$job%d" % self.job_sym(int(m.group(1)))
            if self.env.origin_unit and v == self.env.origin_unit:
                return "$origin_unit"
            if v == self.bus.name:
                return "$busname"
            if v == self.env.facts["blockdev"]:
                return "$blockdev"
            return v
        if isinstance(v, list):
            ids = [int(m.group(1)) for m in (JOB_RE.match(x) for x in v if isinstance(x, str)) if m]
            return ["$jobid%d" % self.job_sym(x) if type(x) is int and x in ids else self.norm(x) for x in v]
        if isinstance(v, dict):
            return {k: self.norm(x) for k, x in v.items()}
        return v

    def norm_prop(self, name, v):
        """v is {"sig": value}"""
        (sig, x), = v.items()
        if name in UNORDERED and isinstance(x, list):
            return {sig: sorted(x)}
        if name in ACCOUNTING:
            return {sig: "max" if x == U64MAX else "number"}
        if name in PIDPROPS:
            if x == 0:
                return {sig: 0}
            return {sig: self.pid_name(x)}
        if name.startswith("EffectiveCPUs") or name == "EffectiveMemoryNodes":
            return {sig: x}
        if name.endswith("Timestamp") or name.endswith("TimestampMonotonic") or name.endswith("Timestamp"):
            return {sig: 0 if x == 0 else "nonzero"}
        if name == "InvocationID":
            return {sig: "len:%d" % len(x)}
        if name == "TasksMax" and x == self.env.facts.get("default_tasks_max"):
            return {sig: "$default_tasks_max"}
        if name == "ControlGroupId":
            return {sig: 0 if x == 0 else "nonzero"}
        return {sig: self.norm(x)}

    def pid_name(self, pid):
        for n, p in self.procs.items():
            if p.pid == pid and p.status is None:
                return n
        return "?"

    def mine(self, unit):
        return self.prefix in unit

    # ---- ops -----------------------------------------------------------
    def run_step(self, st):
        return getattr(self, "op_" + st["op"])(st)

    def op_spawn(self, st):
        ign = [getattr(signal, "SIG" + s) for s in st.get("ignore", [])]
        uid = st.get("uid", 0)
        where = st.get("in")
        if where is not None:
            where = self.env.cg(where) + "/cgroup.procs"
        agent = None
        if st.get("agent"):
            a_r, a_w = os.pipe()
            b_r, b_w = os.pipe()
        secs = st.get("exit_after_ms")
        r_fd, w_fd = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(r_fd)
                for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
                    signal.signal(s, signal.SIG_DFL)
                for s in ign:
                    signal.signal(s, signal.SIG_IGN)
                if where is not None:
                    with open(where, "w") as f:
                        f.write("0")
                if uid:
                    os.setgroups([])
                    os.setgid(uid)
                    os.setuid(uid)
                if st.get("agent"):
                    os.close(a_w)
                    os.close(b_r)
                    os.write(w_fd, b"k")
                    os.close(w_fd)
                    self.agent_main(a_r, b_w, uid)
                    os._exit(0)
                os.set_inheritable(w_fd, False)
                os.write(w_fd, b"k")
                os.execv("/bin/sleep", ["sleep", "infinity" if secs is None else "%.3f" % (secs / 1000.0)])
            except BaseException:
                try:
                    os.write(w_fd, b"e")
                finally:
                    os._exit(111)
        os.close(w_fd)
        if st.get("agent"):
            os.close(a_r)
            os.close(b_w)
            agent = (a_w, os.fdopen(b_r, "r"))
        os.read(r_fd, 1)
        os.read(r_fd, 1)   # EOF: the exec happened (or the agent runs)
        os.close(r_fd)
        self.procs[st["proc"]] = Proc(pid, agent)
        return {}

    def agent_main(self, r, w, uid):
        bus = Bus(self.env.address, uid=uid)
        f = os.fdopen(r, "r")
        for line in f:
            q = json.loads(line)
            try:
                s, b = bus.call(q["path"], q["iface"], q["member"], q["sig"], q["args"])
                out = {"sig": s, "body": b}
            except DBusError as e:
                out = {"error": e.name, "message": e.message}
            except dbusmini.Timeout:
                out = {"error": "timeout", "message": ""}
            os.write(w, (json.dumps(out) + "\n").encode())

    def op_kill(self, st):
        p = self.procs[st["proc"]]
        try:
            os.kill(p.pid, st.get("sig", 9))
        except ProcessLookupError:
            pass
        if st.get("wait", True):
            p.wait(3)
        return {}

    def op_sleep(self, st):
        end = time.monotonic() + st["ms"] / 1000.0
        while time.monotonic() < end:
            for p in self.procs.values():
                p.poll()
            time.sleep(0.005)
        return {}

    def raw_call(self, st):
        args = self.subst(st.get("args", []))
        if st.get("from"):
            a = self.procs[st["from"]].agent
            os.write(a[0], (json.dumps({"path": st["path"], "iface": st["iface"], "member": st["member"],
                                        "sig": st.get("sig", ""), "args": args}) + "\n").encode())
            r, _, _ = select.select([a[1]], [], [], 30)
            out = json.loads(a[1].readline()) if r else {"error": "timeout", "message": ""}
            if "error" in out:
                if out["error"] == "timeout":
                    raise dbusmini.Timeout()
                raise DBusError(out["error"], out["message"])
            return out["sig"], out["body"]
        bus = self.env.user_bus() if st.get("as_uid") else self.bus
        return bus.call(self.subst(st["path"]), st["iface"], st["member"], st.get("sig", ""), args,
                        timeout=20)

    def op_call(self, st):
        try:
            sig, body = self.raw_call(st)
        except DBusError as e:
            return {"error": e.name, "message": self.norm_message(e.message)}
        except dbusmini.Timeout:
            return {"error": "$timeout", "message": ""}
        return {"reply": {"sig": sig, "values": self.norm_reply(st, body)}}

    def norm_message(self, m):
        for n, p in self.procs.items():
            m = re.sub(r"\b%d\b" % p.pid, "$pid:" + n, m)
        return m

    def norm_reply(self, st, body):
        m, iface = st["member"], st["iface"]
        if m == "Get" and iface == PROPS:
            return [self.norm_prop(st["args"][1], body[0])]
        if m == "GetAll" and iface == PROPS:
            sel = st.get("select", [])
            return [{k: (self.norm_prop(k, body[0][k]) if k in body[0] else None) for k in sel}]
        if m in ("GetUnitProcesses", "GetProcesses"):
            rows = [[r[0], self.pid_name(r[1])] for r in body[0]]
            return [sorted(rows)]
        if m in ("ListUnits", "ListUnitsFiltered", "ListUnitsByPatterns", "ListUnitsByNames"):
            rows = sorted((r for r in body[0] if self.mine(r[0])), key=lambda r: r[0])
            return [[self.norm(r) for r in rows]]
        if m == "ListJobs":
            rows = sorted((r for r in body[0] if self.mine(r[1])), key=lambda r: (r[1], r[2]))
            return [[self.norm(r) for r in rows]]
        if m in ("ListUnitFiles", "ListUnitFilesByPatterns"):
            rows = sorted(r for r in body[0] if self.mine(os.path.basename(r[0])))
            return [rows]
        if m == "EnqueueJob" and len(body) == 6:
            return [self.norm([body[0], body[1]])[0], self.norm(body[1])] + [self.norm(x) for x in body[2:5]] + [
                sorted(self.norm(r) for r in body[5])]
        return self.norm(body)

    # -- settle
    def unit_states(self):
        try:
            r = self.bus.call(ROOT, MGR, "ListUnitsByPatterns", "asas", [[], ["*" + self.prefix + "*"]])
        except DBusError:
            r = self.bus.call(ROOT, MGR, "ListUnits")
        return [x for x in r[1][0] if self.mine(x[0])]

    def op_settle(self, st):
        end = time.monotonic() + st.get("max_ms", 6000) / 1000.0
        sigs = []
        quiet, last, rows = 0, None, []
        while True:
            for p in self.procs.values():
                p.poll()
            rows = self.unit_states()
            new = self.bus.take_signals()
            sigs += new
            busy = [r for r in rows if r[7] or r[3] in ("activating", "deactivating", "reloading")
                    or r[4] == "final-sigterm"]
            if st.get("allow"):
                busy = [r for r in busy if r[0] not in st["allow"]]
            state = [(r[0], r[2], r[3], r[4]) for r in rows]
            if not busy and not new and state == last:
                quiet += 1
            else:
                quiet = 0
            last = state
            if quiet >= 3 or time.monotonic() > end:
                break
            time.sleep(0.008)
        out = {"job_new": [], "job_removed": [], "unit_new": set(), "unit_removed": set(), "request_stop": []}
        for s in sigs:
            if s.iface == MGR:
                if s.member == "JobNew" and self.mine(s.body[2]):
                    out["job_new"].append(s.body[2])
                elif s.member == "JobRemoved" and self.mine(s.body[2]):
                    out["job_removed"].append([s.body[2], s.body[3]])
                elif s.member == "UnitNew" and self.mine(s.body[0]):
                    out["unit_new"].add(s.body[0])
                elif s.member == "UnitRemoved" and self.mine(s.body[0]):
                    out["unit_removed"].add(s.body[0])
            elif s.iface == SD + ".Scope" and s.member == "RequestStop":
                out["request_stop"].append(s.path)
        r = {}
        if out["job_new"]:
            r["job_new"] = sorted(out["job_new"])
        r["job_removed"] = sorted(out["job_removed"])
        if len(out["job_removed"]) > 1:
            r["job_removed_order"] = out["job_removed"]
        for k in ("unit_new", "unit_removed"):
            r[k] = sorted(out[k])
        if out["request_stop"]:
            r["request_stop"] = sorted(out["request_stop"])
        pend = sorted([x[0], x[3], x[4], x[8] if x[7] else ""] for x in rows
                      if x[7] or x[3] in ("activating", "deactivating", "reloading"))
        r["pending"] = pend
        return r

    def op_listing(self, st):
        """Every loaded unit of the scenario with load/active/sub state."""
        return {"units": sorted([r[0], r[2], r[3], r[4]] for r in self.unit_states())}

    def op_get(self, st):
        unit = st["unit"]
        try:
            self.bus.call(ROOT, MGR, "GetUnit", "s", [unit])
        except DBusError:
            return {"loaded": False, "props": {k: None for k in st["props"]}}
        path = unit_path(unit)
        props = {}
        ifs = st.get("iface")
        ifs = [ifs] if ifs else [UNIT, iface_of(unit)]
        for k in st["props"]:
            val = None
            for i in ifs:
                try:
                    val = self.norm_prop(k, self.bus.call(path, PROPS, "Get", "ss", [i, k])[1][0])
                    break
                except DBusError as e:
                    val = {"error": e.name}
            props[k] = val
        return {"loaded": True, "props": props}

    def name_pids(self, path, pids):
        out = []
        for pid in pids:
            n = self.pid_name(pid)
            if n == "?":
                # a process of a service: name it after the unit
                for comp in reversed(path.split("/")):
                    if comp.endswith(".service"):
                        n = ("main:" if self.main_pid(comp) == pid else "other:") + comp
                        break
            out.append(n)
        return sorted(out)

    def norm_file(self, name, s):
        s = s.rstrip("\n")
        if name in ("cgroup.controllers", "cgroup.subtree_control"):
            return " ".join(sorted(s.split()))
        if name == "pids.max" and s == str(self.env.facts.get("default_tasks_max")):
            return "$default_tasks_max"
        if name.startswith("io.") or name.startswith("blkio"):
            return s.replace(self.env.facts["blockdev_majmin"] + " ", "$blockdev ")
        if name == "memory.current" or name == "pids.current" or name.endswith(".stat"):
            return "number"
        if name == "cgroup.events":
            return " ".join(sorted(s.split("\n")))
        return s

    def op_cgroup(self, st):
        d = self.env.cg(st["path"])
        if not os.path.isdir(d):
            return {"exists": False}
        r = {"exists": True, "files": {}}
        for f in st.get("files", []):
            try:
                with open(d + "/" + f) as h:
                    r["files"][f] = self.norm_file(f, h.read())
            except OSError as e:
                r["files"][f] = None if e.errno == errno.ENOENT else {"errno": errname(e.errno)}
        if not st.get("files"):
            del r["files"]
        if "procs" in st:
            try:
                with open(d + "/cgroup.procs") as h:
                    r["procs"] = self.name_pids(st["path"], [int(x) for x in h.read().split()])
            except OSError as e:
                r["procs"] = {"errno": errname(e.errno)}
        if "owner" in st:
            r["owner"] = {}
            for f in st["owner"]:
                try:
                    x = os.stat(d if f == "." else d + "/" + f)
                    r["owner"][f] = "%d:%d" % (x.st_uid, x.st_gid)
                except OSError as e:
                    r["owner"][f] = None
        return r

    def op_tree(self, st):
        base = self.env.cg(st["under"])
        if not os.path.isdir(base):
            return {"dirs": None}
        out = []
        for d, subs, _ in os.walk(base):
            for s in subs:
                p = os.path.join(d, s)[len(self.env.cgroup_root):]
                if st.get("match") and not fnmatch.fnmatch(os.path.relpath(p, st["under"]).split("/")[0], st["match"]):
                    continue
                out.append(p)
        return {"dirs": sorted(out)}

    def op_cgtree(self, st):
        """Every cgroup at and below "under": the wanted attributes that exist, and the processes."""
        base = self.env.cg(st["under"])
        if not os.path.isdir(base):
            return {"cgroups": None}
        out = {}
        for d, subs, _ in os.walk(base):
            p = d[len(self.env.cgroup_root):]
            e = {}
            for f in st["want"]:
                try:
                    with open(d + "/" + f) as h:
                        e[f] = self.norm_file(f, h.read())
                except OSError:
                    pass
            try:
                with open(d + "/cgroup.procs") as h:
                    pids = [int(x) for x in h.read().split()]
                if pids:
                    e["procs"] = self.name_pids(p, pids)
            except OSError:
                pass
            out[p] = e
        return {"cgroups": out}

    def op_proc(self, st):
        p = self.procs[st["proc"]]
        if "within_ms" in st:
            p.wait(st["within_ms"] / 1000.0)
        s = p.poll()
        if s is not None:
            return {"state": s, "cgroup": None}
        cg = None
        try:
            with open("/proc/%d/cgroup" % p.pid) as f:
                for l in f:
                    if l.startswith("0::"):
                        cg = l.strip()[3:]
        except OSError:
            pass
        if cg == self.env.origin_cgroup:
            cg = "$origin"
        elif cg is not None:
            base = self.env.cgroup_root[len("/sys/fs/cgroup"):]
            if base and cg.startswith(base):
                cg = cg[len(base):] or "/"
        return {"state": "alive", "cgroup": cg}

    def norm_unit_file(self, s):
        # sections of others say nothing to systemd: the state in our records is one
        s = s.split("\n[X-")[0].replace("=%s " % self.env.facts["blockdev"], "=$blockdev ")
        lines = [l.rstrip() for l in s.split("\n")]
        return [l for l in lines if l and l[0] not in "#;"]

    def op_files(self, st):
        out = {}
        base = self.env.file_root
        pat = base + st["under"]
        for top in sorted(glob.glob(pat)):
            cand = [top]
            if os.path.isdir(top) and not os.path.islink(top):
                cand = [os.path.join(d, f) for d, _, fs in os.walk(top) for f in fs]
            for f in cand:
                if os.path.islink(f):
                    out[f[len(base):]] = "-> " + os.readlink(f)
                else:
                    with open(f, encoding="utf-8", errors="surrogateescape") as h:
                        out[f[len(base):]] = self.norm_unit_file(h.read())
        return {"content": dict(sorted(out.items()))}

    def op_write_unit_file(self, st):
        p = self.env.file_root + st["path"]
        os.makedirs(os.path.dirname(p), exist_ok=True)
        if os.path.islink(p):
            os.unlink(p)
        if st.get("symlink"):
            if os.path.lexists(p):
                os.unlink(p)
            os.symlink(st["symlink"], p)
        else:
            with open(p, "w") as f:
                f.write(self.file_subst(st["content"]))
        self.wrote_files.append(p)
        return {}

    def file_subst(self, s):
        return s.replace("$blockdev", self.env.facts["blockdev"])

    def op_remove_unit_file(self, st):
        p = self.env.file_root + st["path"]
        if os.path.lexists(p):
            os.unlink(p)
        try:
            os.rmdir(os.path.dirname(p))
        except OSError:
            pass
        self.wrote_files.append(p)
        return {}

    def _try(self, st, fn):
        """Runs fn, optionally in a child with the uid of the step."""
        uid = st.get("as_uid", 0)
        if uid:
            os.setegid(uid)
            os.seteuid(uid)
        try:
            fn()
            return {"errno": 0}
        except OSError as e:
            return {"errno": errname(e.errno)}
        finally:
            if uid:
                os.seteuid(0)
                os.setegid(0)

    def op_mkdir(self, st):
        return self._try(st, lambda: os.mkdir(self.env.cg(st["path"]), 0o755))

    def op_rmdir(self, st):
        return self._try(st, lambda: os.rmdir(self.env.cg(st["path"])))

    def _write(self, path, text):
        fd = os.open(path, os.O_WRONLY)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def op_write(self, st):
        return self._try(st, lambda: self._write(self.env.cg(st["path"]) + "/" + st["file"], st["content"]))

    def op_move(self, st):
        pid = str(self.procs[st["proc"]].pid)
        return self._try(st, lambda: self._write(self.env.cg(st["path"]) + "/cgroup.procs", pid))

    # ---- cleanup -------------------------------------------------------
    def cleanup(self):
        b = self.bus

        def quiet(*a):
            try:
                return b.call(*a)
            except (DBusError, dbusmini.Timeout):
                return None
        for p in self.procs.values():
            if p.poll() is None:
                try:
                    os.kill(p.pid, 9)
                except ProcessLookupError:
                    pass
        for p in self.procs.values():
            if p.agent:
                os.close(p.agent[0])
                p.agent[1].close()
                p.agent = None
        for p in self.procs.values():
            p.wait(2)
        if self.env.ubus is not None:
            self.env.ubus.close()
            self.env.ubus = None
        end = time.monotonic() + 8
        first = True
        reload_at = time.monotonic() + 1
        while time.monotonic() < end:
            rows = self.unit_states()
            if reload_at and time.monotonic() > reload_at and any(r[2] == "stub" for r in rows):
                quiet(ROOT, MGR, "Reload")
                reload_at = None
            live = [r for r in rows if r[3] not in ("inactive", "failed") or r[7]]
            failed = [r for r in rows if r[3] == "failed"]
            if not live and not failed:
                left = [r for r in rows if r[2] not in ("not-found", "masked")]
                if not left or not first:
                    break
            for r in live:
                if first:
                    quiet(ROOT, MGR, "ThawUnit", "s", [r[0]])
                    if r[0].endswith(".service"):
                        quiet(r[6], PROPS, "Get", "ss", [UNIT, "Id"])
                if not r[0].endswith(".slice"):
                    quiet(ROOT, MGR, "KillUnit", "ssi", [r[0], "all", 9])
                quiet(ROOT, MGR, "StopUnit", "ss", [r[0], "replace-irreversibly" if not first else "replace"])
            for r in failed:
                quiet(ROOT, MGR, "ResetFailedUnit", "s", [r[0]])
            for p in self.procs.values():
                p.poll()
            if not live:
                first = False
            time.sleep(0.03)
        fr = self.env.file_root
        gone = False
        for d in ("/run/systemd/system.control", "/etc/systemd/system.control", "/run/systemd/transient",
                  "/etc/systemd/system", "/run/systemd/system"):
            for p in glob.glob(fr + d + "/*" + self.prefix + "*"):
                gone = True
                if os.path.isdir(p) and not os.path.islink(p):
                    for f in os.listdir(p):
                        os.unlink(os.path.join(p, f))
                    os.rmdir(p)
                else:
                    os.unlink(p)
        for p in self.wrote_files:
            gone = True
            if os.path.lexists(p):
                os.unlink(p)
            try:
                os.rmdir(os.path.dirname(p))
            except OSError:
                pass
        if self.wrote_files:
            quiet(ROOT, MGR, "Reload")
        for r in self.unit_states():
            for _ in range(20):
                if quiet(ROOT, MGR, "UnrefUnit", "s", [r[0]]) is None:
                    break
        # cgroups that were left behind by the scenario itself
        for d, subs, _ in os.walk(self.env.cgroup_root, topdown=False):
            rel = d[len(self.env.cgroup_root):]
            if self.prefix in rel:
                try:
                    os.rmdir(d)
                except OSError:
                    pass
        self.bus.take_signals()
        return [r[0] for r in self.unit_states()]


def strip(step):
    """The inputs of a step only."""
    keep = {k: v for k, v in step.items() if k not in OUTCOME.get(step["op"], ())}
    op = step["op"]
    if op == "get":
        keep["props"] = list(step["props"])
    if op == "cgroup":
        for k in ("files", "owner"):
            if k in step:
                keep[k] = list(step[k])
        if "procs" in step:
            keep["procs"] = True
        keep.update(keep.pop("wanted", {}))
    return keep


def observes(step):
    return any(k in step for k in OUTCOME.get(step["op"], ()))


# What the kernel shows in a cgroup whose controller is enabled but where nothing was set.
KERNEL_DEFAULT = {"cpu.weight": "100", "cpu.idle": "0", "cpu.max": "max 100000", "io.weight": "default 100",
                  "io.bfq.weight": "default 100", "io.max": "", "io.latency": "", "cpuset.cpus": "", "cpuset.mems": ""}


def top_level(path):
    return path.count("/") == 1


def attr_equal(path, f, want, got):
    """Which controllers the root cgroup enables depends on everything else on the machine.
    So in a cgroup directly below the root an absent attribute equals one that has the kernel's
    default, and more controllers than recorded may be available."""
    if want == got:
        return True
    if not top_level(path):
        return False
    if f == "cgroup.controllers" and isinstance(want, str) and isinstance(got, str):
        return set(want.split()) <= set(got.split())
    if f.startswith("cpuset.") and f.endswith(".effective"):
        return want is None or got is None
    d = KERNEL_DEFAULT.get(f)
    return d is not None and (d if want is None else want) == (d if got is None else got)


def cgtree_diff(want, got):
    if want is None or got is None:
        return [] if want == got else ["cgroups: want %s got %s" % (json.dumps(want), json.dumps(got))]
    out = []
    for p in sorted(set(want) | set(got)):
        if p not in got:
            out.append("cgroups[%s]: does not exist" % p)
        elif p not in want:
            out.append("cgroups[%s]: should not exist" % p)
        else:
            for f in sorted(set(want[p]) | set(got[p])):
                if not attr_equal(p, f, want[p].get(f), got[p].get(f)):
                    out.append("cgroups[%s][%s]: want %s got %s" % (
                        p, f, json.dumps(want[p].get(f)), json.dumps(got[p].get(f))))
    return out


def diff(op, exp, got):
    """Differences between the recorded outcome and the one seen; [] when they agree.
    Only what is recorded is checked: merge() removes what is not deterministic."""
    out = []
    for k in OUTCOME.get(op, ()):
        if k not in exp or k in INFORMATIVE:
            continue
        if k == "cgroups":
            out += cgtree_diff(exp[k], got.get(k))
            continue
        if k in ("files", "props", "owner", "content") and isinstance(exp[k], dict) and isinstance(got.get(k), dict):
            for f, v in exp[k].items():
                if isinstance(v, dict) and v.get("any"):
                    continue
                if k == "files" and attr_equal(exp.get("path", "//"), f, v, got[k].get(f)):
                    continue
                if got[k].get(f, "<missing>") != v:
                    out.append("%s[%s]: want %s got %s" % (k, f, json.dumps(v), json.dumps(got[k].get(f, "<missing>"))))
            if k == "content":
                for f in got[k]:
                    if f not in exp[k]:
                        out.append("content: unexpected file %s" % f)
            continue
        if got.get(k, "<missing>") != exp[k]:
            g = dict((x, got[x]) for x in got if x not in INFORMATIVE) if k in ("reply", "error") else got.get(k, "<missing>")
            out.append("%s: want %s got %s" % (k, json.dumps(exp[k]), json.dumps(g)))
    if op == "call" and "error" in exp and "reply" in got and not out:
        out.append("error expected")
    return out


NOT_MANAGED = {SD + ".NoUnitForPID", SD + ".NoSuchUnit", "org.freedesktop.DBus.Error.UnixProcessIdUnknown"}


def diff_env(env, step, got):
    """diff(), knowing that the player itself may run outside of what the manager manages."""
    if (step["op"] == "call" and env.origin_unit is None and "reply" in step
            and "$origin_unit" in step["reply"]["values"] and got.get("error") in NOT_MANAGED):
        return []
    return diff(step["op"], step, got)
