"""The Dockerfile: what a linter says, and what can be read from it without building."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from stream import __version__

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = ROOT / "deploy/Dockerfile"
BUILD, LAST = DOCKERFILE.read_text().split("\nFROM ${PYTHON}\n")


def test_hadolint_has_nothing_to_say() -> None:
    if (hadolint := shutil.which("hadolint")) is None:
        pytest.skip("hadolint is missing; .ci/tools installs it")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_what_is_installed_has_hashes() -> None:
    assert "--generate-hashes" in BUILD
    installs = re.findall(r"pip --python \S+ install (.*?) *\\?\n", BUILD)
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--no-deps" in installs[1]
    (copied,) = re.findall(r"COPY (.+) \./\n", BUILD)
    for name in copied.split():
        assert (ROOT / name).is_file()


def test_the_image_is_the_one_that_the_pods_expect() -> None:
    base = yaml.safe_load((ROOT / "deploy/kubernetes/base/deployment.yaml").read_text())
    pod = base["spec"]["template"]["spec"]
    user = pod["securityContext"]
    assert f"USER {user['runAsUser']}:{user['runAsGroup']}" in LAST
    assert 'ENTRYPOINT ["trailstream"]\nCMD ["run"]\n' in LAST
    assert f"ARG VERSION={__version__}\n" in LAST
    assert "pip install" not in LAST
    assert re.search(r"rm -rf .*site-packages/pip\*", LAST)
