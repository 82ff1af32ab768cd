#!/usr/bin/python3
"""Writes pool.json: PyTorch's pooling of a 7×6 plane whose element i is sin(i²/7).

Run with /usr/bin/python3 (Debian's python3-torch 1.13): ./pool.py > pool.json
"""
import json
import math

import torch
import torch.nn.functional as F

x = torch.tensor([math.sin(i * i / 7) for i in range(42)]).reshape(1, 1, 7, 6)
res = []
for kernel, stride, pad, dilation in [
    ((2, 2), (2, 2), (0, 0), (1, 1)),
    ((3, 3), (2, 2), (1, 1), (1, 1)),
    ((3, 2), (3, 3), (1, 0), (1, 1)),
    ((2, 3), (1, 2), (1, 1), (2, 2)),
    ((2, 2), (3, 4), (1, 1), (1, 1)),
]:
    for ceil in (False, True):
        case = {"kernel": kernel, "stride": stride, "pad": pad, "dilation": dilation, "ceil": ceil}
        y = F.max_pool2d(x, kernel, stride, pad, dilation, ceil)
        case["shape"], case["max"] = list(y.shape[2:]), y.flatten().tolist()
        if dilation == (1, 1):
            case["avg"] = F.avg_pool2d(x, kernel, stride, pad, ceil, False).flatten().tolist()
            case["avgpad"] = F.avg_pool2d(x, kernel, stride, pad, ceil, True).flatten().tolist()
        res.append(case)
print(json.dumps(res))
