"""What the benchmarks share: the machine's name, timing, tables in a file."""

import datetime
import json
import os
import pathlib
import platform
import re
import resource
import subprocess
import sys
import time

README = pathlib.Path(__file__).parent / "README.md"


def machine():
    """One line about this machine."""
    name = platform.processor() or platform.machine()
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
        if found := re.search(r"model name\s*: (.*)", text):
            name = found[1]
    except OSError:
        pass
    return f"{os.cpu_count()} cores, {name}, {platform.system()}"


def best_seconds(function, repeats=3, warm_up=True):
    """Least wall time of a call, in seconds."""
    if warm_up:
        function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def peak_bytes():
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run_row(module, row, timeout, env=None):
    """Run one row of a table in a process of its own; return its results.

    Args:
        module: name of the module that takes `--row`.
        row: dict of JSON values.
        timeout: seconds.
        env: dict of variables that its environment has more.

    A row that fails or takes too long is reported by `{"error": …}`.
    """
    command = [sys.executable, "-m", module, "--row", json.dumps(row)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(env or {})},
        )
    except subprocess.TimeoutExpired:
        return {"error": f"more than {timeout} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return {"error": lines[-1][:200]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def markdown(header, rows):
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_section(name, text):
    """Put `text` between the marks of section `name` of README.md."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    old = README.read_text(encoding="utf-8")
    if begin not in old or end not in old:
        raise ValueError(f"{README} must have the marks {begin} and {end}.")
    head, rest = old.split(begin, 1)
    tail = rest.split(end, 1)[1]
    stamp = f"{datetime.date.today()}, {machine()}."
    new = f"{head}{begin}\n{stamp}\n\n{text}\n{end}{tail}"
    temporary = README.with_suffix(".tmp")
    temporary.write_text(new, encoding="utf-8")
    os.replace(temporary, README)
