# SPDX-License-Identifier: MIT
"""A rival's side of the talk with run.py: each line it is sent asks for a measurement, which it
answers with a line of JSON. What libraries print goes elsewhere."""

import json
import os
import sys


class Door:
    def __init__(self):
        os.environ.pop("LD_PRELOAD", None)  # loaded here; compilers started from here do without
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def asked(self):
        """Waits. False: nothing more is wanted."""
        return bool(sys.stdin.readline())

    def answer(self, found):
        print(json.dumps(found), file=self.answers, flush=True)

    def serve(self, measure):
        while self.asked():
            self.answer(measure())
