"""Times POT, scipy and numpy for TestTiming (see timing_test.go), one thread.

Reads lines "task n dim eps file", where file holds x and y as float64, and
answers "seconds value". Sinkhorn stops at the L2 marginal error 1e-6/sqrt(n),
which is the L1 error 1e-6 or a little less.
"""
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
import ot  # noqa: E402
from scipy.optimize import linear_sum_assignment  # noqa: E402


def cosine(x, y):
    u = x / np.sqrt((x * x).sum(1, keepdims=True))
    v = y / np.sqrt((y * y).sum(1, keepdims=True))
    return 1 - u @ v.T


def sinkhorn(x, y, eps):
    n = len(x)
    c = cosine(x, y)
    w = np.full(n, 1 / n)
    p = ot.sinkhorn(w, w, c, eps, method="sinkhorn_log", numItermax=100000, stopThr=1e-6 / np.sqrt(n))
    return (p * c).sum()


def emd(x, y, eps):
    w = np.full(len(x), 1 / len(x))
    return ot.emd2(w, w, cosine(x, y), numItermax=10**8)


def weighted(x, y, eps):
    a = 1.0 + np.arange(len(x)) % 7
    b = 1.0 + np.arange(len(y)) % 5
    return ot.emd2(a / a.sum(), b / b.sum(), cosine(x, y), numItermax=10**8)


def assignment(x, y, eps):
    c = cosine(x, y)
    return c[linear_sum_assignment(c)].mean()


def mmd(x, y, eps):
    def mean(x, y):
        d = (x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2 * x @ y.T
        return np.exp(d / (-2 * eps * eps)).mean()

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)



def sq(x, y):
    return np.maximum((x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2 * x @ y.T, 0)


def emdsq(x, y, eps):
    w = np.full(len(x), 1 / len(x))
    return ot.emd2(w, w, sq(x, y), numItermax=10**8)


def assignmentsq(x, y, eps):
    c = sq(x, y)
    return c[linear_sum_assignment(c)].mean()


def sliced(x, y, eps):
    theta = np.random.default_rng(0).normal(size=(64, x.shape[1]))
    theta /= np.sqrt((theta * theta).sum(1, keepdims=True))
    p, q = np.sort(theta @ x.T, 1), np.sort(theta @ y.T, 1)
    return ((p - q) ** 2).mean()


for line in sys.stdin:
    task, n, dim, eps, file = line.split()
    x, y = np.fromfile(file).reshape(2, int(n), int(dim))
    start = time.process_time()
    value = globals()[task](x, y, float(eps))
    print(time.process_time() - start, value, flush=True)
