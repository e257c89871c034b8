"""Records what a real API server answers: `python -m tests.contract.sandbox.real http://127.0.0.1:8001`.

The server is reached through `kubectl proxy`, which takes care of who asks. It needs no node, and no controllers: with
them, answers that show a status would differ. The answers go to answers.json beside this file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.contract.sandbox.real.cases import all_cases
from tests.contract.sandbox.real.exchange import Server

ANSWERS = Path(__file__).with_name("answers.json")


def main() -> None:
    """Sends every case and writes the answers."""
    server = Server(sys.argv[1])
    server.prepare()
    recorded = {}
    for case in all_cases():
        if case.request.token:
            recorded[case.name] = server.answer(case)
    lines = [f"{json.dumps(name)}: {json.dumps(answer, sort_keys=True)}" for name, answer in recorded.items()]
    ANSWERS.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(recorded)} answers")


if __name__ == "__main__":
    main()
