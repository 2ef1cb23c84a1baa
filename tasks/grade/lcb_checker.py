# SPDX-License-Identifier: MIT
"""A problem's own checker judges an output. It is part of the dataset, and runs in a job of its own
after the program has ended: `checker.py input.txt correct_output.txt solution_output.txt`.
"""


def check():
    header, _, body = input.partition(b"\n")
    at = 0
    names = ["input.txt", "correct_output.txt", "solution_output.txt"]
    for name, size in zip(names, map(int, header.split())):
        with open(name, "wb") as file:
            file.write(body[at:at + size])
        at += size
    sys.argv = ["checker.py"] + names
    exec(compile(program, "checker.py", "exec", dont_inherit=True),
         {"__name__": "__main__", "__builtins__": builtins})


check()
