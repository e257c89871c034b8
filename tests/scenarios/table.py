"""The table: what becomes of a workload when a version of some behaviour is deployed, and somebody does this or that.

Each row is played in the sandbox and on real clusters, by the same words. Where they differ, the sandbox is wrong.
"""

from tests.scenarios.rows import by_hand, failures, good, interference, interrupts, kinds, refusals
from tests.scenarios.scenario import OutOfReach, Scenario

ROWS: tuple[Scenario, ...] = (
    *good.ROWS,
    *failures.ROWS,
    *interference.ROWS,
    *interrupts.ROWS,
    *kinds.ROWS,
    *by_hand.ROWS,
    *refusals.ROWS,
)

OUT_OF_REACH: tuple[OutOfReach, ...] = (
    OutOfReach(
        what="Quotas, limit ranges, admission webhooks and policies",
        why="the sandbox's API server admits whatever is valid: it has no plug-ins, and counts nothing",
    ),
    OutOfReach(
        what="Users with few rights, and what kdeploy then says",
        why="one token guards the sandbox, and may do everything: there are no roles",
        tests=("e2e/test_refusals.py",),
    ),
    OutOfReach(
        what="TLS that does not verify, exec plugins that fail",
        why="the sandbox's own certificate always verifies, and its login is a token",
        tests=("e2e/test_refusals.py",),
    ),
    OutOfReach(
        what="Registries that want a login, pull secrets",
        why="the sandbox's registry has no users",
        tests=("e2e/test_registry.py",),
    ),
    OutOfReach(
        what="Builds by Docker: buildx, the classic builder, RUN, no engine at all, a signal during the build",
        why="the sandbox's images are built without a daemon, in milliseconds, and nothing in them is run",
        tests=("e2e/test_builds.py", "e2e/test_build_real.py", "e2e/test_refusals.py"),
    ),
    OutOfReach(
        what="An API server that goes away or falls silent, a kubelet that stops, a node that is lost",
        why="the sandbox is one process: API server, controllers and kubelet come and go together",
        tests=("e2e/test_disruptions.py",),
    ),
    OutOfReach(
        what="The requests of a deploy by the API server's audit log",
        why="the sandbox writes none; that the report's own count is right is shown on a real cluster",
        tests=("e2e/test_requests.py",),
    ),
    OutOfReach(
        what="Memory and CPU: OOMKilled by the kernel, slow starts of a busy machine",
        why="a simulated container uses neither",
    ),
)
