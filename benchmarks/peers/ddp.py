"""torch.nn.parallel.DistributedDataParallel on gloo; started by torchrun. Its cell's folder is the one argument."""

from __future__ import annotations

import os
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F
from common import Peer
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel


def main() -> None:
    dist.init_process_group("gloo")
    peer = Peer(int(os.environ["RANK"]))
    model = DistributedDataParallel(peer.model)
    optimizer = torch.optim.SGD(model.parameters(), lr=peer.cell["lr"])
    peer.restore(optimizer)
    began = 0.0

    def lagging(group, bucket):  # type: ignore[no-untyped-def]  # DDP refuses annotations that are text, as they are in this file
        """The usual hook, behind the sleep: what a slow worker's own computing took, without waiting for others."""
        if bucket.is_last():
            peer.lag(time.monotonic() - began)
        return allreduce_hook(group, bucket)

    if peer.cell["slow"] > 1:
        model.register_comm_hook(None, lagging)
    peer.gather()
    while True:
        began = time.monotonic()
        x, y = peer.batch()
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        peer.stepped(synchronous=True)
        peer.checkpoint(optimizer)


if __name__ == "__main__":
    main()
