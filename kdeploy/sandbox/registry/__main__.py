"""`python -m kdeploy.sandbox.registry FOLDER --port N`: the registry alone, on loopback, until it is told to end.

Where KDEPLOY_SANDBOX_REGISTRY_PASSWORD is set, the user "kdeploy" needs it, and nobody else is let in.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from aiohttp import web

from kdeploy.sandbox.registry.server import Account, application
from kdeploy.sandbox.registry.storage import Storage
from kdeploy.secret import Secret


def main() -> None:
    """Serves until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m kdeploy.sandbox.registry")
    parser.add_argument("folder", type=Path, help="what the registry keeps; made where it is missing")
    parser.add_argument("--port", type=int, default=5000)
    chosen = parser.parse_args()
    password = os.environ.get("KDEPLOY_SANDBOX_REGISTRY_PASSWORD")
    account = Account(name="kdeploy", password=Secret(password)) if password else None
    app = application(Storage(chosen.folder), account=account)
    web.run_app(app, host="127.0.0.1", port=chosen.port, access_log=None)


if __name__ == "__main__":
    main()
