"""`python -m kdeploy.sandbox.registry FOLDER --port N`: the registry alone, on loopback, until it is told to end."""

from __future__ import annotations

import argparse
from pathlib import Path

from aiohttp import web

from kdeploy.sandbox.registry.server import application
from kdeploy.sandbox.registry.storage import Storage


def main() -> None:
    """Serves until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m kdeploy.sandbox.registry")
    parser.add_argument("folder", type=Path, help="what the registry keeps; made where it is missing")
    parser.add_argument("--port", type=int, default=5000)
    chosen = parser.parse_args()
    web.run_app(application(Storage(chosen.folder)), host="127.0.0.1", port=chosen.port, access_log=None)


if __name__ == "__main__":
    main()
