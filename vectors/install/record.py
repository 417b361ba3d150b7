#!/usr/bin/env python3
"""Records what systemctl (of systemd 252) makes of unit files below a root of its own, as text; see docs/vectors.md.

    vectors/install/record.py > vectors/install/systemd-252.txt
"""
import os, random, re, shutil, subprocess, sys, tempfile

ETC, RUN, USR = "/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"
root = tempfile.mkdtemp()


def systemctl(*words):
    done = subprocess.run(["systemctl", f"--root={root}", "--no-pager", "--plain", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout


def place(path, text=None, target=None):
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    if target is None:
        with open(root + path, "w") as file:
            file.write(text)
    else:
        os.symlink(target, root + path)


def links():
    found = []
    for top in (ETC, RUN):
        for directory, _, names in os.walk(root + top):
            for name in names:
                path = os.path.join(directory, name)
                found.append((path[len(root):], os.readlink(path) if os.path.islink(path) else ""))
    return sorted(found)


def play(name, files, steps, asked=()):
    shutil.rmtree(root)
    for top in (ETC, RUN, USR):
        os.makedirs(root + top)
    print(f"scenario {name}")
    for path, content in files:
        if content.startswith("-> "):
            place(path, target=content[3:])
            print(f"link {path} {content[3:]}")
        else:
            place(path, content)
            print(f"file {path} {content}".replace("\n", "\\n"))
    for step in [[]] + steps:
        if step:
            before = root + ".before"
            shutil.copytree(root, before, symlinks=True)
            code, said = systemctl(*step)
            bad = "Failed to" in said.replace("Failed to enable auxiliary", "")
            good = "Created" in said or "Removed" in said
            refused = code != 0 or (bad and not good)
            if refused:
                # What was done before the failure is no part of the comparison.
                shutil.rmtree(root)
                shutil.move(before, root)
            else:
                shutil.rmtree(before)
            print("do", *step)
            print("refused" if refused else "done")
        for path, target in links():
            print(f"has {path} {target}".rstrip())
        _, listed = systemctl("list-unit-files")
        for row in listed.splitlines():
            fields = row.split()
            if len(fields) == 3 and "." in fields[0] and not row.startswith("/"):
                print(f"state {fields[0]} {fields[1]}")
        for instance in asked:
            code, said = systemctl("is-enabled", instance)
            said = [line for line in said.splitlines() if not line.startswith("/")]
            print(f"ask {instance} {said[-1] if said and ' ' not in said[-1] else 'error'}")


def unit(*lines):
    return "[Unit]\n[Install]\n" + "".join(line + "\n" for line in lines)


def curated():
    a = (f"{USR}/a.service", unit("WantedBy=x.target y.target", "RequiredBy=x.target", "Alias=aa.service",
                                 "Also=b.service"))
    b = (f"{USR}/b.service", unit("WantedBy=x.target"))
    s = (f"{USR}/s.service", unit())
    t = (f"{USR}/t@.service", unit("WantedBy=x.target", "DefaultInstance=d", "Alias=tt@.service"))
    u = (f"{USR}/u@.service", unit("WantedBy=x.target"))
    x = (f"{USR}/x.target", "[Unit]\n")
    play("enable-disable", [a, b, s, x], [["enable", "a.service"], ["enable", "a.service"], ["disable", "b.service"],
         ["reenable", "a.service"], ["disable", "a.service"], ["disable", "a.service"], ["enable", "s.service"]])
    play("runtime", [a, b, s, x], [["--runtime", "enable", "a.service"], ["disable", "a.service"],
         ["--runtime", "disable", "a.service"], ["--runtime", "mask", "s.service"], ["unmask", "s.service"],
         ["--runtime", "unmask", "s.service"]])
    play("templates", [t, u, x], [["enable", "t@.service"], ["enable", "t@k.service"], ["enable", "u@.service"],
         ["enable", "u@k.service"], ["disable", "t@.service"], ["enable", "t@.service"], ["disable", "t@d.service"],
         ["reenable", "t@.service"], ["disable", "u@k.service"]], ["t@d.service", "t@k.service", "u@k.service"])
    play("mask", [a, b, s, x], [["enable", "b.service"], ["mask", "b.service"], ["enable", "b.service"],
         ["disable", "b.service"], ["unmask", "b.service"], ["mask", "missing.service"], ["unmask", "missing.service"],
         ["mask", "s.service", "b.service"], ["enable", "a.service"], ["unmask", "s.service", "b.service"]])
    play("mask-over-a-file", [s, (f"{ETC}/s.service", unit()), (f"{ETC}/l.service", "-> /usr/lib/systemd/system/s.service")],
         [["mask", "s.service"], ["mask", "--force", "s.service"], ["mask", "l.service"], ["mask", "--force", "l.service"],
          ["revert", "s.service"], ["revert", "l.service"]])
    play("revert", [s, b, x, (f"{ETC}/s.service", unit()), (f"{ETC}/s.service.d/o.conf", "[Unit]\n"),
         (f"{RUN}/s.service.d/p.conf", "[Unit]\n"), (f"{ETC}/own.service", unit()),
         (f"{ETC}/own.service.d/q.conf", "[Unit]\n")],
         [["revert", "s.service"], ["revert", "own.service"], ["enable", "b.service"], ["mask", "b.service"],
          ["revert", "b.service"], ["revert", "missing.service"]])
    o = ("/opt/o.service", unit("WantedBy=x.target"))
    play("link", [o, x], [["link", "/opt/o.service"], ["enable", "o.service"], ["disable", "o.service"],
         ["enable", "/opt/o.service"], ["link", "/opt/o.service"], ["link", "/opt/missing.service"],
         ["mask", "o.service"], ["disable", "o.service"], ["--runtime", "link", "/opt/o.service"],
         ["--runtime", "disable", "o.service"]])
    for number, lines in enumerate([
            ["WantedBy=nonsense"], ["WantedBy=%i.target"], ["WantedBy=%z.target"], ["WantedBy=%p-%%.target"],
            ["Alias=n.socket"], ["Alias=n@.service"], ["Alias=n.service"], ["Alias=%p-too.service"],
            ["Alias=x.target.wants/n.service"], ["Alias=x.target.wants/other.service"], ["Alias=a/b.service"],
            ["WantedBy=x.target", "WantedBy=", "WantedBy=y.target \"q z.target"], ["WantedBy='x.target'"],
            ["DefaultInstance=q"], ["Also=missing.service", "WantedBy=x.target"], ["Also=nul.service"],
            ["Also=b.service"], ["Also=%p.target n.service b.service"], ["WantedBy=x@.target"], ["Alias=taken.service"],
            ["Alias=dangling.service"], ["WantedBy=x.\\", "target y.target"], ["; WantedBy=x.target"],
            ["WantedBy=x.target", "[Unit]", "[Install]", "WantedBy=y.target"], ["[Broken"], ["WantedBy"]]):
        files = [(f"{USR}/n.service", unit(*lines)), b, x, s, (f"{ETC}/nul.service", "-> /dev/null"),
                 (f"{ETC}/taken.service", f"-> {USR}/s.service"), (f"{ETC}/dangling.service", "-> /nowhere/n.service")]
        play(f"odd-{number}", files, [["enable", "n.service"], ["disable", "n.service"]])
    for number, lines in enumerate([
            ["Alias=m@.service"], ["Alias=m.service"], ["Alias=m@i.service"], ["WantedBy=x@.target"],
            ["DefaultInstance=q"], ["DefaultInstance=q z", "WantedBy=x.target"], ["DefaultInstance=%p", "WantedBy=x.target"],
            ["DefaultInstance=q", "DefaultInstance=", "WantedBy=x.target"], ["WantedBy=x-%i.target"]]):
        play(f"odd-template-{number}", [(f"{USR}/n@.service", unit(*lines)), x],
             [["enable", "n@.service"], ["enable", "n@i.service"], ["enable", "n@j.service"], ["disable", "n@i.service"],
              ["disable", "n@.service"]], ["n@i.service", "n@q.service"])
    play("odd-loop", [b, (f"{ETC}/l1.service", f"-> {ETC}/l2.service"), (f"{ETC}/l2.service", f"-> {ETC}/l1.service")],
         [["enable", "l1.service"]])
    play("odd-files", [b, x, (f"{ETC}/other.service", "-> /opt/o.service"), ("/opt/o.service", unit("WantedBy=x.target")),
         (f"{USR}/empty.service", ""), (f"{ETC}/rel.service", "-> b.service"), (f"{USR}/v.service", "-> b.service"),
         (f"{ETC}/gone.service", "-> /nowhere/gone.service"), (f"{USR}/sl.slice", unit("WantedBy=x.target", "Alias=sm.slice"))],
         [["enable", "other.service"], ["disable", "other.service"], ["enable", "empty.service"], ["enable", "rel.service"], ["enable", "v.service"],
          ["disable", "gone.service"], ["disable", "missing.service"], ["enable", "sl.slice"], ["disable", "v.service"],
          ["disable", "rel.service"], ["add-wants", "x.target", "sl.slice"], ["add-requires", "x.target", "b.service"],
          ["add-wants", "missing.target", "b.service"], ["disable", "sl.slice", "b.service"]])
    play("drop-ins", [(f"{USR}/p.service", unit("WantedBy=x.target")), (f"{USR}/p.service.d/1.conf", unit("WantedBy=y.target")),
         (f"{ETC}/p.service.d/1.conf", unit("RequiredBy=y.target")), (f"{ETC}/p.service.d/0.conf", unit("WantedBy=")),
         (f"{USR}/p@.service", unit("WantedBy=x.target")), (f"{ETC}/p@.service.d/1.conf", unit("WantedBy=y.target")),
         (f"{ETC}/p@i.service.d/2.conf", unit("WantedBy=z.target"))],
         [["enable", "p.service"], ["enable", "p@i.service"], ["disable", "p.service"], ["disable", "p@i.service"]])
    play("vendor-ties", [s, u, x, (f"{USR}/x.target.wants/s.service", "-> ../s.service"),
         (f"{USR}/x.target.wants/u@j.service", "-> ../u@.service")], [["disable", "s.service"], ["enable", "u@k.service"]],
         ["u@j.service", "u@k.service"])


def drawn(seed):
    draw = random.Random(seed)
    names = ["a.service", "b.service", "c.target", "d@.service", "e@.service", "f.slice"]
    more = names + ["d@1.service", "d@2.service", "g.service", "c-x.target"]
    values = {
        "WantedBy": ["c.target", "%p.target", "c@.target", "a.service"], "RequiredBy": ["c.target", "f.slice"],
        "Alias": ["g.service", "g@.service", "g@1.service", "h.target"], "Also": more, "DefaultInstance": ["1", "2"],
    }
    files = []
    for name in names:
        for top in draw.choice([[USR], [USR], [ETC], [USR, ETC], [RUN], []]):
            lines = [f"{key}={draw.choice(values[key])}" for key in values if draw.random() < 0.4]
            files.append((f"{top}/{name}", unit(*lines)))
            if draw.random() < 0.2:
                key = draw.choice(list(values))
                files.append((f"{draw.choice([ETC, USR])}/{name}.d/{top[1]}.conf", unit(f"{key}={draw.choice(values[key])}")))
    taken = {path for path, _ in files}
    for _ in range(draw.randrange(3)):
        path = f"{draw.choice([ETC, RUN])}/{draw.choice(more)}"
        if path not in taken:
            taken.add(path)
            files.append((path, draw.choice(["-> /dev/null", f"-> {USR}/{draw.choice(more)}"])))
    verbs = ["enable"] * 4 + ["disable"] * 3 + ["reenable", "mask", "unmask", "revert"]
    steps = []
    for _ in range(7):
        verb = draw.choice(verbs)
        flags = [flag for flag in ("--runtime", "--force") if draw.random() < 0.15 and verb != "revert"]
        steps.append(flags + [verb] + draw.sample(more, draw.choice([1, 1, 2])))
    play(f"drawn-{seed}", files, steps, ["d@1.service", "e@1.service"])


curated()
for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 40):
    drawn(seed)
shutil.rmtree(root)
