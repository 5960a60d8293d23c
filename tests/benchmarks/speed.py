"""Prints how fast and how large everything is: `python -m tests.benchmarks.speed [name…]`.

Nothing is asserted: computers differ. Where the figure depends on how busy the computer is, something comparable is
measured in the same run and shown beside it. Accuracy is measured by `tests.benchmarks.heads` and
`tests.benchmarks.fewshot`.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable

from tests.benchmarks import capture, embedding, live, memory, networks, scroll, startup, training
from tests.benchmarks.table import Row, render

MEASUREMENTS: dict[str, Callable[[], list[Row]]] = {
    "train": training.measure,
    "embedding": embedding.measure,
    "capture": capture.measure,
    "live": live.measure,
    "scroll": scroll.measure,
    "memory": memory.measure,
    "page": startup.measure_page,
    "commands": startup.measure_commands,
    "networks": networks.measure,
}


def main() -> None:
    """Run the measurements that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.speed", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"of a measurement: {', '.join(MEASUREMENTS)}; all if none is given")
    names: list[str] = parser.parse_args().name
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"no such measurement: {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    rows: list[Row] = []
    for name in names or MEASUREMENTS:
        began = time.perf_counter()
        print(f"{name} …", end="", file=sys.stderr, flush=True)
        rows += MEASUREMENTS[name]()
        print(f" {time.perf_counter() - began:.0f} s", file=sys.stderr)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load over 1, 5 and 15 minutes: {load}\n")
    print(render(rows))


if __name__ == "__main__":
    main()
