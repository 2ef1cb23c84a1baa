# SPDX-License-Identifier: MIT
"""What all comparisons share: an idle machine, programs in turn, medians, one result."""

import datetime
import glob
import json
import os
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")
MOST_BUSY = 0.03  # of all processors, over some seconds or beside a measurement
residents = set()  # sessions of our programs that run on between measurements


def processor_seconds():
    """Seconds that all processors have been busy or taken by their host, and all seconds."""
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICK, sum(ticks) / TICK


def resident_seconds():
    """Of all processes of the residents' sessions, such as compilers, and of those that ended."""
    ticks = 0
    for path in glob.glob("/proc/[0-9]*/stat") if residents else ():
        try:
            with open(path) as file:
                words = file.read().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        if int(words[3]) in residents:
            ticks += sum(map(int, words[11:15]))
    return ticks / TICK


def own_seconds():
    """Of this program, of its children that have ended, and of residents."""
    sums = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(s.ru_utime + s.ru_stime for s in sums) + resident_seconds()


class Beside:
    """with Beside() as beside: ...; beside.share: what others took of the processors."""

    def __enter__(self):
        self.busy, self.all = processor_seconds()
        self.own = own_seconds()
        return self

    def __exit__(self, *_):
        busy, total = processor_seconds()
        others = busy - self.busy - (own_seconds() - self.own)
        self.share = max(0.0, others / max(total - self.all, 1e-9))


def look():
    """The load is only kept: for minutes it remembers what has ended."""
    with Beside() as beside:
        time.sleep(5)
    return {"load": os.getloadavg()[0], "busy": beside.share}


def wait_until_idle(seconds, force):
    """Measuring beside others is worth nothing: waits, and gives up unless forced."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        idle = seen["busy"] <= MOST_BUSY
        if idle or force:
            return dict(seen, idle=idle, forced=force)
        if time.monotonic() >= end:
            sys.exit(
                "the machine is not idle: processors busy %.0f %% (at most %.0f %%); end what "
                "runs, or measure all the same with --force"
                % (100 * seen["busy"], 100 * MOST_BUSY)
            )
        print("waiting: load %(load).2f, busy %(busy).2f" % seen, file=sys.stderr)
        time.sleep(10)


def call(words, environment=None, errors=None):
    """Standard output of a program, which has to succeed. errors: a file for what else it says."""
    env = dict(os.environ, **(environment or {}))
    done = subprocess.run([str(w) for w in words], env=env, stdout=subprocess.PIPE, stderr=errors,
                          text=True)
    if done.returncode != 0:
        sys.exit("failed (%d): %s" % (done.returncode, shlex.join(map(str, words))))
    return done.stdout


def interleave(rounds, programs):
    """programs: {name: function that returns {metric: value}}. A B C A B C ...: what drifts meets
    all alike. Returns the samples, {name: [{metric: value, "others": share}]}."""
    samples = {name: [] for name in programs}
    for number in range(rounds):
        for name, program in programs.items():
            with Beside() as beside:
                sample = program()
            samples[name].append(dict(sample, others=round(beside.share, 4)))
            shown = ", ".join("%s %.4g" % item for item in list(sample.items())[:6])
            print("round %d, %s: %s" % (number + 1, name, shown), file=sys.stderr, flush=True)
    return samples


def medians(samples):
    """{name: {metric: median}}"""
    return {
        name: {key: statistics.median(one[key] for one in all_of) for key in all_of[0]}
        for name, all_of in samples.items()
    }


def figure(name, value, bar=None, stretch=None):
    """One line of a result. A bar is the least that is wanted, or with "<" before it the most."""
    return {"name": name, "value": value, "bar": bar, "stretch": stretch}


def floor(work, ceilings):
    """Seconds that so many bytes and operations take at best: from the fastest that reading or
    copying got, and from products of random numbers."""
    memory = max(rate for name, rate in ceilings.items() if name.endswith(" GB/s"))
    return 1e-9 * max(work["bytes"] / memory, work["flops"] / ceilings["torch product GFLOP/s"])


def meets(value, bar):
    return value <= float(bar[1:]) if str(bar).startswith("<") else value >= float(bar)


def processor():
    with open("/proc/cpuinfo") as file:
        lines = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return lines[0] if lines else platform.machine()


def gpu():
    """Name, driver and clocks as the driver's own program says them."""
    words = "name,driver_version,memory.total,clocks.max.sm,clocks.max.memory,power.limit"
    try:
        done = subprocess.run(["nvidia-smi", "--query-gpu=" + words, "--format=csv,noheader"],
                              stdout=subprocess.PIPE, text=True)
    except OSError:
        return ""
    return done.stdout.strip()


def huge_pages():
    try:
        with open("/sys/kernel/mm/transparent_hugepage/enabled") as file:
            return file.read().strip()
    except OSError:
        return ""


def command():
    """As it was given, but for where things lie on this machine."""
    words, kept = sys.argv[1:], ["scripts/rivals/run.py"]
    while words:
        word = words.pop(0)
        if word in ("--build", "--work", "--output"):
            words.pop(0)
        else:
            kept.append(word)
    return shlex.join(kept)


def machine(device):
    found = {"processor": processor(), "processors": os.cpu_count(), "huge_pages": huge_pages()}
    if device == "cuda":
        found["gpu"] = gpu()
    return found


def show(one):
    line = "%-64s %10.3f" % (one["name"], one["value"])
    if one["bar"] is not None:
        verdict = "met" if meets(one["value"], one["bar"]) else "MISSED"
        line += "  bar %s: %s" % (one["bar"], verdict)
    if one["stretch"] is not None:
        line += ", stretch %s" % one["stretch"]
    print(line)


def write(options, idle, version, samples, figures, notes):
    """The result, as JSON to a file and in short to the screen."""
    worst = max(one["others"] for all_of in samples.values() for one in all_of)
    result = {
        "what": options.what,
        "command": command(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "version": version,
        "machine": machine(options.device),
        "idle": dict(idle, worst_beside=worst, quiet=worst <= MOST_BUSY),
        "notes": notes,
        "figures": figures,
        "medians": medians(samples),
        "samples": samples,
    }
    with open(options.output, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    for one in figures:
        show(one)
    if not result["idle"]["quiet"] or not idle["idle"]:
        print("not idle: others took up to %.0f %% beside a measurement" % (100 * worst))
    print("written: %s" % options.output)
