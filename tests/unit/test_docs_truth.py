"""The pages that are written by hand say what the code does."""

import re
from pathlib import Path

from kdeploy.build.engine import CHOICES
from kdeploy.build.layers.parse import INSTRUCTIONS
from kdeploy.model import Outcome
from kdeploy.secret import PRIVATE, SHORTEST_NAMED, is_secret

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()

OF_OTHER_COMMANDS = {Outcome.RESTORED, Outcome.PASSED, Outcome.FAILED, Outcome.BUILT}
SIGTERM = 143


def test_the_readme_has_every_exit_code_of_a_deploy_and_no_other() -> None:
    table = README.split("<!-- exit-codes: begin -->")[1].split("<!-- exit-codes: end -->")[0]
    rows = [re.match(r"\| ([\d, ]+) \| (.+?) \|", line) for line in table.splitlines()]
    told = {
        (int(code), outcome)
        for row in rows
        if row
        for code in row[1].split(",")
        for outcome in re.findall(r"`([a-z-]+)`", row[2])
    }
    outcomes = set(Outcome) - OF_OTHER_COMMANDS
    assert told == {(o.exit_code, o.value) for o in outcomes} | {(SIGTERM, Outcome.INTERRUPTED.value)}


def test_the_architecture_names_every_module_and_package_of_the_top_level() -> None:
    package = ROOT / "kdeploy"
    modules = {f"`{each.name}`" for each in package.glob("*.py") if each.name != "__init__.py"}
    packages = {f"`{each.name}/`" for each in package.iterdir() if (each / "__init__.py").is_file()}
    assert {name for name in modules | packages if name not in ARCHITECTURE} == set()


def test_the_architecture_names_every_runtime_dependency() -> None:
    listed = re.findall(
        r'^  "([A-Za-z-]+)[>=<]', (ROOT / "pyproject.toml").read_text().split("[project.scripts]")[0], re.M
    )
    assert len(listed) >= 8
    assert [name for name in listed if f"| `{name}` |" not in ARCHITECTURE] == []


def test_the_page_of_the_builders_names_every_one_and_every_instruction() -> None:
    page = (ROOT / "docs/builders.md").read_text()
    assert [name for name in CHOICES if f"`{name}`" not in page] == []
    assert [name for name in INSTRUCTIONS if not re.search(rf"\b{name}\b", page)] == []


def test_no_page_installs_a_package_that_nobody_has_published() -> None:
    for page in [
        ROOT / "README.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("examples/**/*"),
        *ROOT.glob("kdeploy/init/**/*"),
    ]:
        if page.suffix != ".pyc" and page.is_file():
            assert re.findall(r"pip install (?:-\S+ )*kdeploy\b", page.read_text()) == [], page


def test_where_a_page_runs_the_image_its_arguments_are_those_of_kdeploy() -> None:
    text = (ROOT / "docs/pipelines.md").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^ +docker run (.+)", text, re.M)
    image, command, target = re.findall(r"\s(\S+/kdeploy:v1) (\S+) (\S+)", line)[0]
    assert (image, command, target) == ("ghcr.io/OWNER/kdeploy:v1", "deploy", "deployment/web")


def test_the_pages_link_only_to_files_that_are_there() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == [], page


def test_the_page_about_secrets_knows_which_names_are_some() -> None:
    page = (ROOT / "docs/secrets.md").read_text()
    yes, no = re.search(r"By their name: (.*)\. Not by their name: (.*)\.", page).groups()  # type: ignore[union-attr]
    value = "k9f-3kd0-kd93"
    assert {name: is_secret(name, value) for name in re.findall(r"`(.+?)`", yes + no)} == {
        **dict.fromkeys(re.findall(r"`(.+?)`", yes), True),
        **dict.fromkeys(re.findall(r"`(.+?)`", no), False),
    }
    assert f"fewer than {SHORTEST_NAMED} characters" in page
    assert all(variable in page for variable in PRIVATE)
