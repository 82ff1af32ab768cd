#!/usr/bin/python3
"""Writes deep.json: what torchvision's DenseNet121, EfficientNet-B0 and
ResNet18 compute with weights that a formula sets.

Run with /usr/bin/python3 (Debian's python3-torch 1.13, python3-torchvision
0.14): ./deep.py > deep.json
Parameter number p (in the order of the network's list) has element k equal to
a·sin(p + 0.7·k²), a = √(2/inputs of a unit) for weights of convolutions and
linear layers, 1/5 otherwise; scales of batch norm are 1 more, running variances
their square plus 1/2. Input element i is sin(i²/7), for two images of 32×32. The
loss is the sum over logits of l·cos(k), k counting logits row by row; layers are
in evaluation mode. list is the SHA-256 of the lines "NAME SHAPE" of 1000 classes.
"""
import hashlib
import json
import math

import torch
import torchvision.models as models

torch.set_default_dtype(torch.float64)


def state(net):
    return {n: t for n, t in net.state_dict().items() if not n.endswith("num_batches_tracked")}


def fill(net):
    for p, (name, t) in enumerate(state(net).items()):
        a = math.sqrt(2 / (t.numel() / t.shape[0])) if t.dim() > 1 else 0.2
        v = torch.tensor([a * math.sin(p + 0.7 * (k * k)) for k in range(t.numel())]).reshape(t.shape)
        if name.endswith("running_var"):
            v = v * v + 0.5
        elif t.dim() == 1 and name.endswith("weight"):
            v = v + 1
        t.copy_(v)


def main():
    res = {}
    for name, make in (("densenet121", models.densenet121), ("efficientnet_b0", models.efficientnet_b0), ("resnet18", models.resnet18)):
        full = state(make(weights=None))
        lines = "".join(f"{n} {'×'.join(map(str, t.shape))}\n" for n, t in full.items())
        count = sum(t.numel() for n, t in full.items() if "running" not in n)
        net = make(weights=None, num_classes=3)
        fill(net)
        net.eval()
        x = torch.tensor([math.sin(i * i / 7) for i in range(2 * 3 * 32 * 32)]).reshape(2, 3, 32, 32).requires_grad_(True)
        y = net(x)
        (y * torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape)).sum().backward()
        grads = dict(net.named_parameters())
        names = list(grads)
        res[name] = {
            "list": hashlib.sha256(lines.encode()).hexdigest(),
            "count": count,
            "logits": y.flatten().tolist(),
            "dx": x.grad.flatten().tolist()[::409],
            "dp": {n: grads[n].grad.flatten().tolist()[:3] for n in (names[0], names[len(names) // 2], names[-2])},
        }
    print(json.dumps(res, indent=1))


main()
