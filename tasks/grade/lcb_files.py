# SPDX-License-Identifier: MIT
"""Problems of Codeforces that read input.txt and write output.txt."""


def with_files():
    with open("input.txt", "wb") as file:
        file.write(input)
    names = {"__name__": "__main__", "__builtins__": builtins}
    try:
        exec(compile(program, "main.py", "exec", dont_inherit=True), names)
    except SystemExit as stop:
        if stop.code not in (None, 0):
            raise
    with open("output.txt", "rb") as file:
        reply(b"o" + file.read())


with_files()
