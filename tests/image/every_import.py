"""Runs inside the image: imports everything that kdeploy, or the part of the Kubernetes client that it uses, can import
at any time, also where a function does so only when it is called. Prints how many; what is missing, or is there without
being compiled, is an error.

    python -I every_import.py
"""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

CLIENT = ("config", "client/rest.py", "client/configuration.py", "client/api_client.py", "client/exceptions.py")
"""What kdeploy/cluster/auth.py imports, and what that imports in turn."""
OPTIONAL = ("google", "adal", "urllib3.contrib.socks", "_typeshed")
"""Extras that nobody has here: logins of clouds and SOCKS, which the client looks for first; a type checker's stub."""


def main() -> None:
    """Imports one by one."""
    missing, found = [], 0
    for where, module, name in sorted(_imports()):
        if f"{module}.".startswith(tuple(f"{each}." for each in OPTIONAL)):
            continue
        try:
            loaded = importlib.import_module(module)
            if name and not hasattr(loaded, name):
                importlib.import_module(f"{module}.{name}")
            found += 1
        except ImportError as error:
            missing.append(f"{where}: {module} {name}: {error}")
    missing += [f"{name} is not compiled" for name in _not_compiled()]
    sys.stdout.write("".join(f"{line}\n" for line in missing) or f"{found}\n")
    sys.exit(bool(missing))


def _not_compiled() -> list[str]:
    """Modules that cost the time of their compilation at each start. (Debian's sitecustomize is one empty line.)"""
    modules = (
        (name, getattr(module, "__spec__", None)) for name, module in [*sys.modules.items()] if name != "sitecustomize"
    )
    sources = ((name, spec) for name, spec in modules if spec and (spec.origin or "").endswith(".py"))
    return [name for name, spec in sources if name != "__main__" and not (spec.cached and Path(spec.cached).exists())]


def _imports() -> Iterator[tuple[str, str, str]]:
    """File, module and name of each import statement."""
    for path, package in _sources():
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from ((str(path), alias.name, "") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                yield from ((str(path), module, alias.name if alias.name != "*" else "") for alias in node.names)


def _sources() -> Iterator[tuple[Path, str]]:
    """Source files, each with the package that its relative imports begin at."""
    kdeploy = Path(importlib.import_module("kdeploy").__path__[0])
    client = Path(importlib.import_module("kubernetes").__path__[0])
    files = [path for path in kdeploy.rglob("*.py") if "demo/app" not in path.as_posix()]
    for part in CLIENT:
        files += [client / part] if part.endswith(".py") else [*(client / part).glob("*.py")]
    for path in files:
        below = path.relative_to(kdeploy.parent).parent
        yield path, ".".join(below.parts)


if __name__ == "__main__":
    main()
