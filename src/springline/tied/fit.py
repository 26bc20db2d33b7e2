"""Whether a worker may take part in a run."""

from __future__ import annotations

from typing import Any


def misfit(first: dict[str, Any], hello: dict[str, Any]) -> str | None:
    """Why what a worker says of itself does not fit what the first one said; None if it does."""
    if (hello["size"], hello["dtype"]) != (first["size"], first["dtype"]):
        return (
            f"this worker's model has {hello['size']} parameters of {hello['dtype']}, but the run trains "
            f"{first['size']} of {first['dtype']}; build the same model in every worker."
        )
    if hello["fingerprint"] != first["fingerprint"]:
        return (
            "this worker's model has as many parameters as the run's, but with other names or shapes; build the "
            "same model in every worker."
        )
    theirs, ours = ({k: h["config"][k] for k in ("method", "knobs", "tau", "seed")} for h in (hello, first))
    if theirs != ours:
        return f"this worker was tied with {theirs}, but the run has {ours}; tie all workers alike."
    return None
