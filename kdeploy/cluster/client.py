"""`KubernetesCluster`: the port `kdeploy.ports.Cluster` on a real API server, in raw JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from ssl import SSLContext

from kdeploy.cluster import access, preflight, requests, survey
from kdeploy.cluster.inbox import Inbox
from kdeploy.cluster.parallel import together
from kdeploy.cluster.proxy import ProxyAnswer, allowed_headers, classify
from kdeploy.cluster.store import Store
from kdeploy.cluster.stream import Resource, Stream
from kdeploy.cluster.transport import Purpose, Transport
from kdeploy.cluster.view import View, by_uid, items, listed, uid
from kdeploy.cluster.watchdog import Watchdog
from kdeploy.errors import ClusterError, UnreachableError
from kdeploy.model import Obj, Operation, Permission, Snapshot, Target
from kdeploy.ports import Clock, Notice
from kdeploy.rollout.containers import env_secrets
from kdeploy.rollout.pod_events import when
from kdeploy.secret import Secret

SILENCE_SECONDS = 5.0
_EVENTS_OF_PODS = 3
_LOG_IS_GONE = ("unable to retrieve container logs for ", "failed to try resolving symlinks in path ")
"""What a kubelet answers, with status 200, where it has removed the container or its log (kuberuntime_container.go)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Upgrade:
    """What a protocol upgrade (a websocket to the API server) needs. `headers` hold the token: never print them."""

    server: str
    headers: tuple[tuple[str, str], ...]
    tls: SSLContext | None


class KubernetesCluster:
    """One API server, seen from one target's side. `kdeploy.cluster.connect` makes it.

    `preflight` or `open` names the target; `open` begins to watch it. `silence` is how many seconds all streams may be
    silent before one read looks whether they are alive. `namespace`: the context's own.
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        clock: Clock,
        silence: float = SILENCE_SECONDS,
        *,
        namespace: str | None = None,
        hide: Callable[[Secret], None] = lambda _: None,
    ) -> None:
        self._name = name
        self._namespace = namespace
        self._hide = hide
        self._transport = transport
        self._clock = clock
        self._silence = silence
        self._inbox = Inbox(clock)
        self._target: Target | None = None
        self._stores: tuple[Store, Store, Store] | None = None
        self._resources: tuple[Resource, Resource, Resource] | None = None
        self._seen: Obj | None = None
        self._streams: tuple[Stream, ...] = ()
        self._watchdog: Watchdog | None = None

    @property
    def name(self) -> str:
        """The kubeconfig context's name, or "in-cluster"."""
        return self._name

    @property
    def url(self) -> str:
        """The API server's URL."""
        return self._transport.session.server

    @property
    def requests(self) -> int:
        """How many requests were sent for the story."""
        return self._transport.sent(Purpose.STORY)

    @property
    def silence_probes(self) -> int:
        """How many reads were sent because every stream was silent."""
        return self._transport.sent(Purpose.SILENCE)

    def preflight(self, target: Target, until: float) -> Snapshot:
        """One read of the target, its revisions and its pods; not counted."""
        self._target = target
        with self._as_elsewhere(target):
            workload = preflight.read_workload(self._transport, target, until)
        revisions, pods = self._list(_dependents(target, workload), until, Purpose.PREFLIGHT)
        self._seen = workload
        self._hide_secrets(workload, *revisions.objects.values())
        return Snapshot(
            workload=workload, revisions=tuple(revisions.objects.values()), pods=tuple(pods.objects.values())
        )

    @contextmanager
    def _as_elsewhere(self, target: Target) -> Iterator[None]:
        """Where the target cannot be read, the error names the context's own namespace beside the one asked for."""
        try:
            yield
        except ClusterError as error:
            raise preflight.elsewhere(error, target, self._name, self._namespace) from None

    def _hide_secrets(self, *objects: Obj) -> None:
        for secret in {secret for obj in objects for secret in env_secrets(obj)}:
            self._hide(secret)

    def lacking(self, asked: Sequence[Permission], until: float) -> tuple[Permission, ...]:
        """Those of the permissions that this user certainly has not; not counted."""
        return access.lacking(self._transport, asked, until)

    def certainly_lacking(self, asked: Sequence[Permission], until: float) -> tuple[Permission, ...]:
        """The same, for where no deploy follows that would tell: raises ClusterError where it cannot be asked."""
        return access.lacking(self._transport, asked, until, must_tell=True)

    def server(self, until: float) -> survey.Server:
        """What the API server tells of itself. Raises ClusterError where it does not answer, or not to this user."""
        return survey.look_at_server(self._transport, self._clock, until)

    def workloads(self, namespace: str, until: float) -> tuple[Obj, ...]:
        """All workloads of a namespace that this user may list. Raises ClusterError where there is no answer."""
        return survey.list_workloads(self._transport, namespace, until)

    def open(self, target: Target, until: float) -> Snapshot:
        """Lists the workload, its revisions and its pods, and goes on watching all three from there: six requests.

        All three at once, where preflight has shown the selector of the other two: it can only change if the workload
        is another one. That leaves three connections open, as many as a fresh read needs.
        """
        self._end_streams()
        self._target = target
        resource = requests.workload_resource(target)
        known = _dependents(target, self._seen) if self._seen else ()
        with self._as_elsewhere(target):
            workloads, *dependents = self._list((resource, *known), until)
            if not workloads.objects:
                raise preflight.not_found(self._transport, target, until)
        found = _dependents(target, next(iter(workloads.objects.values())))
        if found != known:
            dependents = self._list(found, until)
        self._resources = resource, *found
        self._hide_secrets(*workloads.objects.values(), *dependents[0].objects.values())
        self._stores = Store(workloads), Store(dependents[0]), Store(dependents[1])
        self._watch(target)
        return self.snapshot()

    def snapshot(self) -> Snapshot:
        """The latest view that the streams gave."""
        if self._stores is None:
            return Snapshot(workload=None)
        workloads, revisions, pods = (store.objects() for store in self._stores)
        return Snapshot(workload=workloads[-1] if workloads else None, revisions=revisions, pods=pods)

    def refresh(self, until: float) -> Snapshot:
        """Reads all three again past the streams, at once; of each object the view keeps the newer state."""
        target, stores, resources = self._opened()
        with ExitStack() as readings:
            learn = [readings.enter_context(store.reading()) for store in stores]
            # The longest answer is asked for first.
            pods, revisions = [self._transport.begin_read(one.list_request(), until) for one in resources[:0:-1]]
            workload = self._transport.begin_read(requests.get_workload(target), until)
            learn[0](by_uid(_unless_gone(workload)))
            learn[1](by_uid(items(revisions())))
            learn[2](by_uid(items(pods())))
        return self.snapshot()

    def next(self, until: float) -> Notice | None:
        """Waits for the next notice; None when `until` has come."""
        return self._inbox.take(until)

    def post(self, notice: Notice) -> None:
        """Leaves a notice for `next`: a probe's sample, a signal. From any thread, or a signal handler."""
        self._inbox.post(notice)

    def patch(self, operations: Sequence[Operation], until: float, *, dry_run: bool = False) -> Obj:
        """Sends one JSON patch to the workload and returns what the server made of it. One attempt."""
        target = self._known_target()
        request = requests.patch_workload(target, operations, dry_run=dry_run)
        if dry_run or self._stores is None:
            return self._transport.once(request, until)
        with self._stores[0].reading() as learn:
            patched = self._transport.once(request, until)
            if not uid(patched) or "spec" not in patched:
                raise UnreachableError("cannot tell whether the patch was applied: the answer is not the workload")
            learn(by_uid([patched]))  # so that no snapshot from here on is older than the patch
        return patched

    def patch_revision(self, name: str, operations: Sequence[Operation], until: float) -> None:
        """Sends one JSON patch to a revision of the workload. One attempt."""
        self._transport.once(requests.patch_revision(self._known_target(), name, operations), until)

    def delete_pod(self, name: str, uid: str, until: float) -> None:
        """Deletes the pod if it still has that uid; a pod that is gone or another is no error."""
        try:
            self._transport.once(requests.delete_pod(self._known_target(), name, uid), until)
        except ClusterError as error:
            if error.status not in (404, 409):
                raise

    def pod_events(self, pods: Sequence[str], until: float) -> tuple[Obj, ...]:
        """The Kubernetes events about the first three of those pods, oldest first; none where they cannot be read."""
        target = self._known_target()

        def read(pod: str) -> tuple[Obj, ...]:
            try:
                return items(self._transport.once(requests.pod_events(target, pod), until))
            except ClusterError:
                return ()

        found = together([partial(read, pod) for pod in pods[:_EVENTS_OF_PODS]])
        return tuple(sorted((event for events in found for event in events), key=when))

    def log_tail(self, pod: str, container: str, *, previous: bool, lines: int, until: float) -> str:
        """The last lines of a container's log (hostile text); empty where there is none or it may not be read."""
        request = requests.log_tail(self._known_target(), pod, container, previous=previous, lines=lines)
        try:
            answer = self._transport.exchange(request, until - self._clock.now())
        except ClusterError:
            return ""
        text = answer.body[: requests.LOG_LIMIT_BYTES].decode(errors="replace")
        return text if answer.status == 200 and not text.startswith(_LOG_IS_GONE) else ""

    def pod_proxy(
        self, pod: str, port: int, scheme: str, path_and_query: str, headers: Mapping[str, str], timeout: float
    ) -> ProxyAnswer:
        """One GET to a pod's port through the API server, within `timeout` seconds; redirects are not followed.

        Raises nothing for what goes wrong on the way: that is an answer of the proxy's. ConfigError for a bad path.
        """
        request = requests.through_proxy(
            self._known_target(), pod, port, scheme, path_and_query, allowed_headers(headers)
        )
        try:
            answer = self._transport.exchange(request, timeout)
        except ClusterError as error:
            return ProxyAnswer(status=None, body_excerpt=error.message, is_proxy_error=True)
        return classify(answer.status, answer.body)

    def credentials_for_upgrade(self) -> Upgrade:
        """What a port-forward's websocket needs to reach the API server as this user."""
        session = self._transport.session
        return Upgrade(server=session.server, headers=tuple(session.headers()), tls=session.tls)

    def close(self) -> None:
        """Ends the streams and every wait, without waiting for a thread."""
        self._transport.close()
        self._end_streams()

    def _watch(self, target: Target) -> None:
        _, stores, resources = self._opened()
        probe = requests.get_workload(target, Purpose.SILENCE)
        watchdog = Watchdog(probe, stores[0], self._transport, self._clock, self._inbox.post, self._silence)
        self._watchdog = watchdog
        self._streams = tuple(
            Stream(resource, store, self._transport, self._clock, self._inbox.post, watchdog.heard)
            for resource, store in zip(resources, stores, strict=True)
        )
        for stream in self._streams:
            stream.start()
        watchdog.start(self._streams)

    def _end_streams(self) -> None:
        if self._watchdog is not None:
            self._watchdog.close()
        for stream in self._streams:
            stream.close()

    def _list(self, resources: Sequence[Resource], until: float, purpose: Purpose = Purpose.STORY) -> list[View]:
        """Lists all of them at once."""
        begun = [self._transport.begin_read(resource.list_request(purpose), until) for resource in resources]
        return [listed(finish()) for finish in begun]

    def _known_target(self) -> Target:
        if self._target is None:
            raise RuntimeError("preflight or open comes first")
        return self._target

    def _opened(self) -> tuple[Target, tuple[Store, Store, Store], tuple[Resource, Resource, Resource]]:
        if self._target is None or self._stores is None or self._resources is None:
            raise RuntimeError("open comes first")
        return self._target, self._stores, self._resources


def _dependents(target: Target, workload: Obj) -> tuple[Resource, Resource]:
    """The workload's revisions and its pods, as collections."""
    return requests.revisions_resource(target, workload), requests.pods_resource(target, workload)


def _unless_gone(read: Callable[[], Obj]) -> tuple[Obj, ...]:
    """The object read, none where there is none."""
    try:
        return (read(),)
    except ClusterError as error:
        if error.status != 404:
            raise
        return ()
