"""What the guides show: their Python runs as it stands, their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def test_the_guide_of_ones_own_model_runs() -> None:
    code = re.findall(r"```python\n(.*?)```", (GUIDES / "own-model.md").read_text(), re.DOTALL)
    assert len(code) == 3
    names: dict[str, Any] = {}
    for block in code:
        exec(block, names)
    assert names["run"].test_accuracy > 0.9
    assert names["best"]["accuracy"] >= names["run"].test_accuracy
    assert "test_confident" in names["run"].rows[-1]


@pytest.mark.parametrize("guide", sorted(GUIDES.glob("*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere(guide: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", guide.read_text())
    assert not [t for t in links if "://" not in t and not (guide.parent / t).exists()]
