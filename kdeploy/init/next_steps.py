"""What a person does after `kdeploy init`. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator

from kdeploy.init.building import SHOWN
from kdeploy.init.files import RBAC_PLACE, Wanted
from kdeploy.init.guess import Guess
from kdeploy.text import one_line


def next_steps(guess: Guess, wanted: Collection[Wanted], program: str, kept: str | None = None) -> tuple[str, ...]:
    """The steps, one a line; `program` is how a shell finds kdeploy.

    `kept`: None where kdeploy.yaml is made of the guess; else what is wrong with the one that was kept, "" for nothing.
    """
    own = _of_guess(guess) if kept is None else (f"mend kdeploy.yaml: {kept}",) if kept else ()
    return (*own, *_steps(guess, wanted, program))


def _of_guess(guess: Guess) -> Iterator[str]:
    unsure = [key for key, value in (("target", guess.target), ("image", guess.image)) if not value.sure]
    if unsure:
        yield f"put your own {' and '.join(unsure)} into kdeploy.yaml: what is there is a placeholder"
    if guess.choices:
        told = " or ".join(f"{build.context}/{build.dockerfile}" for build in guess.choices[:SHOWN])
        yield f"choose the build in kdeploy.yaml ({told}): until then a deploy is refused"
    elif not guess.dockerfile.sure:
        yield "add a Dockerfile, or give the image in kdeploy.yaml a tag: then that is deployed, and nothing is built"


def _steps(guess: Guess, wanted: Collection[Wanted], program: str) -> Iterator[str]:
    namespace = shlex.quote(guess.namespace.text)
    if Wanted.RBAC in wanted:
        yield f"kubectl apply -f {RBAC_PLACE}"
        yield f"kubectl create token kdeploy -n {namespace} --duration 2160h    # for the pipeline's kubeconfig"
    if Wanted.GITHUB in wanted:
        yield "in .github/workflows/deploy.yml: put the account that publishes kdeploy in OWNER's place"
        yield "gh secret set KUBECONFIG < FILE    # the kubeconfig of the pipeline's account"
        if not guess.on_ghcr:
            yield f"gh secret set REGISTRY_USERNAME    # asks for it: the login of {guess.registry}"
            yield "gh secret set REGISTRY_PASSWORD"
    if Wanted.GITLAB in wanted:
        yield "in .gitlab-ci.yml: put the account that publishes kdeploy in OWNER's place"
        yield "Settings, CI/CD, Variables: add KUBECONFIG, of type File, protected (protected branches alone get it)"
        if not guess.on_gitlab:
            yield f"there too, protected: REGISTRY_USERNAME and REGISTRY_PASSWORD, the login of {guess.registry}"
        if guess.engine:
            yield f"its runner must allow privileged containers, for the Docker engine: {guess.engine}"
    if Wanted.JENKINS in wanted:
        engine = f", and a Docker engine: {guess.engine}" if guess.engine else ""
        yield f"on Jenkins' agents: Python 3.11 or later, kdeploy on PATH (pip install . in a clone of it){engine}"
        yield 'in Jenkins: add the credentials "kubeconfig" (secret file) and "registry" (user name with password)'
    yield "commit what was written: with files that are in no commit the image is a -dirty- one, which CI=true refuses"
    arguments = f" {one_line(guess.arguments)}" if guess.arguments else ""
    yield f"{program} doctor{arguments}    # says whether a deploy can go ahead"
    yield f"{program} deploy{arguments}"
