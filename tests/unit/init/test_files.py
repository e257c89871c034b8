from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from kdeploy.cli.inputs import INPUTS
from kdeploy.config.file import parse_config
from kdeploy.config.flags import Flags
from kdeploy.config.settings import Settings, resolve
from kdeploy.errors import ConfigError
from kdeploy.init.building import Build
from kdeploy.init.checks import CheckGuess
from kdeploy.init.dockerfile import Dockerfile
from kdeploy.init.files import Places, Wanted, Written, make_files
from kdeploy.init.guess import Found, Guess, Value, guess
from kdeploy.init.next_steps import next_steps
from kdeploy.init.quoting import groovy, scalar
from kdeploy.init.write import refuse_taken, taken, write_all
from kdeploy.model import HttpCheck, Kind, Permission, Target
from kdeploy.rollout.permissions import needed
from tests.contract.pipelines.workflow import ROOT
from tests.unit.rollout.test_rbac_example import granted, objects

GUESS = guess(
    Found(
        name="web",
        remote="https://github.com/acme/web",
        namespace="shop",
        namespace_why="as you said",
        dockerfiles=(Dockerfile(path="web/Dockerfile", ports=(8080,), health="/health", health_port=8080),),
    )
)
WITH_ENGINE = replace(GUESS, engine="web/Dockerfile line 3 takes one")
PLACES = Places()
HOSTILE = st.text(max_size=40) | st.sampled_from(
    [
        '"',
        "'",
        "a: b",
        "- a",
        "# x",
        "{a: [",
        "<< x >>",
        "${{ x }}",
        "\n::error::x",
        "null",
        "yes",
        "1e3",
        "é\x85",
        "\ud800",
    ]
)


def files(guessed: Guess = GUESS, places: Places = PLACES) -> dict[str, str]:
    return {file.path: file.text for file in make_files(guessed, tuple(Wanted), places)}


def read(text: str) -> Settings:
    return resolve(parse_config(text.encode(), "kdeploy.yaml"), Flags())


def test_the_config_says_what_was_guessed() -> None:
    settings = read(files()["kdeploy.yaml"])
    assert (str(settings.workload), settings.namespace, str(settings.image)) == (
        "deployment/web", "shop", "ghcr.io/acme/web",
    )  # fmt: skip
    assert settings.build.context.endswith("web")
    (check,) = settings.checks
    assert (check.path, check.port) == ("/health", 8080)


def test_without_a_check_or_a_dockerfile_the_config_says_so_in_comments() -> None:
    text = files(guess(Found(name="web")))["kdeploy.yaml"]
    settings = read(text)
    assert settings.checks == ()
    assert "#   - http: {path: /health}" in text
    assert "# There is no Dockerfile here" in text


def test_where_nothing_tells_which_dockerfile_is_meant_none_would_be_built() -> None:
    both = guess(Found(name="shop", dockerfiles=(Dockerfile(path="api/Dockerfile"), Dockerfile(path="web/Dockerfile"))))
    text = files(both)["kdeploy.yaml"]
    settings = read(text)
    assert (settings.build.context, Path(settings.build.dockerfile).name) == (".", "Dockerfile")
    assert "nothing tells which of api/Dockerfile, web/Dockerfile builds it" in text
    assert "    # build: {context: web, dockerfile: Dockerfile}\n" in text
    assert read(text.replace("# build: {context: web", "build: {context: web")).build.context.endswith("web")
    steps = next_steps(both, (), "kdeploy")
    assert steps[1].startswith("choose the build in kdeploy.yaml (api/Dockerfile or web/Dockerfile)")


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_hostile_names_and_paths_stay_values(one: str, two: str, three: str, why: str) -> None:
    assume(not any(begin in place for begin in ("${{", "$[[") for place in (one, two)))  # refused: see below
    guessed = replace(
        GUESS,
        namespace=Value(text=f"n{one}", why=why),
        build=Build(context=f"c{two}", dockerfile=f"d{three}", why=why),
        containers=(f"x{one}", f"y{two}"),
        check=CheckGuess(path="/health", port=8080, scheme="https", why=why),
        image=Value(text="ghcr.io/acme/web", why=why),
    )
    places = Places(branch=f"b{one}", below=f"s{two}")
    made = files(guessed, places)
    service = yaml.safe_load(made[f"s{two}/kdeploy.yaml"])["services"]["web"]
    assert set(service) == {"target", "namespace", "containers", "image", "build", "verify"}
    assert service["namespace"] == plain(f"n{one}")
    assert service["build"] == {"context": plain(f"c{two}"), "dockerfile": plain(f"d{three}")}
    assert service["containers"] == [plain(f"x{one}"), plain(f"y{two}")]
    workflow = yaml.safe_load(made[".github/workflows/deploy.yml"])
    assert workflow[True]["push"]["branches"] == [plain(f"b{one}")]
    assert workflow["jobs"]["deploy"]["steps"][1]["with"]["config"] == plain(f"s{two}/kdeploy.yaml")
    assert len(yaml.safe_load(made[".gitlab-ci.yml"])["deploy"]["script"]) == 1
    assert [one["metadata"]["namespace"] for one in yaml.safe_load_all(made[f"s{two}/deploy/kdeploy-rbac.yaml"])] == [
        plain(f"n{one}")
    ] * 3
    if "\ud800" not in one + two + three:
        assert (
            parse_config(made[f"s{two}/kdeploy.yaml"].encode(), "kdeploy.yaml").services["web"].namespace == f"n{one}"
        )


def plain(text: str) -> str:
    """What a file can hold of it: a lone surrogate is a byte that was no text."""
    return "".join("\ufffd" if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)


@given(HOSTILE)
def test_a_scalar_is_read_as_the_text_that_it_was(text: str) -> None:
    for shape in ("{}", "[{}, a]", "k: {} # c", "{{k: {}}}"):
        found = json.dumps(yaml.safe_load(shape.format(scalar(text))))
        assert json.dumps(plain(text)) in found


@pytest.mark.parametrize(
    ("text", "written"),
    [("web", "web"), ("ghcr.io/acme/web", "ghcr.io/acme/web"), ("./a", "./a"), ("/health", "/health"), (".", "."),
     ("yes", '"yes"'), ("null", '"null"'), ("8080", '"8080"'), ("1.5", '"1.5"'), ("", '""'), ("a: b", '"a: b"')],
)  # fmt: skip
def test_ordinary_values_are_written_plainly(text: str, written: str) -> None:
    assert scalar(text) == written


@given(HOSTILE)
def test_a_groovy_string_ends_where_it_has_to(text: str) -> None:
    inside = groovy(text)[1:-1]
    assert "\n" not in inside
    assert "'" not in inside.replace("\\\\", "").replace("\\'", "")
    assert not inside.replace("\\\\", "").endswith("\\")


def test_the_workflow_has_the_least_permissions_and_inputs_that_there_are() -> None:
    workflow = yaml.safe_load(files()[".github/workflows/deploy.yml"])
    job = workflow["jobs"]["deploy"]
    assert (workflow["permissions"], job["permissions"]) == ({}, {"contents": "read", "packages": "write"})
    assert workflow["concurrency"]["cancel-in-progress"] is False
    checkout, deploy = job["steps"]
    assert checkout["with"] == {"fetch-depth": 0, "persist-credentials": False}
    assert len(checkout["uses"].partition("@")[2]) == 40
    assert set(deploy["with"]) <= set(INPUTS)


def test_another_registry_than_the_hosts_own_gets_a_login_of_its_own() -> None:
    elsewhere = replace(GUESS, pushed="quay.io/acme/web")
    job = yaml.safe_load(files(elsewhere)[".github/workflows/deploy.yml"])["jobs"]["deploy"]
    assert job["permissions"] == {"contents": "read"}
    assert job["steps"][1]["with"]["registry-password"] == "${{ secrets.REGISTRY_PASSWORD }}"
    assert set(job["steps"][1]["with"]) <= set(INPUTS)


@pytest.mark.parametrize(
    ("remote", "pushed", "is_own"),
    [
        ("https://gitlab.com/acme/web", "registry.gitlab.com/acme/web", True),
        ("https://git.acme.example/team/web", "registry.git.acme.example/team/web", True),
        ("https://git.acme.example/team/web", "git.acme.example:5050/team/web", True),
        ("https://git.acme.example/team/web", "registry.acme.example/team/web", False),
        ("https://git.acme.example/team/web", "registry.gitlab.com/acme/web", False),
        ("https://gitlab.com/acme/web", "quay.io/acme/web", False),
        ("https://gitlab.com/acme/web", "registry.gitlab.com.evil.example/acme/web", False),
        ("https://github.com/acme/web", "ghcr.io/acme/web", False),
        ("https://github.com/acme/web", "registry.github.com/acme/web", False),
        ("", "registry.example.com/team/web", False),
        ("", "acme/web", False),
    ],
)
def test_the_token_of_a_gitlab_job_goes_to_gitlabs_own_registry_alone(remote: str, pushed: str, is_own: bool) -> None:
    guessed = replace(GUESS, remote=remote, pushed=pushed)
    variables = yaml.safe_load(files(guessed)[".gitlab-ci.yml"])["deploy"]["variables"]
    names = ("$CI_REGISTRY_USER", "$CI_REGISTRY_PASSWORD") if is_own else ("$REGISTRY_USERNAME", "$REGISTRY_PASSWORD")
    assert (variables["KDEPLOY_REGISTRY_USERNAME"], variables["KDEPLOY_REGISTRY_PASSWORD"]) == names
    steps = "\n".join(next_steps(guessed, [Wanted.GITLAB], "kdeploy"))
    assert ("REGISTRY_USERNAME and REGISTRY_PASSWORD" in steps) is not is_own


@pytest.mark.parametrize(("pushed", "is_own"), [("ghcr.io/acme/web", True), ("quay.io/acme/web", False)])
def test_the_steps_name_the_secrets_of_another_registry(pushed: str, is_own: bool) -> None:
    steps = "\n".join(next_steps(replace(GUESS, pushed=pushed), [Wanted.GITHUB], "kdeploy"))
    assert ("gh secret set REGISTRY_USERNAME    # asks for it: the login of quay.io" in steps) is not is_own
    assert ("gh secret set REGISTRY_PASSWORD" in steps) is not is_own


def test_the_gitlab_job_passes_on_what_kdeploy_writes() -> None:
    job = yaml.safe_load(files()[".gitlab-ci.yml"])["deploy"]
    (command,) = job["script"]
    for file in (*job["artifacts"]["reports"].values(), *job["artifacts"]["paths"]):
        assert file in command.split()
    assert job["image"]["entrypoint"] == [""]
    assert job["resource_group"] == "production"


def test_an_engine_stands_beside_the_gitlab_job_where_the_dockerfile_takes_one_and_only_there() -> None:
    example = yaml.safe_load((ROOT / "examples/gitlab/.gitlab-ci.yml").read_text())[".docker"]
    plain, engine = (yaml.safe_load(files(one)[".gitlab-ci.yml"])["deploy"] for one in (GUESS, WITH_ENGINE))
    assert "services" not in plain
    assert not [name for name in plain["variables"] if name.startswith("DOCKER")]
    assert engine["services"] == example["services"]
    assert engine["variables"] == plain["variables"] | example["variables"]
    assert "web/Dockerfile line 3 takes one" in files(WITH_ENGINE)[".gitlab-ci.yml"]
    assert any("engine" in line for line in WITH_ENGINE.lines())
    assert re.fullmatch(r"docker:\d+\.\d+\.\d+-dind", engine["services"][0]), "a version, never what is newest"


@given(HOSTILE, HOSTILE)
def test_the_names_of_a_kept_config_stay_arguments(one: str, two: str) -> None:
    assume(not any(begin in name for begin in ("${{", "$[[") for name in (one, two)))  # refused: see below
    service, environment = f"s{one}", f"e{two}"
    named = replace(GUESS, service=Value(text=service, why=""), environment=Value(text=environment, why=""))
    made = files(named)
    (command,) = yaml.safe_load(made[".gitlab-ci.yml"])["deploy"]["script"]
    assert shlex.split(command)[:5] == ["kdeploy", "deploy", plain(service), "--env", plain(environment)]
    inputs = yaml.safe_load(made[".github/workflows/deploy.yml"])["jobs"]["deploy"]["steps"][1]["with"]
    assert (inputs["target"], inputs["env"]) == (plain(service), plain(environment))
    assert set(inputs) <= set(INPUTS)


@pytest.mark.parametrize("wanted", [Wanted.GITLAB, Wanted.JENKINS])
def test_the_steps_say_what_the_pipelines_machine_needs(wanted: Wanted) -> None:
    plain, engine = ("\n".join(next_steps(one, [wanted], "kdeploy")) for one in (GUESS, WITH_ENGINE))
    assert "engine" not in plain
    assert "engine: web/Dockerfile line 3 takes one" in engine.replace("Engine", "engine")
    assert ("kdeploy on PATH (pip install ." in plain) is (wanted is Wanted.JENKINS)


@pytest.mark.parametrize(("kept", "step"), [("", None), ("line 2: x", "mend kdeploy.yaml: line 2: x")])
def test_a_kept_config_is_nobodys_placeholder(kept: str, step: str | None) -> None:
    steps = next_steps(guess(Found(name="web")), (), "kdeploy", kept)
    assert not any("placeholder" in one for one in steps)
    assert steps[0] == step or (step is None and steps[0].startswith("commit what"))


def test_a_jenkinsfile_has_its_braces_and_reports() -> None:
    text = files(GUESS, Places(branch="it's"))["Jenkinsfile"]
    assert text.count("{") == text.count("}")
    assert "env.BRANCH_NAME == 'it\\'s'" in text
    for part in (
        "disableConcurrentBuilds()",
        "archiveArtifacts artifacts: 'kdeploy-report.json'",
        "'kdeploy-junit.xml'",
    ):
        assert part in text


@pytest.mark.parametrize("kind", Kind)
def test_the_role_is_the_examples_and_what_preflight_asks_for(kind: Kind) -> None:
    made = list(yaml.safe_load_all(files(replace(GUESS, kind=kind))["deploy/kdeploy-rbac.yaml"]))
    assert [one["kind"] for one in made] == ["ServiceAccount", "Role", "RoleBinding"]
    account, role, binding = made
    (example,) = [one for one in objects("Role") if one["metadata"]["name"] == role["metadata"]["name"]]
    target = Target(kind=kind, name="web", namespace="shop")
    assert set(granted(role)) == set(granted(example)) == needed(target, [HttpCheck(name="health", path="/health")])
    assert len(granted(role)) == len(set(granted(role)))
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": "shop"}]
    assert all(isinstance(one, Permission) for one in granted(role))


def test_the_files_of_a_folder_below_go_where_they_are_looked_for() -> None:
    made = files(GUESS, Places(below="services/web"))
    assert set(made) == {
        "services/web/kdeploy.yaml",
        ".github/workflows/deploy.yml",
        ".gitlab-ci.yml",
        "Jenkinsfile",
        "services/web/deploy/kdeploy-rbac.yaml",
    }
    assert "kdeploy deploy --config services/web/kdeploy.yaml --report" in made["Jenkinsfile"]


@pytest.mark.parametrize(
    ("wanted", "begin"), [(Wanted.GITHUB, "${{"), (Wanted.GITLAB, "$[["), (Wanted.JENKINS, ""), (Wanted.RBAC, "")]
)
@pytest.mark.parametrize("text", ["${{ github.token }}", "$[[ inputs.x ]]"])
def test_no_ci_evaluates_the_name_of_a_folder_or_a_branch(wanted: Wanted, begin: str, text: str) -> None:
    for places in (Places(below=f"a{text}"), Places(branch=f"a{text}")):
        if begin and text.startswith(begin):
            with pytest.raises(ConfigError, match="would evaluate"):
                make_files(GUESS, [wanted], places)
        else:
            assert make_files(GUESS, [wanted], places)


def test_the_steps_name_a_missing_dockerfile_where_no_kept_config_tells_what_is_built() -> None:
    bare = guess(Found(name="web"))
    assert "add a Dockerfile, or give the image in kdeploy.yaml a tag" in next_steps(bare, (), "kdeploy")[1]
    for steps in (next_steps(GUESS, (), "kdeploy"), next_steps(bare, (), "kdeploy", "")):
        assert not any("add a Dockerfile" in one for one in steps)


def test_the_steps_name_what_is_a_placeholder_and_end_with_the_deploy() -> None:
    steps = next_steps(guess(Found(name="web")), tuple(Wanted), "kdeploy")
    assert steps[0].startswith("put your own target and image into kdeploy.yaml")
    assert steps[-1] == "kdeploy deploy"
    assert steps[-3].startswith("commit what was written: with files that are in no commit the image is a -dirty- one")
    assert (
        next_steps(replace(GUESS, target=Value(text="deployment/web", why="")), (), "kdeploy")[-1] == "kdeploy deploy"
    )


FILES = (Written(path="kdeploy.yaml", text="a\n"), Written(path=".github/workflows/deploy.yml", text="b\n"))


def test_all_are_written_with_the_permissions_of_new_files(tmp_path: Path) -> None:
    write_all(FILES, tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
        file.path for file in FILES
    }
    (tmp_path / "plain").touch()
    assert (tmp_path / "kdeploy.yaml").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert taken(FILES, tmp_path) == ()  # they say the same already


def test_what_is_there_is_found_links_too(tmp_path: Path) -> None:
    (tmp_path / "kdeploy.yaml").symlink_to("/nonexistent")
    assert taken(FILES, tmp_path) == FILES[:1]
    with pytest.raises(ConfigError, match="nothing was written") as refused:
        refuse_taken(FILES[:1], FILES[:1])
    assert "--force" in refused.value.hint
    refuse_taken(FILES, ())


def test_a_link_out_of_the_checkout_is_not_followed(tmp_path: Path) -> None:
    top, outside = tmp_path / "top", tmp_path / "outside"
    top.mkdir()
    outside.mkdir()
    (top / ".github").symlink_to(outside)
    with pytest.raises(ConfigError, match="leads out of the checkout"):
        write_all(FILES, top)
    assert (list(outside.iterdir()), [path.name for path in top.iterdir()]) == ([], [".github"])
    precious = outside / "precious"
    precious.write_text("x")
    (top / "kdeploy.yaml").symlink_to(precious)
    write_all(FILES[:1], top)
    assert (precious.read_text(), (top / "kdeploy.yaml").read_text()) == ("x", "a\n")


@pytest.mark.parametrize("trouble", ["folder", "file"])
def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path, trouble: str) -> None:
    if trouble == "folder":
        (tmp_path / ".github/workflows/deploy.yml").mkdir(parents=True)
    else:
        (tmp_path / ".github").write_text("")
    with pytest.raises(ConfigError):
        write_all(FILES, tmp_path)
    assert not (tmp_path / "kdeploy.yaml").exists()
    assert not list(tmp_path.rglob(".kdeploy-*"))
