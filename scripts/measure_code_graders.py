#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long the official harnesses' way of running programs takes, to compare `intuitor grade` with.

  measure_code_graders.py crux F.jsonl    records of `grade --task cruxeval_i`
  measure_code_graders.py lcb F.jsonl     records of `grade --task livecodebench`

The packages themselves are not needed: this is a stand-in with their process model, which is what
costs the time. Both start, for every program, a multiprocessing.Manager (a server process with two
shared lists) and a Process that is joined with a time limit, out of a pool of as many workers as
there are processors. In that process CRUXEval executes the code and the assertion; LiveCodeBench
runs the wrapper, for which our own driver of lcb-compat stands, with its replies dropped.
"""
import concurrent.futures
import json
import multiprocessing
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def read(name):
    with open(os.path.join(HERE, "..", "tasks", "grade", name)) as file:
        return file.read()


def in_process(target, words, limit):
    with multiprocessing.Manager() as manager:
        results = manager.list()
        process = multiprocessing.Process(target=target, args=words + (results,))
        process.start()
        process.join(timeout=limit)
        if process.is_alive():
            process.kill()
        return list(results)


def crux_child(source, results):
    sys.stdout = open(os.devnull, "w")
    try:
        exec(source, {})
        results.append(True)
    except BaseException:
        results.append(False)


def crux(record):
    source = "%s\nassert %s == %s" % (record["code"], record["output"], record["completion"])
    return in_process(crux_child, (source,), 4)


def lcb_child(program, asked, results):
    values = []
    names = {"program": program, "input": asked, "reply": values.append, "__name__": "driver"}
    driver = DRIVER.replace("leave = os._exit", "leave = lambda code: None")
    try:
        exec(compile(driver, "driver", "exec"), names)
    finally:
        results.append(len(values))


def lcb(record):
    lines = record["completion"].split("\n")
    fences = [i for i, line in enumerate(lines) if "```" in line]
    program = "\n".join(lines[fences[-2] + 1:fences[-1]]) if len(fences) > 1 else ""
    tests = record.get("tests", record.get("public_test_cases"))
    entry = record.get("entry_point")
    asked = json.dumps({"tests": [t["input"] for t in tests], "entry": entry, "seconds": 6})
    return in_process(lcb_child, (program.encode(), asked.encode()), 7 * len(tests) + 5)


DRIVER = read("lcb_common.py") + "\n" + read("lcb_compat.py")

if __name__ == "__main__":
    run = {"crux": crux, "lcb": lcb}[sys.argv[1]]
    with open(sys.argv[2]) as lines:
        records = [json.loads(line) for line in lines]
    start = time.time()
    with concurrent.futures.ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        done = sum(1 for _ in pool.map(run, records))
    print("%d programs, %.2f s" % (done, time.time() - start))
