"""Every flag, declared once: its names, type and help, under the name of its field in `Flags`.

The variable of a flag is KDEPLOY_ and its long name: --build-arg is KDEPLOY_BUILD_ARG. Those that may be repeated take
several values from their variable, separated by white space.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer


def _option(field: str, help: str, *names: str, metavar: str | None = None) -> Any:  # noqa: A002  (typer's own word)
    long = f"--{field.replace('_', '-')}"
    variable = f"KDEPLOY_{field.upper()}"
    return typer.Option(
        *(names or (long,)), help=help, metavar=metavar, envvar=variable, show_default=False, show_envvar=False
    )


def _text(field: str, help: str, *names: str, metavar: str) -> Any:  # noqa: A002
    return Annotated[str | None, _option(field, help, *names, metavar=metavar)]


def _texts(field: str, help: str, metavar: str) -> Any:  # noqa: A002
    return Annotated[list[str], _option(field, f"{help} Repeatable.", metavar=metavar)]


def _switch(field: str, help: str, *names: str) -> Any:  # noqa: A002
    return Annotated[bool, _option(field, help, *names)]


OPTIONS: Mapping[str, Any] = {
    "target": Annotated[
        list[str],
        typer.Argument(metavar="TARGET", help="A service of kdeploy.yaml, or KIND/NAME as in deployment/web."),
    ],
    "config": _text("config", "The config file [./kdeploy.yaml, ./kdeploy.yml].", "-f", "--config", metavar="FILE"),
    "env": _text("env", "An environment of kdeploy.yaml.", "-e", "--env", metavar="NAME"),
    "namespace": _text("namespace", "The namespace [the context's].", "-n", "--namespace", metavar="NAME"),
    "context": _text("context", "The kubeconfig context [the current one].", metavar="NAME"),
    "kubeconfig": _text("kubeconfig", "The kubeconfig file [KUBECONFIG, ~/.kube/config].", metavar="FILE"),
    "commit": _text("commit", "The commit that is deployed [HEAD of the build context].", metavar="SHA"),
    "image": _text("image", "Build this repository; with a tag or digest: deploy it, build nothing.", metavar="IMAGE"),
    "push_image": _text("push_image", "Push to this repository; the cluster pulls from --image.", metavar="REPOSITORY"),
    "container": _texts("container", "A container that runs the image [all that name its repository].", "NAME"),
    "build_context": _text("build_context", "The folder to build [.].", metavar="FOLDER"),
    "dockerfile": _text("dockerfile", "The Dockerfile [Dockerfile in the build context].", metavar="FILE"),
    "build_arg": _texts("build_arg", "A build argument.", "NAME=VALUE"),
    "platform": _texts("platform", "A platform to build for, e.g. linux/arm64.", "OS/ARCH"),
    "builder": _text(
        "builder", "buildx, classic, layers (needs no engine) or auto [auto: the first that works].", metavar="NAME"
    ),
    "tag": _text("tag", "The image's tag [the commit].", metavar="TAG"),
    "timeout": _text("timeout", "From the patch to verified [10m].", metavar="DURATION"),
    "build_timeout": _text(
        "build_timeout", "For all that comes before the patch: login, build, push [30m].", metavar="DURATION"
    ),
    "rollback_timeout": _text("rollback_timeout", "For the rollback [5m].", metavar="DURATION"),
    "crash_budget": Annotated[
        int | None,
        typer.Option(
            "--crash-budget",
            help="Restarts of a new container that are borne until the rollout is complete [3].",
            metavar="COUNT",
            min=0,
            envvar="KDEPLOY_CRASH_BUDGET",
            show_envvar=False,
        ),
    ],
    "verify_http": _texts("verify_http", "Check /health or :8080/health of the new pods, or a URL.", "URL_OR_PATH"),
    "rollback": Annotated[
        bool | None,
        _option("rollback", "Put the last verified version back on failure [yes].", "--rollback/--no-rollback"),
    ],
    "on_interrupt": Annotated[
        Literal["rollback", "leave"] | None,
        _option("on_interrupt", "What SIGINT and SIGTERM do after the patch [rollback].", metavar="rollback|leave"),
    ],
    "force": _switch("force", "Deploy an older commit too.", "--force"),
    "dry_run": _switch(
        "dry_run", "Print the patch, and ask the cluster whether it would take it; change nothing.", "--dry-run"
    ),
    "to": _text(
        "to", "The version to restore [the verified one before the live one].", metavar="REVISION|COMMIT|DIGEST"
    ),
    "watch": _switch("watch", "Wait until it is complete or has failed.", "--watch"),
    "from_file": _text("from_file", "Judge the output of kubectl get deploy,rs,pods,events -o yaml.", metavar="DUMP"),
    "output": Annotated[
        Literal["human", "json", "jsonl"],
        _option("output", "What goes to stdout [human].", "-o", "--output", metavar="human|json|jsonl"),
    ],
    "report": _text("report", "Write the report as JSON to this file too.", metavar="FILE"),
    "junit": _text("junit", "Write the steps and checks as JUnit XML to this file.", metavar="FILE"),
    "dotenv": _text("dotenv", "Write the outcome as DEPLOY_... variables to this file.", metavar="FILE"),
    "trace": _text("trace", "Write every event as a line of JSON to this file.", metavar="FILE"),
    "verbose": _switch("verbose", "Tell more; a bug in kdeploy shows its traceback.", "-v", "--verbose"),
    "quiet": _switch("quiet", "Only warnings and the end.", "-q", "--quiet"),
}
