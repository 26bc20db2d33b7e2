"""The two errors a user meets. Each message is one sentence: what is wrong, where, what to do."""


class UsageError(ValueError):
    """Wrong input: an unknown name, a value out of range, a folder already in use. Exit code 2."""


class RunError(RuntimeError):
    """A run that started and could not go on: a non-finite loss, a damaged file. Exit code 1."""


FEW = 8  # names that are listed beside the nearest one


def unknown(kind: str, name: str, known: list[str], where: str = "") -> UsageError:
    """The error for a name that is not in a list, with the nearest names that are; all of them if they are few.

    where: what the list belongs to, as in " of method 'easgd'".
    """
    from difflib import get_close_matches

    spelt = {k.lower(): k for k in known}
    near = [spelt[k] for k in get_close_matches(name.lower(), spelt, n=3, cutoff=0.6)]
    listed = f"known: {', '.join(sorted(known)) or 'none'}"
    others = f" ({listed})" if set(near) < set(known) and len(known) <= FEW else ""
    hint = f"did you mean {' or '.join(near)}{others}?" if near else f"{listed}."
    return UsageError(f"unknown {kind} {name!r}{where}; {hint}")
