"""`make image`: builds the container image in the Docker Engine of the cluster that runs, and prints its parts."""

import sys

from tests.cluster.cluster import running
from tests.cluster.errors import RigError
from tests.image.build import Docker, build, push, reference


def main() -> int:
    """The exit code, with one line on stderr if it fails."""
    try:
        cluster = running()
        docker = Docker(cluster)
        build(docker, lambda line: print(line, file=sys.stderr))
        parts = push(docker, cluster.registry, reference())
    except RigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    for name, size in parts.items():
        sys.stdout.write(f"{name:<12}{size / 1e6:7.1f} MB compressed\n")
    sys.stdout.write(f"{'all':<12}{sum(parts.values()) / 1e6:7.1f} MB: {cluster.registry}/{reference()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
