"""Orthonormal bases as products of Householder reflections with integer vectors (SPEC §6.2).

The basis is H_1 H_2 ... H_K with H_j = I - 2 v_j v_j' / (v_j' v_j), where v_j is zero before its
position j and integer from there on. The product is orthonormal whatever the integers are. So the
basis may be stored coarsely: it then decorrelates a little less, and its inverse is still its
transpose. K vectors also hold fewer numbers than K rows of a matrix: half as many when K is
the number of channels.
"""

import numpy as np

PANEL = 32  # columns: of 8 to 64 about as fast, for 384 and 1,280 channels


def basis(vectors: np.ndarray, channels: int) -> np.ndarray:
    """Return the (channels, channels) float64 product of the K reflections.

    `vectors` is (channels, K), column j the integer vector v_j. Uses the UT transform (Joffrain,
    Low, Quintana-Orti, van de Geijn and Van Zee, "Accumulating Householder transformations,
    revisited", ACM TOMS 2006): the product is I - V T^-1 V', T = diag(v'v) / 2 + triu(V'V, 1).
    """
    if vectors.shape[1] == 0:
        return np.eye(channels)
    v, w = factors(vectors)
    return np.eye(channels) - v @ w


def factors(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float64 (channels, K) and (K, channels): the basis is I less their product."""
    v = vectors.astype(np.float64)
    norms = np.sqrt((v * v).sum(axis=0))
    v /= np.where(norms > 0, norms, 1)
    gram = np.triu(v.T @ v, 1)
    gram[np.diag_indices(v.shape[1])] = 0.5
    return v, np.linalg.solve(gram, v.T)


def factor(target: np.ndarray, count: int, magnitude: float | np.ndarray) -> np.ndarray:
    """Return integer vectors (channels, count) whose product starts with the columns of `target`.

    `target` is (channels, >= count) with orthonormal columns; `magnitude` is the root mean square
    of the integers of a vector, or that of each one. Each reflection is computed from the residual
    of the rounded ones before it, so that rounding errors do not add up. Those of a panel of
    columns reach the columns behind it at once, as in blocked QR (Golub and Van Loan, "Matrix
    Computations", section 5.2.3).
    """
    channels = target.shape[0]
    rest = np.array(target[:, :count].T, np.float64, order="C")  # columns, as rows
    vectors = np.zeros((count, channels), np.int64)
    magnitudes = np.broadcast_to(magnitude, (count,))
    for first in range(0, count, PANEL):
        last = min(first + PANEL, count)
        for j in range(first, last):
            v = _reflector(rest[j, j:], magnitudes[j], channels)
            vectors[j, j:] = v
            others = rest[j + 1 : last, j:]
            others -= np.outer(others @ v, v * (2 / max(v @ v, 1.0)))
        v, w = factors(vectors[first:last, first:].T)
        rest[last:, first:] -= (rest[last:, first:] @ v) @ w
    return np.ascontiguousarray(vectors.T)


def _reflector(column: np.ndarray, magnitude: float, most: float) -> np.ndarray:
    """Return integers whose reflection turns a column to its first axis, about.

    `magnitude` is the root mean square of all but the first, unless that takes more than `most`
    times the reflector of a column of length 1. Zeros are no reflection.
    """
    norm = np.linalg.norm(column)
    if norm == 0:
        return np.zeros(len(column))
    v = column / norm
    tail = np.sqrt(max(1 - v[0] ** 2, 1e-30) / max(len(column) - 1, 1))
    v[0] += 1 if v[0] >= 0 else -1  # away from cancellation; the sign of a row is free
    return np.rint(v * magnitude * min(1 / tail, most))


def pack(vectors: np.ndarray) -> np.ndarray:
    """Return the entries from the diagonal down, one vector after the other."""
    channels, count = vectors.shape
    return np.concatenate([vectors[j:, j] for j in range(count)] or [np.zeros(0, np.int64)])


def unpack(flat: np.ndarray, channels: int, count: int) -> np.ndarray:
    """Invert `pack`."""
    vectors = np.zeros((channels, count), np.int64)
    start = 0
    for j in range(count):
        vectors[j:, j] = flat[start : start + channels - j]
        start += channels - j
    return vectors


def packed_length(channels: int, count: int) -> int:
    return count * channels - count * (count - 1) // 2
