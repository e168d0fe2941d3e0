"""Data sets of Hugging Face from files of features."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

datasets = pytest.importorskip("datasets")

from featcodec import safe_open  # noqa: E402
from featcodec.errors import InvalidInput  # noqa: E402
from featcodec.ext.hf import from_featcodec  # noqa: E402
from featcodec.numpy import save_file  # noqa: E402


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder, draw = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    paths = []
    for number, rows in enumerate((20, 13)):
        tensors = {
            "maps": draw.normal(size=(rows, 4, 3, 2)).astype(np.float16),
            "pooled": draw.normal(size=(rows, 4)).astype(np.float32),
            "labels": np.arange(rows) + 20 * number,
        }
        paths.append(str(folder / f"{number}.fcz"))
        save_file(tensors, paths[-1], snr=20, row_group="8")
    return paths


def decoded(files: list[str], key: str) -> np.ndarray:
    return np.concatenate([safe_open(path).get_tensor(key) for path in files])


@pytest.mark.parametrize("options", [{}, {"num_proc": 2}, {"streaming": True}])
def test_examples_are_the_rows_of_all_files(
    files: list[str], options: dict[str, Any], tmp_path: Path
) -> None:
    cache = {} if "streaming" in options else {"cache_dir": str(tmp_path)}
    found = from_featcodec(files, **options, **cache)
    assert found.features["maps"] == datasets.Array3D((4, 3, 2), "float16")
    assert found.features["labels"] == datasets.Value("int64")
    rows = list(found.with_format("numpy"))
    assert [int(row["labels"]) for row in rows] == list(range(33))
    for key in ("maps", "pooled"):
        assert np.array_equal(np.stack([row[key] for row in rows]), decoded(files, key))


def test_streams_have_a_shard_a_file(files: list[str]) -> None:
    stream = from_featcodec(files, keys=["labels"], streaming=True)
    assert stream.num_shards == len(files)
    shard = stream.shard(num_shards=2, index=1)
    assert [row["labels"] for row in shard] == list(range(20, 33))


def test_what_rows_cannot_be_is_said(tmp_path: Path) -> None:
    path = str(tmp_path / "x.fcz")
    save_file({"a": np.zeros((2, 3)), "b": np.zeros(3)}, path, lossless=True)
    with pytest.raises(InvalidInput, match="name keys of tensors with as many"):
        list(from_featcodec(path, streaming=True))
    save_file({"a": np.zeros((1,) * 7)}, path, lossless=True)
    with pytest.raises(InvalidInput, match="'a' has 7 axes"):
        from_featcodec(path)
    with pytest.raises(InvalidInput, match="one file at least"):
        from_featcodec([])
