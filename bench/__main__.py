"""`python -m bench`: measures everything on a cluster of its own and writes the numbers into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time

from bench.machine import circumstances
from bench.page import missed, render, replace_measured
from bench.plan import Runs, measure_all
from bench.rig import ROOT, rig
from tests.cluster.errors import RigError

PAGE = ROOT / "docs" / "benchmarks.md"
ONCE = Runs(few_pods=1, many_pods=1, failures=1, early_crashes=1, usual_crashes=1, cost=2)


def main() -> int:
    """Measures, prints what it found, and writes the page. Exit 0 also where a target is missed: the page says so."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the cluster is stopped whatever ends this
    load, started = os.getloadavg()[0], time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - started:6.0f} s  {line}\n")

    try:
        with rig(options.kubernetes) as there:
            measures = measure_all(there, ONCE if options.once else Runs(), say)
            command = "make bench" if len(sys.argv) == 1 else f"python -m bench {' '.join(sys.argv[1:])}"
            text = render(measures, circumstances(there, command, load))
    except RigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(text)
    if not options.once:
        PAGE.write_text(replace_measured(PAGE.read_text(), text))
        say(f"written to {PAGE.relative_to(ROOT)}")
    say(f"{len(missed(measures))} targets missed")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--kubernetes", metavar="VERSION", help="default: $KDEPLOY_E2E_KUBERNETES or the newest here")
    parser.add_argument("--once", action="store_true", help="try everything once, print it, leave the page alone")
    return parser


if __name__ == "__main__":
    sys.exit(main())
