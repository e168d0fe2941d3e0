"""Data sets of torch: samples of many files, each row group decoded once in an epoch."""

import multiprocessing
import pickle
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader  # noqa: E402

from featcodec import decode_file, safe_open  # noqa: E402
from featcodec.decoding.decoder import Decoder  # noqa: E402
from featcodec.errors import Corrupt, InvalidInput  # noqa: E402
from featcodec.torch import (  # noqa: E402
    FeatureDataset,
    FeatureStream,
    RowGroupSampler,
    load_file,
    save_file,
)
from featcodec.torch.epoch import Batching, Epoch  # noqa: E402

# Of Python from 3.12 on: the threads of torch and pytest have nothing to do with the loaders.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

ROWS = (40, 0, 25)  # of the files
ROW_GROUP = 8
TOTAL = sum(ROWS)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    draw = torch.Generator().manual_seed(0)
    paths, first = [], 0
    for number, rows in enumerate(ROWS):
        features = torch.randn(rows, 16, 4, 4, generator=draw)
        labels = torch.arange(first, first + rows)
        paths.append(folder / f"{number}.fcz")
        layout = {"features": "NCHW"}
        tensors = {"features": features, "labels": labels}
        save_file(tensors, paths[-1], layout=layout, snr=10, row_group=str(ROW_GROUP))
        first += rows
    return paths


@pytest.fixture(scope="module")
def features(files: list[Path]) -> Any:
    """All features, decoded at once."""
    return torch.cat([safe_open(path, "torch").get_tensor("features") for path in files])


def test_a_data_set_says_what_it_holds(files: list[Path]) -> None:
    said = repr(FeatureDataset(files))
    assert said == "FeatureDataset(65 samples of 3 files: features [16, 4, 4], labels [])"
    dataset = FeatureDataset(files)
    assert repr(FeatureStream(dataset, 32)) == f"FeatureStream(3 batches of 32, {said})"
    assert repr(RowGroupSampler(dataset, 32)) == "RowGroupSampler(3 batches of 32)"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, int, int]]:
    """How often each row group of features is decoded: by file, group and number."""
    found: Counter[tuple[str, int, int]] = Counter()
    decode = Decoder._decode

    def counting(self: Decoder, group: Any, number: int) -> Any:
        if group.grid is not None:
            found[self.reader.name, group.number, number] += 1
        return decode(self, group, number)

    monkeypatch.setattr(Decoder, "_decode", counting)
    return found


# --- orders -------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=12),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 5),
    st.booleans(),
)
def test_an_epoch_has_each_sample_once_and_a_row_group_one_worker(
    sizes: list[int], batch_size: int, workers: int, ranks: int, mixed: int, shuffle: bool
) -> None:
    starts = np.concatenate([[0], np.cumsum(sizes)])
    found: list[int] = []
    users: dict[int, set[tuple[int, int]]] = {}  # of each row group, in some epochs
    for rank in range(ranks):
        batching = Batching(batch_size, shuffle, 0, mixed, rank=rank, ranks=ranks)
        for number in range(5):
            before = Epoch(starts, batching, number, workers)
            for i in range(len(before)):
                for j in np.searchsorted(starts, before.batch(i), "right") - 1:
                    users.setdefault(int(j), set()).add((rank, i % workers))
        epoch = Epoch(starts, batching, 3, workers)
        batches = [epoch.batch(i).tolist() for i in range(len(epoch))]
        each = int(starts[-1]) // ranks
        assert len(batches) == -(-each // batch_size)
        assert sorted(map(len, batches))[1:] == [batch_size] * (len(batches) - 1)
        assert sum(map(len, batches)) == each
        found += [i for batch in batches for i in batch]
    assert len(found) == len(set(found)) == int(starts[-1]) // ranks * ranks
    assert set(found) <= set(range(int(starts[-1])))
    if shuffle:
        assert sum(len(shared) - 1 for shared in users.values()) < ranks * workers  # at their edges
    elif ranks == 1:
        assert found == list(range(int(starts[-1])))  # with any number of workers


def test_orders_differ_by_epoch_and_seed_alone() -> None:
    starts = np.arange(0, 101, 10)

    def order(seed: int, epoch: int) -> list[int]:
        found = Epoch(starts, Batching(7, seed=seed), epoch)
        return [i for n in range(len(found)) for i in found.batch(n).tolist()]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1) != order(1, 1)
    plain = Epoch(starts, Batching(7, shuffle=False))
    assert [i for n in range(len(plain)) for i in plain.batch(n)] == list(range(100))


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"batch_size": 2.5},
        {"batch_size": True},
        {"mixed": 0},
        {"ranks": 0},
        {"rank": 1},
        {"rank": -1},
        {"seed": 1.5},
        {"seed": -1},
        {"shuffle": "no"},
    ],
)
def test_numbers_that_make_no_sense_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        Batching(**wrong)


@pytest.mark.parametrize("kind", [FeatureStream, RowGroupSampler])
def test_what_an_epoch_cannot_be_is_named_where_it_is_asked_for(
    files: list[Path], kind: Any
) -> None:
    dataset = FeatureDataset(files, keys=["labels"])
    loader = kind(dataset, 7)
    for wrong, named in [((-1,), "epoch"), ((1.5,), "epoch"), ((0, 11), "done"), ((0, -1), "done")]:
        with pytest.raises(
            InvalidInput, match=rf"^{named} must be a whole number .*not {wrong[-1]}"
        ):
            loader.set_epoch(*wrong)
        assert len(loader) == 10  # as before
    loader.set_epoch(0, 10)
    assert len(loader) == 0 and not list(loader)
    with pytest.raises(TypeError, match=rf"{kind.__name__} takes no argument 'shufle'; .*shuffle"):
        kind(dataset, 7, shufle=True)
    with pytest.raises(InvalidInput, match=rf"{kind.__name__} .*FeatureDataset\('0.fcz'\)"):
        kind("0.fcz", 7)
    with pytest.raises(TypeError, match="num_workers of its loader"):
        FeatureStream(dataset, 7, workers=2)
    with pytest.raises(InvalidInput, match="workers must be a whole number of 0 or more, not -1"):
        RowGroupSampler(dataset, 7, workers=-1)


@pytest.mark.parametrize("joined", [{}, {"batch_size": 64}, {"batch_size": 2, "num_workers": 1}])
def test_a_loader_that_would_join_batches_of_a_stream_is_refused(
    files: list[Path], joined: dict[str, int]
) -> None:
    stream = FeatureStream(FeatureDataset(files), batch_size=16)
    with pytest.raises(InvalidInput, match=r"write DataLoader\(stream, batch_size=None\)"):
        list(DataLoader(stream, **joined))
    assert {type(batch) for batch in DataLoader(stream, batch_size=None)} == {dict}


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_without_shuffling_loaders_give_the_order_of_the_files(
    files: list[Path], workers: int
) -> None:
    dataset = FeatureDataset(files, keys=["labels"])
    stream = FeatureStream(dataset, 7, shuffle=False)
    sampler = RowGroupSampler(dataset, 7, workers=workers, shuffle=False)
    loaders = (
        DataLoader(stream, batch_size=None, num_workers=workers),
        DataLoader(dataset, batch_sampler=sampler, num_workers=workers),
    )
    for done in (0, 4):  # batches, also when another number of workers gave them
        for each, loader in zip((stream, sampler), loaders, strict=True):
            each.set_epoch(3, done)
            found = [int(i) for batch in loader for i in batch["labels"]]
            assert found == list(range(7 * done, TOTAL))


# --- samples ------------------------------------------------------------------------------------


def test_samples_are_the_rows_of_all_files(files: list[Path], features: Any) -> None:
    dataset = FeatureDataset(files)
    assert len(dataset) == TOTAL

    @given(st.lists(st.integers(0, TOTAL - 1), min_size=1, max_size=30))
    def check(indices: list[int]) -> None:
        samples, batch = dataset.__getitems__(indices), dataset.batch(indices)
        for key, wanted in (("features", features[indices]), ("labels", torch.tensor(indices))):
            assert torch.equal(torch.stack([sample[key] for sample in samples]), wanted)
            assert torch.equal(batch[key], wanted)

    check()
    assert torch.equal(dataset[-1]["features"], features[-1])
    with pytest.raises(IndexError, match=str(TOTAL)):
        dataset[TOTAL]


def test_a_sample_may_be_changed_in_place(files: list[Path], features: Any) -> None:
    dataset = FeatureDataset(files)
    for sample in (dataset[3], dataset.__getitems__([3])[0], dataset.batch([3])):
        sample["features"].zero_()
    assert torch.equal(dataset[3]["features"], features[3])


def test_indices_that_are_none_are_named(files: list[Path]) -> None:
    dataset = FeatureDataset(files, keys=["labels"])
    with pytest.raises(InvalidInput, match=r"batch\(range\(0, 3, 1\)\)"):
        dataset[0:3]
    assert dataset.batch(range(0, 3, 1))["labels"].tolist() == [0, 1, 2]
    for wrong in ("x", 2.5, None):
        with pytest.raises(InvalidInput, match=f"{wrong!r}.*whole numbers"):
            dataset[wrong]
    for find in (dataset.batch, dataset.__getitems__):
        with pytest.raises(InvalidInput, match=r"2\.5"):
            find([1, 2.5])
        with pytest.raises(IndexError, match=f"{TOTAL} is out of range"):
            find([0, TOTAL])
    in_place_of_batches = DataLoader(dataset, sampler=RowGroupSampler(dataset, 64), batch_size=8)
    with pytest.raises(InvalidInput, match="a list of them by a loader's batch_sampler") as error:
        next(iter(in_place_of_batches))
    assert len(str(error.value)) < 200
    assert dataset.batch(torch.tensor([-1]))["labels"].tolist() == [TOTAL - 1]
    assert dataset[np.int64(2)] == dataset[torch.tensor(2)] == {"labels": torch.tensor(2)}


def test_room_is_said_in_bytes_or_with_a_unit(files: list[Path]) -> None:
    assert FeatureDataset(files, cache="1MB").fits == FeatureDataset(files, cache=10**6).fits
    for wrong in ("much", -1, 1.5, None):
        with pytest.raises(InvalidInput, match=f"cache {wrong!r}: give bytes"):
            FeatureDataset(files, cache=wrong)
        with pytest.raises(InvalidInput, match=f"cache {wrong!r}: give bytes"):
            safe_open(files[0], cache=wrong)
    with pytest.raises(InvalidInput, match="keys is empty"):
        FeatureDataset(files, keys=[])


def test_a_single_file_and_chosen_keys(files: list[Path]) -> None:
    dataset = FeatureDataset(files[0], keys="labels")
    assert dataset[7] == {"labels": torch.tensor(7)} and len(dataset) == ROWS[0]


@pytest.mark.parametrize(("method", "workers"), [(None, 0), ("fork", 2), ("spawn", 1)])
def test_loaders_give_what_the_files_hold(
    files: list[Path], features: Any, method: str | None, workers: int
) -> None:
    dataset = FeatureDataset(files)
    assert dataset[0]  # something is open and decoded when workers start
    context = multiprocessing.get_context(method) if workers else None
    sampler = RowGroupSampler(dataset, 7, workers=workers)
    stream = FeatureStream(dataset, 7)
    options = {"num_workers": workers, "multiprocessing_context": context}
    mapped = list(DataLoader(dataset, batch_sampler=sampler, **options))
    streamed = list(DataLoader(stream, batch_size=None, **options))
    assert len(mapped) == len(streamed) == len(sampler) == len(stream) == -(-TOTAL // 7)
    for one, other in zip(mapped, streamed, strict=True):
        assert torch.equal(one["labels"], other["labels"])
        for batch in (one, other):
            assert torch.equal(batch["features"], features[batch["labels"]])


def test_an_epoch_decodes_each_row_group_once(
    files: list[Path], decoded: Counter[tuple[str, int, int]]
) -> None:
    row_group = ROW_GROUP * (16 * 4 * 4 * 4 + 8)
    dataset = FeatureDataset(files, cache=5 * row_group)
    sampler = RowGroupSampler(dataset, 5, mixed=2)
    for epoch in range(3):
        decoded.clear()
        dataset = pickle.loads(pickle.dumps(dataset))  # nothing is kept of the last epoch
        sampler.set_epoch(epoch)
        for _ in DataLoader(dataset, batch_sampler=sampler):
            pass
        assert len(decoded) == sum(-(-rows // ROW_GROUP) for rows in ROWS)
        assert set(decoded.values()) == {1}


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_shares_of_workers_decode_few_row_groups_twice(
    files: list[Path], decoded: Counter[tuple[str, int, int]], workers: int
) -> None:
    dataset = FeatureDataset(files)
    for worker in range(workers):
        dataset = pickle.loads(pickle.dumps(dataset))  # a process of its own
        epoch = Epoch(dataset.starts, Batching(5, mixed=1), 0, workers)
        for i in range(worker, len(epoch), workers):
            dataset.batch(epoch.batch(i))
    assert sum(decoded.values()) <= len(decoded) + workers - 1


@pytest.mark.parametrize(("workers", "ranks"), [(1, 1), (2, 1), (3, 1), (2, 2)])
def test_what_the_caches_of_all_workers_hold_is_decoded_once(
    files: list[Path], decoded: Counter[tuple[str, int, int]], workers: int, ranks: int
) -> None:
    for rank in range(ranks):
        for worker in range(workers):
            dataset = pickle.loads(pickle.dumps(FeatureDataset(files)))  # in a process of its own
            for number in range(3):
                epoch = Epoch(dataset.starts, Batching(5, rank=rank, ranks=ranks), number, workers)
                for i in range(worker, len(epoch), workers):
                    dataset.batch(epoch.batch(i))
    assert decoded.total() <= len(decoded) + workers * ranks - 1


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("done", [0, 1, 4])
def test_an_epoch_goes_on_where_it_was_left(files: list[Path], workers: int, done: int) -> None:
    dataset = FeatureDataset(files, keys=["labels"])
    sampler = RowGroupSampler(dataset, 7, workers=workers)
    stream = FeatureStream(dataset, 7)

    def labels(loader: Any) -> list[list[int]]:
        return [batch["labels"].tolist() for batch in loader]

    kept = workers > 0
    options = {"num_workers": workers, "persistent_workers": kept}
    loader = DataLoader(stream, batch_size=None, **options)
    for epoch in (0, 1):
        stream.set_epoch(epoch)
        whole = labels(loader)
        for each in (stream, sampler):
            each.set_epoch(epoch, done)
        assert labels(loader) == whole[done:]
        assert labels(DataLoader(dataset, batch_sampler=sampler, **options)) == whole[done:]
        assert len(stream) == len(sampler) == len(whole) - done


def test_ranks_share_an_epoch(files: list[Path]) -> None:
    dataset = FeatureDataset(files, keys=["labels"])
    streams = [FeatureStream(dataset, 7, rank=rank, ranks=2) for rank in (0, 1)]
    found = [[int(i) for batch in stream for i in batch["labels"]] for stream in streams]
    assert len(found[0]) == len(found[1]) == TOTAL // 2
    assert len({*found[0], *found[1]}) == TOTAL // 2 * 2


def test_what_travels_to_a_worker_is_small(files: list[Path]) -> None:
    dataset = FeatureDataset(files)
    assert len(dataset.__getitems__(range(TOTAL))) == TOTAL
    assert len(pickle.dumps(dataset)) < 4000


# --- what goes wrong ----------------------------------------------------------------------------


def written(path: Path, **tensors: Any) -> Path:
    save_file(tensors, path, lossless=True)
    return path


def test_files_that_do_not_go_together_are_named(tmp_path: Path, files: Sequence[Path]) -> None:
    short = written(tmp_path / "short.fcz", features=torch.ones(3, 2), labels=torch.arange(4))
    with pytest.raises(InvalidInput, match=r"short.fcz: 'features' has 3 rows, 'labels' 4"):
        FeatureDataset(short)
    scalar = written(tmp_path / "scalar.fcz", step=torch.tensor(1))
    with pytest.raises(InvalidInput, match=r"scalar.fcz: 'step' is a scalar"):
        FeatureDataset(scalar)
    other = written(tmp_path / "other.fcz", features=torch.ones(3, 2), labels=torch.arange(3))
    with pytest.raises(InvalidInput, match=r"other.fcz: rows of 'features' are F32 \[2\], in .*16"):
        FeatureDataset([files[0], other])
    with pytest.raises(InvalidInput, match=r"other.fcz holds no tensor 'tokens'"):
        FeatureDataset(other, keys=["tokens"])
    with pytest.raises(InvalidInput, match="one file at least"):
        FeatureDataset([])
    with pytest.raises(InvalidInput, match=r"nothing.fcz"):
        FeatureDataset(tmp_path / "nothing.fcz")


def test_damage_names_the_file(tmp_path: Path, files: Sequence[Path]) -> None:
    data = bytearray(files[0].read_bytes())
    data[40] ^= 1  # of a row group
    path = tmp_path / "damaged.fcz"
    path.write_bytes(data)
    dataset = FeatureDataset(path)
    for read in (
        lambda: load_file(path),
        lambda: safe_open(path).get_tensor("features"),
        lambda: safe_open(path).get_slice("features")[0],
        lambda: decode_file(path, tmp_path / "back.safetensors"),
        lambda: list(FeatureStream(dataset, 7)),
    ):
        with pytest.raises(Corrupt, match=f"^{re.escape(str(path))}: the section at byte"):
            read()
    loader = DataLoader(FeatureStream(dataset, 7), batch_size=None, num_workers=1)
    with pytest.raises(Corrupt, match=r"damaged.fcz: the section at byte"):
        list(loader)


def test_a_file_that_has_changed_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "x.fcz", x=torch.ones(4, 2))
    dataset = pickle.loads(pickle.dumps(FeatureDataset(path)))
    written(path, x=torch.ones(5, 2))
    with pytest.raises(InvalidInput, match=r"x.fcz has changed since the data set was made"):
        dataset[0]
