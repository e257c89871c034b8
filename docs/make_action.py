"""Writes action.yml, composite/action.yml and the tables of docs/github.md from inputs, flags' help and outputs."""

from __future__ import annotations

import json

from kdeploy.cli.files import REPORT
from kdeploy.cli.inputs import COMMAND, COMMANDS, INPUTS, KUBECONFIG, PREFIX, VARIABLES, Shape
from kdeploy.cli.options import OPTIONS
from kdeploy.report.github.outputs import OUTPUTS

HEAD = """\
# Made by `make docs` from kdeploy/cli/inputs.py, kdeploy/cli/options.py and kdeploy/report/github/outputs.py.
name: kdeploy
description: Build, push, deploy to Kubernetes, verify, and roll back by itself
"""
_STEP = """\
runs:
  using: composite
  steps:
    - id: kdeploy
      shell: bash
      run: exec python3 -I "$GITHUB_ACTION_PATH/run.py"
      env:
        INPUT_JSON: ${{ toJSON(inputs) }} # those too that are not declared here
"""
_OWN = {
    COMMAND: f"What to do: {' or '.join(COMMANDS)} [deploy].",
    KUBECONFIG: "The content of the kubeconfig file.",
    "report": f"Where the report is written as JSON [{REPORT}].",
}
"""Inputs that are no flags, or have another default."""


def action_file() -> str:
    """The text of action.yml: the container."""
    outputs = [f"  {name}:\n    description: {json.dumps(text)}\n" for name, text in OUTPUTS.items()]
    return f"{HEAD}{_inputs()}outputs:\n{''.join(outputs)}runs:\n  using: docker\n  image: Dockerfile\n"


def composite_file() -> str:
    """The text of composite/action.yml: the same on the runner itself. No input is a shell's text."""
    outputs = [
        f"  {name}:\n    description: {json.dumps(text)}\n    value: ${{{{ steps.kdeploy.outputs.{name} }}}}\n"
        for name, text in OUTPUTS.items()
    ]
    env = [f"        {PREFIX}{name.upper().replace('-', '_')}: ${{{{ inputs.{name} }}}}\n" for name in INPUTS]
    return f"{HEAD}{_inputs()}outputs:\n{''.join(outputs)}{_STEP}{''.join(env)}"


def fill_tables(page: str) -> str:
    """docs/github.md with its tables written anew: what stands between `<!-- NAME: begin -->` and its end."""
    inputs = "".join(f"| `{name}` | {describe(name).replace('|', chr(92) + '|')} |\n" for name in INPUTS)
    outputs = "".join(f"| `{name}` | {text} |\n" for name, text in OUTPUTS.items())
    for name, head, rows in (("inputs", "input", inputs), ("outputs", "output", outputs)):
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}| {head} | |\n|---|---|\n{rows}{end}{rest.partition(end)[2]}"
    return page


def _inputs() -> str:
    each = [f"  {name}:\n    description: {json.dumps(describe(name))}\n    required: false\n" for name in INPUTS]
    return f"inputs:\n{''.join(each)}"


def _told(name: str) -> str:
    if name in _OWN:
        return _OWN[name]
    if name in VARIABLES:
        return VARIABLES[name][2]
    return str(OPTIONS[name.replace("-", "_")].__metadata__[0].help)


def describe(name: str) -> str:
    """What an input is: its flag's help, and the shape of its value."""
    told = _told(name).removesuffix(" Repeatable.")
    return told if INPUTS[name] in (Shape.TEXT, Shape.SECRET) else f"{told} Takes {INPUTS[name].value}."
