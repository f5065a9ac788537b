"""The page is what the strategies declare, and whoever only lists them does without the compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from strategies.library.documentation import page


def test_the_page_is_the_catalogue() -> None:
    written = Path(__file__).resolve().parents[3] / "docs" / "strategies.md"
    assert written.read_text(encoding="utf-8") == page(), "run python -m strategies.library.documentation > docs/strategies.md"


def test_listing_strategies_does_without_the_compiler() -> None:
    code = "import sys, strategies.library.documentation as d; d.page(); sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
