"""The versions of the app that the tests deploy: the files of a commit, a few lines of text each.

A version is one thing on both sides. Where containers really run, its image is busybox with a start script and httpd.
In the sandbox the same Dockerfile is built FROM scratch, and the label BEHAVIOUR says what the start script does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

PORT = 8080
HEALTH = "/cgi-bin/health"
BEHAVIOUR = "dev.kdeploy.sandbox.behaviour"

_SERVE = f"httpd -f -p {PORT} -h /app/www"
_START = f'#!/bin/sh\necho "$(cat /app/version) starts"\nexec {_SERVE}\n'
_NO_ENTRY = 'exec: "/app/missing": stat /app/missing: no such file or directory: unknown'
_PASS = "Status: 200 OK"
_FAIL = "Status: 500 Internal Server Error"
_DOCKERFILE = "FROM {base}\nCOPY app /app\nLABEL {label}={behaviour}\nCMD {command}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of the app: what its commit holds. `health` is the shell that answers HEALTH.

    `behaviour`: what they do, in the words of the sandbox's simulated pods (kdeploy/sandbox/core/behaviour.py).
    """

    name: str
    start: str = _START
    health: str = f"echo '{_PASS}'"
    command: str = '["/bin/sh", "/app/start"]'
    behaviour: str = ""
    dockerfile: str = _DOCKERFILE

    def files(self, base: str) -> Mapping[str, str]:
        """The checkout's files by their paths, `base` being the image that it is built from."""
        answer = "echo 'Content-Type: text/plain'\necho\ncat /app/version\n"
        dockerfile = self.dockerfile.format(
            base=base, label=BEHAVIOUR, behaviour=json.dumps(self.behaviour), command=self.command
        )
        return {
            "Dockerfile": dockerfile,
            "app/version": f"{self.name}\n",
            "app/start": self.start,
            "app/www/index.html": f"{self.name}\n",
            "app/www/cgi-bin/health": f"#!/bin/sh\n{self.health}\n{answer}",
        }


def good(name: str) -> Version:
    """Starts, serves and is healthy."""
    return Version(name=name)


def crashing(name: str) -> Version:
    """Ends at once, with a last word in its log."""
    return Version(
        name=name,
        start="#!/bin/sh\necho 'no database, no service' >&2\nexit 7\n",
        behaviour="log='no database, no service' exit=7",
    )


def crashing_later(name: str, seconds: int) -> Version:
    """Serves and is ready, and ends after some seconds."""
    return Version(
        name=name,
        start=f"#!/bin/sh\n{_SERVE} &\nsleep {seconds}\necho 'out of luck'\nexit 3\n",
        behaviour=f"exit=3 exit-after={seconds}s log='out of luck'",
    )


def never_ready(name: str) -> Version:
    """Runs, and listens to nothing."""
    return Version(name=name, start="#!/bin/sh\nexec sleep 3600\n", behaviour="http=refused")


def unhealthy(name: str) -> Version:
    """Is ready, and answers HEALTH with 500."""
    return Version(name=name, health=f"echo '{_FAIL}'", behaviour=f"http:{HEALTH}=500")


def without_entry_point(name: str) -> Version:
    """Names a program that is not in the image."""
    return Version(name=name, command='["/app/missing"]', behaviour=f"start-error='{_NO_ENTRY}'")


def depending_on(name: str, service: str) -> Version:
    """Is healthy while a Kubernetes service answers, by the address that pods find in their environment."""
    host = f"${service.upper()}_SERVICE_HOST"
    ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 {host} 80 | grep -q ' 200 '"
    return Version(
        name=name,
        health=f"if {ask}; then echo '{_PASS}'; else echo '{_FAIL}'; fi",
        behaviour=f"http:{HEALTH}=needs:{service}",
    )


def unbuildable(name: str) -> Version:
    """Its Dockerfile fails."""
    return Version(name=name, dockerfile="FROM {base}\nRUN echo 'the compiler says no' && exit 9\nCMD {command}\n")
