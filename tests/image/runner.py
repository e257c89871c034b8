"""GitHub's runner as far as it runs a container action: the folders of a job, `docker run`, and the end of it.

Written from the runner's own source, github.com/actions/runner, below src/:
- Runner.Worker/Handlers/ContainerActionHandler.cs: the mounts, HOME, what becomes of paths;
- Runner.Worker/Container/DockerCommandManager.cs (DockerRun): the flags, and `-e NAME` without a value for each
  variable, whose values are in the environment of `docker` itself;
- Runner.Worker/FileCommandManager.cs: a new empty file a command and step;
- Runner.Worker/GitHubContext.cs: the variables GITHUB_...;
- Runner.Sdk/ProcessInvoker.cs: no stdin, and the signals of a cancelled step, which go to `docker run` alone. That
  hands them on to the container; when it is killed at last, the container lives on.
"""

import os
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.unit.report.github.runner import Command, commands, read_file

ROOT = Path(__file__).resolve().parents[2]
SIGINT_TIMEOUT, SIGTERM_TIMEOUT = 7.5, 2.5
"""Seconds from SIGINT to SIGTERM, and from that to the kill."""
LONGEST = 200.0
"""Seconds after which a step counts as hanging."""
USER = 1001
"""Who runs the runner on GitHub's machines, and owns the workspace: not root, which the container is."""
LABEL = "5f1e2d"  # the runner's: six digits of a hash over its configuration
FILE_COMMANDS = {
    "GITHUB_OUTPUT": "set_output_",
    "GITHUB_STEP_SUMMARY": "step_summary_",
    "GITHUB_ENV": "set_env_",
    "GITHUB_PATH": "add_path_",
    "GITHUB_STATE": "save_state_",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a step ended: what the runner knows of it."""

    code: int
    log: str
    outputs: Mapping[str, str]
    summary: str

    @property
    def commands(self) -> list[Command]:
        """What the runner obeys in the log."""
        return commands(self.log)

    @property
    def errors(self) -> list[str]:
        """The text of each error annotation."""
        return [each.data for each in self.commands if each.name == "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step under way."""

    process: subprocess.Popen[bytes]
    name: str
    log: Path
    files: Mapping[str, Path]

    @property
    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text("utf-8", "replace")

    def cancel(self) -> str:
        """What a cancelled run does to the step; the last thing that it took to end `docker run`."""
        self.process.send_signal(signal.SIGINT)
        if self._ends_within(SIGINT_TIMEOUT):
            return "SIGINT"
        self.process.send_signal(signal.SIGTERM)
        if self._ends_within(SIGTERM_TIMEOUT):
            return "SIGTERM"
        self.process.kill()
        return "SIGKILL"

    def end(self) -> Ended:
        """Waits for the end, and reads the files as the runner does."""
        try:
            code = self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it hangs:\n{self.said}") from None
        texts = {name: path.read_text("utf-8", "replace") for name, path in self.files.items()}
        outputs, summary = read_file(texts["GITHUB_OUTPUT"]), texts["GITHUB_STEP_SUMMARY"]
        return Ended(code=code, log=self.said, outputs=outputs, summary=summary)

    def _ends_within(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job on one machine: `folder` has its workspace and the runner's own folders.

    `docker_socket` is where the machine's engine listens: on GitHub /var/run/docker.sock. A step's container is there
    on the default bridge, or on the job's network where it has services. Here the engine lives in the cluster's
    network, where the registry is localhost: so `network` is the engine's own, "host".
    """

    folder: Path
    workspace: Path
    image: str
    docker_host: str
    docker_socket: Path
    network: str = "host"
    sha: str = "0" * 40
    variables: Mapping[str, str] = field(default_factory=dict)

    def start(self, **inputs: str) -> Step:
        """Starts the action with these inputs (dashes as underscores); the runner passes the others too, empty."""
        name = f"{LABEL}_{uuid.uuid4().hex[:12]}"
        temp, files = self._prepare()
        environment = {
            **self.variables,
            **_inputs(inputs),
            **_context(),
            "GITHUB_SHA": self.sha,
            "RUNNER_TEMP": str(temp),  # these two are paths of the machine, which the container does not have
            "RUNNER_WORKSPACE": str(self.workspace.parent),
            "HOME": "/github/home",
        }
        environment |= {name: f"/github/file_commands/{path.name}" for name, path in files.items()}
        words = ["docker", "run", "--name", name, "--label", LABEL, "--workdir", "/github/workspace", "--rm"]
        words += [word for key in environment for word in ("-e", key)]
        words += ["-e", "GITHUB_ACTIONS=true", "-e", "CI=true", "--network", self.network]
        words += [word for mount in self._mounts(temp) for word in ("-v", mount)]
        log = temp / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*words, self.image],
                cwd=self.workspace,
                env={**os.environ, **environment, "DOCKER_HOST": self.docker_host},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        return Step(process=process, name=name, log=log, files=files)

    def run(self, **inputs: str) -> Ended:
        """The same, to its end."""
        return self.start(**inputs).end()

    def _prepare(self) -> tuple[Path, dict[str, Path]]:
        temp = self.folder / "_temp"
        for name in ("_github_home", "_github_workflow", "_runner_file_commands"):
            (temp / name).mkdir(parents=True, exist_ok=True)
        (temp / "_github_workflow" / "event.json").write_text("{}\n")
        suffix = uuid.uuid4()
        files = {name: temp / "_runner_file_commands" / f"{prefix}{suffix}" for name, prefix in FILE_COMMANDS.items()}
        for path in files.values():
            path.touch()
        for path in (self.workspace, *self.workspace.rglob("*"), temp, *temp.rglob("*")):
            os.chown(path, USER, USER, follow_symlinks=False)
        return temp, files

    def _mounts(self, temp: Path) -> Sequence[str]:
        return (
            f"{self.docker_socket}:/var/run/docker.sock",
            f"{temp / '_github_home'}:/github/home",
            f"{temp / '_github_workflow'}:/github/workflow",
            f"{temp / '_runner_file_commands'}:/github/file_commands",
            f"{self.workspace}:/github/workspace",
        )


def _inputs(given: Mapping[str, str]) -> dict[str, str]:
    """Each input of action.yml: INPUT_ and its name in capitals, dashes kept."""
    known = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    named = {name.replace("_", "-"): text for name, text in given.items()}
    values = {name: entry.get("default", "") for name, entry in known.items()} | named
    return {f"INPUT_{name.upper()}": text for name, text in values.items()}


def _context() -> dict[str, str]:
    """What the runner tells of itself and of the run. Paths are those in the container, where it translates them."""
    github = {
        "ACTION": "__acme_kdeploy",
        "ACTION_REF": "v1",
        "ACTION_REPOSITORY": "acme/kdeploy",
        "ACTOR": "octocat",
        "ACTOR_ID": "1",
        "API_URL": "https://api.github.com",
        "BASE_REF": "",
        "EVENT_NAME": "push",
        "EVENT_PATH": "/github/workflow/event.json",
        "GRAPHQL_URL": "https://api.github.com/graphql",
        "HEAD_REF": "",
        "JOB": "deploy",
        "REF": "refs/heads/main",
        "REF_NAME": "main",
        "REF_PROTECTED": "false",
        "REF_TYPE": "branch",
        "REPOSITORY": "acme/shop",
        "REPOSITORY_ID": "1",
        "REPOSITORY_OWNER": "acme",
        "REPOSITORY_OWNER_ID": "1",
        "RETENTION_DAYS": "90",
        "RUN_ATTEMPT": "1",
        "RUN_ID": "1",
        "RUN_NUMBER": "1",
        "SERVER_URL": "https://github.com",
        "TRIGGERING_ACTOR": "octocat",
        "WORKFLOW": "deploy",
        "WORKFLOW_REF": "acme/shop/.github/workflows/deploy.yaml@refs/heads/main",
        "WORKSPACE": "/github/workspace",
    }
    runner = {
        "ENVIRONMENT": "github-hosted",
        "NAME": "GitHub Actions 1",
        "OS": "Linux",
        "ARCH": "X64",
        "TOOL_CACHE": "/opt/hostedtoolcache",
    }
    actions = {
        "RUNTIME_URL": "https://actions.example/",
        "RUNTIME_TOKEN": "token",
        "CACHE_URL": "https://actions.example/",
    }
    told = {"GITHUB": github, "RUNNER": runner, "ACTIONS": actions}
    return {f"{prefix}_{name}": text for prefix, values in told.items() for name, text in values.items()}
