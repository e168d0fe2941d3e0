"""What a recommended quality loses on other samples than it was found on.

Usage: python tests/benchmarks/recommended.py TRAIN_DIR EVAL_DIR --head M:F --task M:F NAME...

For each NAME a profile is trained on the dump of this name in TRAIN_DIR with --keep, and that in
EVAL_DIR is encoded with it, without a quality. --csv FILE adds a row for each to a file of `data/`.
"""

import io
from pathlib import Path
from typing import Any

import click
import records
import torch
from safetensors.torch import load_file

from featcodec import Profile
from featcodec.cli.main import main as featcodec
from featcodec.dumps import Dump
from featcodec.encoding.dump import encode
from featcodec.evaluate.judged import load_task
from featcodec.request import Quality
from featcodec.torch import load


def trained(dump: Path, options: list[str], profile: Path) -> Profile:
    try:
        featcodec(["train", str(dump), *options, "-o", str(profile), "-f", "-q"])
    except SystemExit as ended:
        assert not ended.code, f"featcodec train ended with status {ended.code}"
    return Profile.load(profile)


@click.command()
@click.argument("train", type=Path)
@click.argument("eval_", metavar="EVAL", type=Path)
@click.argument("names", nargs=-1, required=True)
@click.option("--head", required=True, metavar="M:F")
@click.option("--outputs", default="classes")
@click.option("--task", required=True, metavar="M:F", help="Scores the dumps of EVAL.")
@click.option("--keep", default=0.01)
@click.option("--profiles", required=True, type=Path, metavar="DIR", help="Where they are kept.")
@click.option("--csv", type=Path)
def main(
    train: Path,
    eval_: Path,
    names: tuple[str, ...],
    head: str,
    outputs: str,
    task: str,
    keep: float,
    profiles: Path,
    csv: Path | None,
) -> None:
    """Print, for each dump, the recommended task SNR, the rate, and the metric before and after."""
    torch.set_num_threads(1)
    score, known = load_task(task), records.read(csv)[1] if csv and csv.exists() else []
    profiles.mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = list(known)
    for name in names:
        path, options = train / f"{name}.safetensors", ["--head", head, "--outputs", outputs]
        profile = trained(path, [*options, "--keep", str(keep)], profiles / f"{name}.fcp")
        path, out = eval_ / f"{name}.safetensors", io.BytesIO()
        with Dump(path) as dump:
            report = encode(dump, out, Quality.choose(), profile)
        clean = load_file(path)
        decoded = load(out.getvalue(), profile=profile)
        row = {
            "dump": name,
            "keep": keep,
            "task_snr_db": max(entry.recommended for entry in profile.entries),
            "bpfp": f"{report.bpfp:.4f}",
            "uncompressed": f"{score(name, clean):.4f}",
            "metric": f"{score(name, decoded):.4f}",
        }
        click.echo("  ".join(map(str, row.values())))
        rows = [one for one in rows if one["dump"] != name] + [row]
        if csv:
            records.write(csv, rows)


if __name__ == "__main__":
    main()
