"""From a source to a build request."""

from dataclasses import replace

import pytest

from kdeploy.build.plan import INPUTS_LABEL, REVISION_LABEL, hash_inputs, plan_build, refuse_changes
from kdeploy.build.source import Source
from kdeploy.config.settings import BuildOptions
from kdeploy.errors import BuildError, ConfigError
from kdeploy.model import Outcome, Reason

COMMIT = "a" * 40
CLEAN = Source(
    commit=COMMIT,
    origin="HEAD",
    head=COMMIT,
    remote="https://github.com/acme/web",
    created="2026-01-02T03:04:05+01:00",
    title="web",
    version="v1.2.3",
)
DIRTY = replace(CLEAN, dirty=("main.py", "new.py"), dirty_hash="01234567")
OPTIONS = BuildOptions(args=(("VERSION", "1"),), target="app", platforms=("linux/amd64",))
FROM = b"FROM scratch\n"
INPUTS = "0" * 64


def test_the_tag_is_the_full_commit_and_the_image_may_be_reused() -> None:
    request = plan_build(OPTIONS, CLEAN, INPUTS, repository="ghcr.io/acme/web")
    assert (request.tag, request.commit, request.reusable) == (COMMIT, COMMIT, True)
    assert dict(request.args) == {"VERSION": "1"}


def test_the_labels_are_those_of_oci_and_the_hash_of_the_inputs() -> None:
    request = plan_build(OPTIONS, CLEAN, INPUTS, repository="ghcr.io/acme/web")
    assert request.labels == {
        "org.opencontainers.image.source": "https://github.com/acme/web",
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.created": "2026-01-02T03:04:05+01:00",
        "org.opencontainers.image.title": "web",
        "org.opencontainers.image.version": "v1.2.3",
        INPUTS_LABEL: INPUTS,
    }


def test_what_is_unknown_gets_no_label() -> None:
    request = plan_build(OPTIONS, Source(commit=COMMIT, origin="GITHUB_SHA"), "", repository="web")
    assert set(request.labels) == {REVISION_LABEL, "org.opencontainers.image.title"}


def test_the_title_is_the_repositorys_where_no_remote_names_one() -> None:
    source = replace(CLEAN, remote="", title="")
    request = plan_build(OPTIONS, source, INPUTS, repository="ghcr.io/acme/shop")
    assert request.labels["org.opencontainers.image.title"] == "shop"
    assert request.created == CLEAN.created


def test_changed_files_are_refused_in_ci_before_anything_is_built() -> None:
    refuse_changes(CLEAN)
    with pytest.raises(BuildError) as caught:
        refuse_changes(DIRTY)
    assert caught.value.outcome is Outcome.BUILD_FAILED
    assert caught.value.reason is Reason.BUILD_FAILED
    assert "main.py, new.py" in caught.value.hint


def test_a_long_list_of_changed_files_is_cut_and_cleaned() -> None:
    files = ("\x1b[31mred", *(f"f{n}" for n in range(9)))
    with pytest.raises(BuildError) as caught:
        refuse_changes(replace(DIRTY, dirty=files))
    assert "red, f0, f1, f2, f3 and 5 more" in caught.value.hint
    assert "\x1b" not in caught.value.hint


def test_changed_files_elsewhere_get_a_tag_of_their_own() -> None:
    assert plan_build(OPTIONS, DIRTY, "", repository="web").tag == f"{COMMIT}-dirty-01234567"


def test_what_has_no_hash_of_its_inputs_is_never_reused() -> None:
    request = plan_build(OPTIONS, CLEAN, "", repository="web", tag=COMMIT)
    assert (request.tag, request.reusable) == (COMMIT, False)


@pytest.mark.parametrize("repository", ["Web", "web:v1", ""])
def test_a_repository_that_registries_refuse_is_refused_first(repository: str) -> None:
    with pytest.raises(ConfigError):
        plan_build(OPTIONS, CLEAN, INPUTS, repository=repository)


def test_a_bad_tag_is_refused_first() -> None:
    with pytest.raises(ConfigError, match="--tag"):
        plan_build(OPTIONS, CLEAN, INPUTS, repository="web", tag="a b")


@pytest.mark.parametrize(
    "other",
    [
        {"args": (("VERSION", "2"),)},
        {"args": ()},
        {"target": "test"},
        {"platforms": ("linux/arm64",)},
    ],
)
def test_each_input_changes_the_hash(other: dict[str, object]) -> None:
    changed = replace(OPTIONS, **other)  # type: ignore[arg-type]
    assert hashed(changed) != hashed()


def hashed(options: BuildOptions = OPTIONS, dockerfile: bytes = FROM, context: str = "0", machine: str = "x") -> str:
    return hash_inputs(options, dockerfile, context, machine)


def test_the_dockerfile_and_what_the_builder_gets_change_the_hash() -> None:
    assert hashed(dockerfile=b"FROM other") != hashed()
    assert hashed(context="1") != hashed()


def test_the_machine_counts_where_no_platform_is_asked_for() -> None:
    assert hashed(machine="y") == hashed()
    plain = replace(OPTIONS, platforms=())
    assert hashed(plain, machine="x86_64") != hashed(plain, machine="aarch64")


def test_secrets_and_the_order_of_platforms_do_not_change_the_hash() -> None:
    one = replace(OPTIONS, platforms=("linux/amd64", "linux/arm64"), secrets=("id=npm,env=NPM",))
    two = replace(OPTIONS, platforms=("linux/arm64", "linux/amd64"))
    assert hashed(one) == hashed(two)
