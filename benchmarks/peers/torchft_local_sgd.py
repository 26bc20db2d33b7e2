"""torchft's LocalSGD: every worker is a replica of its own, under a torchrun of its own, as torchft's guide has it.

Arguments: the cell's folder, the replica. TORCHFT_LIGHTHOUSE says where the lighthouse is.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Any

import torch
import torch.nn.functional as F
from common import Peer
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torchft.local_sgd import LocalSGD
from torchft.manager import Manager
from torchft.process_group import ProcessGroupGloo


def main() -> None:
    peer = Peer(int(sys.argv[2]))
    model = peer.model
    optimizer = torch.optim.SGD(model.parameters(), lr=peer.cell["lr"])

    def state_dict() -> dict[str, Any]:
        return {"model": model.state_dict(), "optim": optimizer.state_dict()}

    def load_state_dict(state: dict[str, Any]) -> None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optim"])

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    manager = Manager(
        pg=ProcessGroupGloo(timeout=timedelta(seconds=5)),  # short, or the others wait 60 s for a dead one
        timeout=timedelta(seconds=30),
        load_state_dict=load_state_dict,
        state_dict=state_dict,
        min_replica_size=2,
        use_async_quorum=False,
        init_sync=False,  # all start with the same weights
        replica_id=f"replica_{peer.rank}",
        store_addr="127.0.0.1",
        store_port=store.port,
        rank=0,
        world_size=1,
        hostname="127.0.0.1",
    )
    peer.gather()
    with LocalSGD(manager, model, optimizer, sync_every=peer.cell["tau"]):
        while True:
            began = time.monotonic()
            x, y = peer.batch()
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            peer.lag(time.monotonic() - began)
            committed = manager.current_step()
            optimizer.step()
            peer.stepped(synchronous=manager.current_step() > committed)


if __name__ == "__main__":
    main()
