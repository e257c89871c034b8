"""`python -m bench`: measures everything on a cluster of its own and writes the numbers into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time

from bench.machine import circumstances
from bench.page import IMAGE, MEASURED, missed, render, replace_measured
from bench.plan import Runs, measure_all, measure_image_alone
from bench.rig import ROOT, rig
from tests.cluster.errors import RigError

PAGE = ROOT / "docs" / "benchmarks.md"
ONCE = Runs(few_pods=1, many_pods=1, failures=1, early_crashes=1, usual_crashes=1, cost=2, starts=2)


def main() -> int:
    """Measures, prints what it found, and writes the page. Exit 0 also where a target is missed: the page says so."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the cluster is stopped whatever ends this
    load, started = os.getloadavg()[0], time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - started:6.0f} s  {line}\n")

    try:
        with rig(options.kubernetes) as there:
            runs = ONCE if options.once else Runs()
            measures = {} if options.image else {MEASURED: measure_all(there, runs, say)}
            measures[IMAGE] = measure_image_alone(there, runs, say)
            command = "make bench" if len(sys.argv) == 1 else f"python -m bench {' '.join(sys.argv[1:])}"
            told = circumstances(there, command, load)
            texts = {place: render(tables, told) for place, tables in measures.items()}
    except RigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    for place, text in texts.items():
        sys.stdout.write(text)
        if not options.once:
            PAGE.write_text(replace_measured(PAGE.read_text(), text, place))
            say(f"written to {PAGE.relative_to(ROOT)}")
    say(f"{sum(len(missed(tables)) for tables in measures.values())} targets missed")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--kubernetes", metavar="VERSION", help="default: $KDEPLOY_E2E_KUBERNETES or the newest here")
    parser.add_argument("--once", action="store_true", help="try everything once, print it, leave the page alone")
    parser.add_argument("--image", action="store_true", help="measure the container image alone")
    return parser


if __name__ == "__main__":
    sys.exit(main())
