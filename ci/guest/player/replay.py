#!/usr/bin/env python3
"""Replays conformance vectors against a manager and counts agreement.  See README.md."""
import argparse
import gzip
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import engine  # noqa: E402


def load(path):
    """The header and the scenarios of one file."""
    header, scenarios = {}, []
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as f:
        for line in f:
            o = json.loads(line)
            if "header" in o:
                header = o["header"]
            else:
                scenarios.append(o)
    return header, scenarios


def run_scenario(env, scenario, on_step):
    runner = engine.Runner(env, scenario)
    try:
        for i, step in enumerate(scenario["steps"]):
            try:
                result = runner.run_step(engine.strip(step))
            except Exception as e:      # a harness problem is a difference, not an abort
                result = {"harness_error": "%s: %s" % (type(e).__name__, e)}
            on_step(i, step, result)
    finally:
        runner.cleanup()


class Score:
    """Counts of one group, and the differences of the scenario at hand."""

    def __init__(self):
        self.agreed = self.differ = self.scenarios_ok = self.scenarios_bad = 0

    def replay(self, env, scenario, no_quirks):
        """Runs a scenario; returns its differences as (step number, step, [text])."""
        bad = []

        def on_step(i, step, result):
            if no_quirks and step.get("quirk"):
                return
            if "harness_error" in result:
                texts = [result["harness_error"]]
            elif engine.observes(step):
                texts = engine.diff_env(env, step, result)
            else:
                return
            if texts:
                bad.append((i, step, texts))
            else:
                self.agreed += 1
        try:
            run_scenario(env, scenario, on_step)
        finally:
            self.differ += len(bad)
            if bad:
                self.scenarios_bad += 1
            else:
                self.scenarios_ok += 1
        return bad


def show(scenario, bad, limit):
    for i, step, texts in bad[:limit]:
        what = {k: v for k, v in step.items() if k in ("op", "member", "args", "unit", "path", "under", "proc")}
        print("DIFF %s step %d %s" % (scenario["name"], i, json.dumps(what)[:300]))
        for text in texts[:4]:
            print("     " + text[:500])
    if len(bad) > limit:
        print("     ... and %d more steps" % (len(bad) - limit))


def print_scores(scores, skipped):
    print("%-24s %8s %8s %8s %10s %10s" % ("group", "agreed", "differ", "percent", "scen. ok", "scen. bad"))
    for group in sorted(scores):
        s = scores[group]
        percent = 100.0 * s.agreed / max(1, s.agreed + s.differ)
        print("%-24s %8d %8d %8.2f %10d %10d" % (group, s.agreed, s.differ, percent, s.scenarios_ok, s.scenarios_bad))
    agreed, differ = sum(s.agreed for s in scores.values()), sum(s.differ for s in scores.values())
    print("STEPS %d agreed, %d differ (%.2f%%); SCENARIOS %d agree fully, %d differ, %d skipped" % (
        agreed, differ, 100.0 * agreed / max(1, agreed + differ), sum(s.scenarios_ok for s in scores.values()),
        sum(s.scenarios_bad for s in scores.values()), skipped), flush=True)


def replay(a):
    env = engine.Env(a.address, a.cgroup_root, a.file_root)
    scores, skipped = {}, 0
    report = open(a.report, "w") if a.report else None
    for path in a.files:
        header, scenarios = load(path)
        start = time.monotonic()
        for scenario in scenarios:
            if a.only and not any(scenario["name"].startswith(o) or scenario["group"] == o for o in a.only.split(",")):
                continue
            if a.no_quirks and scenario.get("quirk"):
                skipped += 1
                continue
            need = [k for k in scenario.get("machine", []) if env.facts.get(k) != header.get(k)]
            if need:
                skipped += 1
                print("SKIP %s (machine differs: %s)" % (scenario["name"], ",".join(need)))
                continue
            score = scores.setdefault(scenario["group"], Score())
            try:
                bad = score.replay(env, scenario, a.no_quirks)
            except (OSError, engine.dbusmini.Timeout, engine.DBusError) as e:
                score.differ += 1
                bad = [(len(scenario["steps"]), {"op": "cleanup"}, ["connection lost, or no clean-up possible: %s" % e])]
                try:
                    env = engine.Env(a.address, a.cgroup_root, a.file_root)
                except OSError:
                    print("bus is gone; stopping")
                    break
            show(scenario, bad, a.show)
            for i, step, texts in bad if report else []:
                report.write(json.dumps({"scenario": scenario["name"], "step": i,
                                         "quirk": step.get("quirk") or scenario.get("quirk"), "input": step,
                                         "differences": texts}) + "\n")
        print("TIME %s %.1fs" % (os.path.basename(path), time.monotonic() - start), flush=True)
    if report:
        report.close()
    print_scores(scores, skipped)
    return 1 if any(s.differ for s in scores.values()) else 0


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("files", nargs="+")
    p.add_argument("--address", help="D-Bus address (default: the system bus)")
    p.add_argument("--cgroup-root", default="/sys/fs/cgroup")
    p.add_argument("--file-root", default="", help="prefix of /etc/systemd and /run/systemd of the manager under test")
    p.add_argument("--only", help="comma separated groups or scenario name prefixes")
    p.add_argument("--no-quirks", action="store_true", help="leave out what is labelled as a quirk")
    p.add_argument("--report", help="write every difference to this file, one JSON object a line")
    p.add_argument("--show", type=int, default=2, help="differences shown per scenario")
    return replay(p.parse_args())


if __name__ == "__main__":
    sys.exit(main())
