"""Runs lines of Python as its prompt does; of a traceback the last line is left. A reply ends with a zero."""

import code
import contextlib
import io
import sys

interpreter = code.InteractiveInterpreter()
for line in sys.stdin:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        interpreter.runsource(line)
    text = out.getvalue()
    if text.startswith("Traceback"):
        text = text.splitlines()[-1] + "\n"
    print(text, end="\0", flush=True)
