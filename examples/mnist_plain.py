"""MNIST in plain PyTorch, one process, with images that `springline.data` fetches; `mnist_tied.py` is the same script
with three lines changed.

python examples/mnist_plain.py
"""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import springline.data


def digits(split: str, n: int) -> Dataset:
    """The first n images; any data set of your own will do as well."""
    mnist = springline.data.load("mnist")
    x, y = (mnist.train_x, mnist.train_y) if split == "train" else (mnist.test_x, mnist.test_y)
    return TensorDataset(torch.tensor(x[:n]).unsqueeze(1).float() / 255, torch.tensor(y[:n]))


def net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(10, 20, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(320, 50), nn.ReLU(), nn.Linear(50, 10),
    )  # fmt: skip


def accuracy(model: nn.Module, data: Dataset) -> float:
    with torch.no_grad():
        hits = [(model(x).argmax(1) == y).float().mean() for x, y in DataLoader(data, batch_size=1000)]
    return float(torch.stack(hits).mean())


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--epochs", type=int, default=1)
    options.add_argument("--samples", type=int, default=60000)
    args = options.parse_args()
    torch.manual_seed(0)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    train = DataLoader(digits("train", args.samples), batch_size=64, shuffle=True)
    for epoch in range(args.epochs):
        for x, y in train:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}: test accuracy {accuracy(model, digits('test', 10000)):.4f}")


if __name__ == "__main__":
    main()
