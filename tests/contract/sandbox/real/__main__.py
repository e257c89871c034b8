"""Records what a real API server answers: `python -m tests.contract.sandbox.real http://127.0.0.1:8001`.

The server is reached through `kubectl proxy`, which takes care of who asks. It needs no node, and no controllers: with
them, answers that show a status would differ. The answers go to answers.json, tables.json and
protobuf.json beside this file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.contract.sandbox.real.cases import all_cases, encoded
from tests.contract.sandbox.real.exchange import Server
from tests.contract.sandbox.real.table_cases import table_cases

HERE = Path(__file__).parent


def main() -> None:
    """Sends every case and writes the answers, and the lines of `kubectl get`."""
    server = Server(sys.argv[1])
    server.prepare()
    answers = {case.name: server.answer(case) for case in all_cases() if case.request.token}
    _write(HERE / "answers.json", answers)
    _write(HERE / "tables.json", {shown[0]: server.shown(shown) for shown in table_cases()})
    _write(HERE / "protobuf.json", {path: server.encoded(path, obj) for path, obj in encoded()})
    print(f"{len(answers)} answers")


def _write(path: Path, recorded: Mapping[str, object]) -> None:
    lines = [f"{json.dumps(name)}: {json.dumps(one, sort_keys=True)}" for name, one in recorded.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
