"""A state in a file: it comes back as it was, or not at all."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

import springline
from springline import checkpoint
from springline.checkpoint import load_state, save_state
from springline.errors import RunError
from springline.state import flatten, state, unflatten


@state
class Pair(NamedTuple):
    left: object
    right: object = None


SHARED = torch.arange(6.0)
TREE = {
    "numbers": [1, -2.5, math.pi, 10**20, True, None, "text"],
    "odd floats": (math.inf, -math.inf),
    "pair": Pair(torch.tensor([1.5, -0.0]), [Pair(SHARED, ())]),
    "again": SHARED,
    "part": SHARED[:3],
    "transposed": SHARED.reshape(2, 3).T,
    "kinds": [torch.tensor(7), torch.tensor([True, False]), torch.zeros(0), torch.ones(2, dtype=torch.bfloat16)],
    "double": torch.tensor([1 / 3], dtype=torch.float64),
    "empty": {},
    "no attributes": {"$": 1, "@": "not a class", "(": [2]},
}


def same(a: object, b: object) -> bool:
    """Equal in value, type and dtype, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "state.safetensors"
    save_state(path, TREE)
    return path


def test_comes_back_as_it_was(file):
    assert same(load_state(file), TREE)


def test_nan_comes_back(tmp_path):
    save_state(tmp_path / "f", [math.nan, 1.0])
    first, second = load_state(tmp_path / "f")
    assert math.isnan(first)
    assert second == 1.0


def test_flatten_puts_nothing_but_json_beside_the_tensors():
    tensors, rest = flatten(TREE)
    assert same(unflatten(tensors, json.loads(json.dumps(rest, allow_nan=False))), TREE)


def test_a_tensor_of_its_own_after_loading(file):
    """States share tensors while they live; what is loaded is changed in place by its owner only."""
    loaded = load_state(file)
    loaded["again"].zero_()
    assert torch.equal(loaded["pair"].right[0].left, SHARED)


def test_is_plain_safetensors(file):
    with safe_open(file, framework="pt") as opened:
        assert "pair.left" in opened.keys()  # noqa: SIM118
        assert torch.equal(opened.get_tensor("double"), TREE["double"])


@pytest.mark.parametrize(
    "tree", [{"a": {1, 2}}, [object()], {1: "integer key"}, Path()], ids=["set", "object", "key", "path"]
)
def test_what_is_no_state_cannot_be_saved(tree, tmp_path):
    with pytest.raises(AssertionError, match="state"):
        save_state(tmp_path / "f", tree)
    assert list(tmp_path.iterdir()) == []


def positions(size: int) -> list[int]:
    """Every byte at the beginning and the end, and a sample of those between."""
    return sorted({*range(min(24, size)), *range(24, size - 24, 37), *range(size - 24, size)})


def refusal(file: Path) -> str | None:
    try:
        load_state(file)
    except RunError as error:
        return str(error)
    return None


def test_truncated_anywhere(file):
    whole = file.read_bytes()
    for length in positions(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(RunError, match="is not a whole checkpoint") as caught:
            load_state(file)
        assert "\n" not in str(caught.value)


def test_edited_anywhere(file):
    """An edited byte is found, or is one that means nothing (the padding and the version in the header)."""
    whole, meaningless = file.read_bytes(), 0
    for k in positions(len(whole)):
        for bit in (0, 3, 7):
            file.write_bytes(whole[:k] + bytes([whole[k] ^ (1 << bit)]) + whole[k + 1 :])
            if (why := refusal(file)) is None:
                assert same(load_state(file), TREE)
                meaningless += 1
            else:
                assert "is not a whole checkpoint" in why
    assert meaningless < 10


def test_something_added_at_the_end(file):
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(RunError, match="is not a whole checkpoint"):
        load_state(file)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x80\x04N.", b"\0" * 8, b"\xff" * 64, save({"a": torch.ones(1)})])
def test_no_checkpoint_at_all(file, content):
    file.write_bytes(content)
    with pytest.raises(RunError, match="is not a whole checkpoint"):
        load_state(file)


def forged(path: Path, tree: object) -> None:
    """A file with a right digest around a tree that no version of this library wrote."""
    from springline import checkpoint

    text = json.dumps(tree)
    digest = checkpoint._digest({}, text)
    path.write_bytes(
        save({}, {"format": checkpoint.FORMAT, "version": springline.__version__, "state": text, "sha256": digest})
    )


@pytest.mark.parametrize(
    "tree",
    [
        {"@": "os.system", "fields": {}},
        {"@": "test_checkpoint.Pair", "fields": {"left": 1, "middle": 2}},
        {"@": "test_checkpoint.Pair", "fields": {}},
        {"$": "a tensor that is not there"},
        {"float": "one"},
        {},
    ],
    ids=["unknown class", "unknown field", "missing field", "missing tensor", "no number", "nothing"],
)
def test_a_state_of_another_version(tmp_path, tree):
    forged(tmp_path / "f", tree)
    with pytest.raises(RunError, match=r"written by springline .*; resume the run with that version") as caught:
        load_state(tmp_path / "f")
    assert "\n" not in str(caught.value)


def test_a_state_class_is_not_one_without_its_mark(tmp_path):
    class Unmarked(NamedTuple):
        x: int

    save_state(tmp_path / "f", Unmarked(3))
    assert load_state(tmp_path / "f") == (3,)
    assert type(load_state(tmp_path / "f")) is tuple


def test_missing_file(tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        load_state(tmp_path / "none")


def test_a_failed_write_leaves_the_old_state(file, monkeypatch):
    before = file.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_state(file, {"x": SHARED})
    assert file.read_bytes() == before


def test_nothing_is_read_back_with_pickle():
    """No file of the package uses a reader that could run what it reads."""
    forbidden = {"pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle", "torch.load", "torch.save"}
    forbidden |= {"eval", "exec", "numpy.loads"}
    root = Path(springline.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        # what these read comes from their own program while it runs, through memory that nobody else can write to
        if str(path.relative_to(root)) in ("engines/local/nursery.py", "tied/connection.py", "tied/host.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Attribute):
                names = [ast.unparse(node)]
            elif isinstance(node, ast.Call):
                names = [ast.unparse(node.func)] if isinstance(node.func, ast.Name) else []
                allowed = [ast.unparse(k.value) for k in node.keywords if k.arg == "allow_pickle"]
                names += ["pickle"] if allowed not in ([], ["False"]) else []
            found += [f"{path.relative_to(root)}:{node.lineno}: {name}" for name in names if name in forbidden]
    assert found == []


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """Whoever goes on without it catches what the system says of any file."""
    with pytest.raises(OSError, match="No such file"):
        save_state(tmp_path / "not there" / "state.safetensors", TREE)


def test_a_disk_that_is_full_is_not_left_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(tensors: object, file: Path, metadata: object) -> None:
        file.write_bytes(b"half of it")
        raise SafetensorError("no space left on device")

    monkeypatch.setattr(checkpoint, "save_file", fill)
    with pytest.raises(OSError, match="no space left"):
        save_state(tmp_path / "state.safetensors", TREE)
    assert not list(tmp_path.iterdir())
