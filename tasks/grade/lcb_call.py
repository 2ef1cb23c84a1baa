# SPDX-License-Identifier: MIT
"""lcb-strict, one call of a function: the value goes home."""


def strict_call():
    asked = json.loads(input)
    source = source_text()
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    exec(PREAMBLE, module.__dict__)
    exec(compile(source, "solution.py", "exec", dont_inherit=True), module.__dict__)
    owner = module.Solution() if "class Solution" in source else module
    arguments = [json.loads(line) for line in asked["tests"][0].split("\n") if line.strip()]
    value = getattr(owner, asked["entry"])(*arguments)
    send_value(list(value) if isinstance(value, tuple) else value)


strict_call()
