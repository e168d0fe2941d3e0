"""Ray: many files on many machines.

`Encoder` and `Decoder` are for `Dataset.map_batches`; `results` does the tasks of the command line.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np

from ..coding.profile import Profile
from ..errors import FeatcodecError
from ..files import decode_file, encode_file
from ..pool import WorkerDied
from ..request import Options, Quality
from . import needed

RETRIES = 3  # of a task whose worker dies
WAITING = 2  # tasks for each processor that the cluster is given at once
SUFFIXES = {"encode": ".fcz", "decode": ".safetensors"}
Batch = dict[str, Any]


class _Files:
    """Codes the files of a batch, each to one output in a folder that mirrors their tree.

    A batch has the column `path` and, from `read_binary_files(..., include_paths=True)`, `bytes`.
    What comes back are rows of a manifest. A file that fails costs its own row alone.
    """

    suffix: str

    def __init__(
        self,
        folder: str | os.PathLike[str],
        root: str | os.PathLike[str] = ".",
        profile: Any = None,
    ) -> None:
        self.folder, self.root = Path(folder), Path(root)
        known = profile is None or isinstance(profile, Profile)
        self.profile: Profile | None = profile if known else needed("ray", "ray").get(profile)

    def __call__(self, batch: Batch) -> Batch:
        contents = batch.get("bytes", [None] * len(batch["path"]))
        rows = [self._row(str(path), data) for path, data in zip(batch["path"], contents)]
        return {name: np.array([row[name] for row in rows], object) for name in rows[0]}

    def output_of(self, path: str) -> Path:
        """Return the output of an input, which lies below the root."""
        inside = Path(os.path.relpath(path, self.root))
        inside = Path(*(part for part in inside.parts if part != ".."))
        return self.folder / inside.with_suffix(self.suffix)

    def _row(self, path: str, data: bytes | None) -> dict[str, Any]:
        output = self.output_of(path)
        row = {"input": path, "output": str(output), "status": "done", "error": None}
        row |= {"sha256": None, "input_bytes": None, "output_bytes": None, "snr_db": None}
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            if data is None:
                return row | self._coded(path, output)
            with tempfile.TemporaryDirectory() as room:
                local = Path(room) / Path(path).name
                local.write_bytes(data)
                return row | self._coded(str(local), output)
        except (FeatcodecError, OSError) as error:
            return row | {"status": "failed", "error": str(error)}

    def _coded(self, path: str, output: Path) -> dict[str, Any]:
        raise NotImplementedError


class Encoder(_Files):
    """Encodes dumps to files.

    Args:
        folder: Where outputs go, on a file system that all workers have.
        root: The folder of the inputs, whose tree `folder` mirrors.
        profile: A `Profile`, or what `ray.put` made of one, so that it travels once.
        quality: Of the floating tensors; 20 dB without.
        options: Layouts and the like.

    >>> import ray  # doctest: +SKIP
    >>> paths = ray.data.from_items([{"path": "dumps/a.safetensors"}])  # doctest: +SKIP
    >>> made = paths.map_batches(  # doctest: +SKIP
    ...     Encoder, fn_constructor_kwargs={"folder": "coded", "root": "dumps"}, concurrency=2)
    >>> made.write_parquet("manifest")  # doctest: +SKIP
    """

    suffix = SUFFIXES["encode"]

    def __init__(
        self,
        folder: str | os.PathLike[str],
        root: str | os.PathLike[str] = ".",
        profile: Any = None,
        quality: Quality | None = None,
        options: Options | None = None,
    ) -> None:
        super().__init__(folder, root, profile)
        self.quality, self.options = quality, options

    def _coded(self, path: str, output: Path) -> dict[str, Any]:
        report = encode_file(
            path,
            output,
            self.quality,
            profile=self.profile,
            options=self.options,
            overwrite=True,
        )
        made = {"input_bytes": report.input_bytes, "output_bytes": report.output_bytes}
        return made | {"sha256": sha256_of(output), "snr_db": report.snr_db}


class Decoder(_Files):
    """Decodes files to dumps; `folder`, `root` and `profile` are those of `Encoder`."""

    suffix = SUFFIXES["decode"]

    def _coded(self, path: str, output: Path) -> dict[str, Any]:
        size = decode_file(path, output, profile=self.profile, overwrite=True)
        made = {"input_bytes": Path(path).stat().st_size, "output_bytes": size}
        return made | {"sha256": sha256_of(output)}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def results(
    work: Callable[[Any], Any], tasks: Sequence[Any], address: str | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield (position, result) of tasks as they are done on a cluster, as `featcodec.pool` does.

    Without an address a cluster is made of this machine. What the `source` and `target` of a task
    name must be the same for all workers. A result is an exception where there was one, and where
    the workers of a task died again and again.
    """
    ray = needed("ray", "ray")
    began = not ray.is_initialized()
    if began:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    try:
        yield from _results(ray, work, tasks)
    finally:
        if began:
            ray.shutdown()


def _results(
    ray: Any, work: Callable[[Any], Any], tasks: Sequence[Any]
) -> Iterator[tuple[int, Any]]:
    do = ray.remote(num_cpus=1, max_retries=RETRIES)(_do)
    most = WAITING * max(int(ray.cluster_resources().get("CPU", 1)), 1)
    waiting = iter(enumerate(tasks))
    running: dict[Any, int] = {}
    while True:
        while len(running) < most and (entry := next(waiting, None)) is not None:
            position, task = entry
            running[do.remote(work, task, not Path(task.target).exists())] = position
        if not running:
            return
        for ready in ray.wait(list(running), num_returns=1)[0]:
            try:
                result = ray.get(ready)
            except ray.exceptions.RayError as error:
                result = WorkerDied(f"no worker lived to finish it: {type(error).__name__}")
            yield running.pop(ready), result


def _do(work: Callable[[Any], Any], task: Any, fresh: bool) -> Any:
    """Do a task on a worker, perhaps again."""
    if fresh:  # what is there now, a worker made that died before it could tell
        Path(task.target).unlink(missing_ok=True)
    try:
        return work(task)
    except Exception as error:  # is a result, and no reason to do it again
        return error
