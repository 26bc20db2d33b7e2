"""A host in a process of its own, which the first worker starts where there is no launcher."""

from __future__ import annotations

import signal
import sys

from springline.errors import RunError, UsageError
from springline.folder import RunFolder
from springline.tied.host import Host


def main(folder: str, workers: str) -> int:
    """It lives as long as the run."""
    for number in (signal.SIGINT, signal.SIGTERM):  # its workers get it too, and say how they end
        signal.signal(number, signal.SIG_IGN)
    files = RunFolder(folder)
    try:
        with files.held():
            files.check_free()
            host = Host(files, int(workers))
            try:
                while not host.over():
                    host.turn()
                host.write(ended=not host.stopping)
            finally:
                host.close()
    except (UsageError, RunError) as error:
        print(f"springline: {error}", file=sys.stderr, flush=True)
        return 2 if isinstance(error, UsageError) else 1
    except OSError as error:
        why = f"the center of the run in {folder} could not be kept or written ({error}); mend that, and start again."
        print(f"springline: {why}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
