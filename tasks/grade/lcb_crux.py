# SPDX-License-Identifier: MIT
"""CRUXEval-I: the value of the call that a model proposes, after the function was defined. The
answer stands where the official check has `assert output == ANSWER`; it must be a call of the
function itself, or an answer that holds the output would do.
"""
import ast


def crux():
    answer = input.decode("utf-8", "surrogatepass")
    names = {}
    statements = ast.parse("assert 0 == " + answer).body
    test = statements[0].test
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1):
        reply(b"r")
        return
    call = test.comparators[0]
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and
            call.func.id in ("f", "candidate")):
        reply(b"r")
        return
    exec(compile(source_text(), "problem.py", "exec", dont_inherit=True), names)
    if call.func.id == "candidate":
        names["candidate"] = names["f"]
    value = eval(compile(ast.Expression(call), "answer.py", "eval", dont_inherit=True), names)
    send_value(value)
    rest = ast.Module(statements[1:], [])
    exec(compile(rest, "answer.py", "exec", dont_inherit=True), names)
    reply(b"d")


crux()
