"""Orthonormal bases as products of Householder reflections with integer vectors (SPEC §6.2).

The basis is H_1 H_2 ... H_K with H_j = I - 2 v_j v_j' / (v_j' v_j), where v_j is zero before its
position j and integer from there on. The product is orthonormal whatever the integers are. So the
basis may be stored coarsely: it then decorrelates a little less, and its inverse is still its
transpose. K vectors also hold fewer numbers than K rows of a matrix: half as many when K is
the number of channels.
"""

import numpy as np


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
    of the rounded ones before it, so that rounding errors do not add up.
    """
    channels = target.shape[0]
    rest = np.array(target[:, :count], np.float64)
    vectors = np.zeros((channels, count), np.int64)
    magnitudes = np.broadcast_to(magnitude, (count,))
    for j in range(count):
        column = rest[j:, j]
        norm = np.linalg.norm(column)
        if norm == 0:
            continue
        v = column / norm
        v[0] += 1 if v[0] >= 0 else -1  # away from cancellation; the sign of a row is free
        tail = np.sqrt(max(1 - (column[0] / norm) ** 2, 1e-30) / max(channels - j - 1, 1))
        v = np.rint(v * magnitudes[j] * min(1 / tail, channels))
        square = v @ v
        if square == 0:
            continue
        vectors[j:, j] = v
        rest[j:] -= np.outer(v, (2 / square) * (v @ rest[j:]))
    return vectors


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
