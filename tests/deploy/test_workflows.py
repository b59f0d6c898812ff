"""The workflows: what actionlint and zizmor say of them."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
WORKFLOWS: Final = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("linter", [["actionlint"], ["zizmor", "--offline", "--no-progress"]], ids=lambda each: each[0])
def test_a_linter_has_nothing_to_say(linter: list[str]) -> None:
    assert {"ci.yml", "release.yml"} <= {file.name for file in WORKFLOWS}
    name, *options = linter
    if (program := shutil.which(name)) is None:
        pytest.skip(f"{name} is missing; .ci/tools installs it")
    done = subprocess.run([program, *options, *WORKFLOWS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
