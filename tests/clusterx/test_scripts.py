"""The tests of the front end's scripts, so that one command runs everything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE = shutil.which("node") or shutil.which("node", path=str(ROOT / ".venv" / "node" / "bin"))


@pytest.mark.skipif(NODE is None, reason="no Node.js: make setup installs it")
def test_the_scripts_pass_their_own_tests():
    files = sorted(str(path) for path in (ROOT / "static" / "tests").glob("*.test.mjs"))
    assert files
    done = subprocess.run([NODE, "--test", *files], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(NODE is None or not (ROOT / "node_modules").exists(), reason="no bundler: make setup installs it")
def test_the_bundle_builds_and_every_page_stays_within_its_weight():
    build = [NODE, "static/build.mjs", "--check"]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
