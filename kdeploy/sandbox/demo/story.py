"""The demo from top to bottom: a sandbox, a repository, four deploys, a client that never stops asking, and a table."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import kdeploy
from kdeploy.errors import ClusterError
from kdeploy.model import Obj
from kdeploy.rollout.objects import is_ready
from kdeploy.sandbox.background import Ports, end, let_go, start
from kdeploy.sandbox.demo.access import Access, open_access
from kdeploy.sandbox.demo.client import SteadyClient, Tally, Way
from kdeploy.sandbox.demo.commits import COMMITS
from kdeploy.sandbox.demo.environment import clean_environment
from kdeploy.sandbox.demo.repository import Repository
from kdeploy.sandbox.demo.scene import NAMESPACE, Scene
from kdeploy.sandbox.demo.screen import Screen
from kdeploy.sandbox.demo.table import Row, differences, row_of, running_now
from kdeploy.sandbox.service import address_of
from kdeploy.sandbox.state import Folder

DIFFERENT = 1
"""The exit code where something was not as told."""

_SERVICE = f"/api/v1/namespaces/{NAMESPACE}/services/web"
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app%3Dweb"
_PATIENCE = 5.0


def tell(
    env: Mapping[str, str],
    screen: Screen,
    keep: Folder | None,
    ignore_signals: Callable[[], None],
    *,
    simulated: bool = False,
) -> int:
    """Runs the whole demo. Returns the exit code: 0 only if everything went as told.

    `env` is the user's environment. `keep`: the folder of a sandbox that is left up; None leaves nothing behind.
    `simulated`: no pod is a process, even where pods could be.
    """
    began = time.monotonic()
    with scene(env, keep, ignore_signals, simulated=simulated) as there:
        screen.introduce(there)
        rows, tally = deploy_all(there, screen)
        wrong = differences(rows, COMMITS, tally)
        screen.conclude(rows, tally, running(there, rows), wrong, time.monotonic() - began)
        screen.suggest(there if keep else None)
    return DIFFERENT if wrong else 0


def deploy_all(there: Scene, screen: Screen) -> tuple[list[Row], Tally]:
    """Deploys the commits, one after the other; from the first version on the steady client asks."""
    rows: list[Row] = []
    client: SteadyClient | None = None
    with ExitStack() as stack:
        for number, commit in enumerate(COMMITS):
            sha = there.repository.commit(commit, number)
            screen.announce(number, commit, sha, there)
            rows.append(row_of(commit, sha, there.deploy()))
            if not number and not rows[0].as_told:
                break  # nothing runs that could be asked, or gone back to
            if client is None:
                client = stack.enter_context(SteadyClient(way_to_service(there)))
    return rows, client.tally if client else Tally(rate=0)


def way_to_service(there: Scene) -> Way:
    """How a client asks the Service: at its own address; through the API server where nobody could listen there."""
    if there.served.network:
        host, port = service_address(there.access)
        return Way(host=host, port=port)
    address = urlsplit(there.access.api)
    return Way(
        host=address.hostname or "",
        port=address.port or 443,
        path=f"{_SERVICE}:http/proxy/",
        token=there.access.token,
        tls=there.access.tls(),
    )


def service_address(access: Access) -> tuple[str, int]:
    """Where the Service is asked."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for place in address_of(access.get(_SERVICE)):
            host, _, port = place.rpartition(":")
            return host, int(port)
        time.sleep(0.02)
    raise ClusterError("the Service web got no address", hint="look at kubectl -n demo describe service web")


def running(there: Scene, rows: list[Row]) -> str:
    """What runs at the end, by the pods themselves."""
    pods: list[Obj] = [pod for pod in there.access.get(_PODS)["items"] if "deletionTimestamp" not in pod["metadata"]]
    images = {container["image"] for pod in pods for container in pod["spec"]["containers"]}
    return running_now(images, sum(map(is_ready, pods)), len(pods), rows)


@contextmanager
def scene(
    env: Mapping[str, str], keep: Folder | None, ignore_signals: Callable[[], None], *, simulated: bool
) -> Iterator[Scene]:
    """A sandbox with the app's manifests, and its repository without a commit. Nothing of it is left, but to `keep`."""
    folder = keep or Folder(Path(tempfile.mkdtemp(prefix="kdeploy-demo-")))
    folder.make()
    home, package = folder.demo / "home", Path(kdeploy.__file__).parents[1]
    children = clean_environment(env, home, package) | {"KUBECONFIG": str(folder.kubeconfig)}
    with ExitStack() as undo:
        undo.callback(folder.clear)
        home.mkdir(parents=True)
        repository = Repository(folder=folder.demo / "web", env=children)
        repository.create()
        served, process = start(folder, Ports(), children, bound=keep is None, simulated=simulated)
        undo.callback(end, process)
        undo.callback(ignore_signals)  # the first to be called: what is left behind must not depend on patience
        access = open_access(folder.kubeconfig)
        there = Scene(
            folder=folder, served=served, repository=repository, access=access, env=children, kept=keep is not None
        )
        there.apply()
        yield there
        if keep is not None:
            undo.pop_all()
            let_go(process)
