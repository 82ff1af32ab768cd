#!/usr/bin/python3
"""Writes golden.json: what PyTorch computes for a small residual net.

Run with /usr/bin/python3 (Debian's python3-torch 1.13): ./golden.py > golden.json
Parameter number p (in the order of the net's list) has element i equal to
sin(1 + 7p + 3i)/3, scales of batch norm 1 more, running variances their square
plus 1/2; input element i is sin(i²/7). The loss is the sum over logits of
l·cos(k), k counting logits row by row.
"""
import json
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.downsample = None
        if stride != 1 or cin != cout:
            self.downsample = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.ModuleDict({"conv": nn.Conv2d(2, 3, 3, 1, 1, bias=False), "bn": nn.BatchNorm2d(3)})
        self.stage1 = nn.Sequential(Block(3, 3, 1))
        self.stage2 = nn.Sequential(Block(3, 4, 2))
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = F.relu(self.stem["bn"](self.stem["conv"](x)))
        x = self.stage2(self.stage1(x))
        return self.fc(x.mean((2, 3)))


def main():
    net = Net()
    names = [n for n, _ in net.state_dict().items() if not n.endswith("num_batches_tracked")]
    state = net.state_dict()
    for p, name in enumerate(names):
        t = state[name]
        v = torch.tensor([math.sin(1 + 7 * p + 3 * i) / 3 for i in range(t.numel())]).reshape(t.shape)
        if name.endswith("running_var"):
            v = v * v + 0.5
        elif t.dim() == 1 and name.endswith("weight"):
            v = v + 1
        t.copy_(v)
    x = torch.tensor([math.sin(i * i / 7) for i in range(3 * 2 * 6 * 5)]).reshape(3, 2, 6, 5).requires_grad_(True)
    res = {"params": names}
    for mode in ("eval", "train"):
        net.train(mode == "train")
        x.grad = None
        net.zero_grad()
        y = net(x)
        (y * torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape)).sum().backward()
        params = dict(net.named_parameters())
        res[mode] = {
            "logits": y.flatten().tolist(),
            "dx": x.grad.flatten().tolist()[:20],
            "dp": {n: params[n].grad.flatten().tolist()[:4] for n in names if n in params},
        }
    state = net.state_dict()
    res["running"] = {n: state[n].tolist() for n in names if "running" in n}
    print(json.dumps(res, indent=1))


main()
