"""What the guides show: their Python runs as it stands, their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

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


class Once(yaml.SafeLoader):
    """Refuses a key that is there twice, of which YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key is there twice among {keys}"
        return super().construct_mapping(node, deep)


def test_the_cluster_gets_the_token_that_it_asks_for() -> None:
    cluster = yaml.load((GUIDES / "cluster.yaml").read_text(), Once)
    starts = [line for part in ("head", "worker") for line in cluster[f"{part}_start_ray_commands"]]
    assert [("RAY_AUTH_MODE=token" in line) for line in starts if "ray start" in line] == [True, True]
    assert cluster["file_mounts"] == {"/home/ubuntu/.ray/auth_token": "~/.ray/auth_token", "~/springline": "."}
