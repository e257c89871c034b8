"""`kdeploy init`."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def _text(name: str, text: str, *names: str, metavar: str) -> Any:
    return typer.Option(
        *(names or (f"--{name}",)),
        help=text,
        metavar=metavar,
        envvar=f"KDEPLOY_{name.upper()}",
        show_envvar=False,
        show_default=False,
    )


def init(
    target: Annotated[
        str | None,
        typer.Argument(metavar="[TARGET]", help="KIND/NAME, or a service of the kdeploy.yaml.", show_default=False),
    ] = None,
    env: Annotated[
        str | None, _text("env", "The environment that the pipeline deploys to.", "-e", "--env", metavar="NAME")
    ] = None,
    namespace: Annotated[
        str | None, _text("namespace", "The namespace [the context's].", "-n", "--namespace", metavar="NAME")
    ] = None,
    context: Annotated[
        str | None, _text("context", "The kubeconfig context to look at [the current one].", metavar="NAME")
    ] = None,
    kubeconfig: Annotated[
        str | None, _text("kubeconfig", "The kubeconfig file [KUBECONFIG, ~/.kube/config].", metavar="FILE")
    ] = None,
    image: Annotated[
        str | None, _text("image", "The image's repository [that of the git remote].", metavar="REPOSITORY")
    ] = None,
    github: Annotated[bool, typer.Option("--github", help="Write .github/workflows/deploy.yml too.")] = False,
    gitlab: Annotated[bool, typer.Option("--gitlab", help="Write .gitlab-ci.yml too.")] = False,
    jenkins: Annotated[bool, typer.Option("--jenkins", help="Write a Jenkinsfile too.")] = False,
    rbac: Annotated[bool, typer.Option("--rbac", help="Write deploy/kdeploy-rbac.yaml too: the Role.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the files, and write none.")] = False,
) -> int:
    """Write kdeploy.yaml, and a pipeline.

    It looks at the Dockerfile, the git remote and, where one answers, the cluster; it says what it guessed, and why.

    With a pipeline or the Role a kdeploy.yaml that is there is kept and read, and they are made for what it says.

    Exit 2: another file is there already, and nobody said that it may be overwritten, or it takes a service's name or
    --env to tell what is meant; then nothing was written.
    """
    from kdeploy.cli.initializing import Asked, begin
    from kdeploy.cli.plain import told
    from kdeploy.init.files import Wanted

    wanted = {Wanted.GITHUB: github, Wanted.GITLAB: gitlab, Wanted.JENKINS: jenkins, Wanted.RBAC: rbac}
    asked = Asked(
        target=target or None,
        env=env or None,
        namespace=namespace or None,
        context=context or None,
        kubeconfig=kubeconfig or None,
        image=image or None,
        wanted=tuple(one for one, is_wanted in wanted.items() if is_wanted),
        force=force,
        dry_run=dry_run,
    )
    return told(lambda _: begin(asked))
