"""Tables of README and the guide, in Markdown, from the files of `data/` and of the experiment."""

import math
import textwrap
from collections.abc import Iterable, Sequence

import records

SNRS = (5, 10, 20, 30)
LOSS = 0.01 + 1e-6  # of a metric: a point of an accuracy,
SAMPLES = {"mobilenetv2_op20": 50, "mobilenetv2_op61": 80}  # or one, where so few make it more
DUMPS = {
    "mobilenetv2_op20": "MobileNetV2, bottleneck 32x28x28",
    "mobilenetv2_op35": "MobileNetV2, bottleneck 64x14x14",
    "mobilenetv2_op57": "MobileNetV2, bottleneck 160x7x7",
    "mobilenetv2_op61": "MobileNetV2, last ReLU6 map 1280x7x7",
    "resnet56_layer2": "ResNet-56, ReLU map 32x16x16",
    "resnet56_layer3": "ResNet-56, ReLU map 64x8x8",
    "vit_block4": "ViT, block 4 of 6, 65x128",
    "vit_block6": "ViT, block 6 of 6, 65x128",
    "minilm_hidden3": "MiniLM, hidden state 3, Tx384",
    "minilm_hidden6": "MiniLM, hidden state 6, Tx384",
}
OTHERS = {
    "ppocr_det_map": "PP-OCRv4 detector, hard-swish map, 192xHxW",
    "crepe_conv2": "CREPE, second convolution, 128x64",
    "minilm_kv": "MiniLM, keys and values, 12x250x32",
    "kokoro_vocoder": "Kokoro, vocoder, 128x8401",
    "kokoro_aligned": "Kokoro, aligned text encoding, 512xT",
    "magika_softmax": "Magika, probabilities, 2500x214",
    "ddddocr_logits": "ddddocr, logits of lines of text, 130x8210",
    "basic_pitch_nhwc": "Basic Pitch, ReLU map, 172x88x32",
}
DIGITS = {"cnn_eval": "CNN, 64x4x4", "vit_eval": "ViT, 17x64"}
CODECS = {
    "task": "with a profile of the task",
    "profile": "with a profile",
    "featcodec": "without",
    "step+zstd": "step + zstd 19",
    "deadzone+zstd": "dead zone + zstd 19",
    "deadzone+jxl": "dead zone + JPEG XL",
}
Table = list[str]
Curve = dict[float, float]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def wrapped(words: Iterable[str]) -> Table:
    return textwrap.wrap(" ".join(words), 100, break_on_hyphens=False)


def data(name: str) -> list[dict[str, str]]:
    return records.read(records.DATA / f"{name}.csv")[1]


def curves(name: str) -> dict[str, Curve]:
    """Return bits a value by dump and dB."""
    found: dict[str, Curve] = {}
    for row in data(name):
        found.setdefault(row["dump"], {})[float(row["snr_db"])] = float(row["bpfp"])
    return found


def mean(numbers: Iterable[float]) -> float:
    """Return the geometric mean."""
    logarithms = [math.log(number) for number in numbers]
    return math.exp(sum(logarithms) / len(logarithms))


def cells(curve: Curve) -> str:
    return " / ".join(f"{curve[snr]:.3f}" for snr in SNRS)


# --- the tables ---------------------------------------------------------------------------------


def rates() -> Table:
    trained, plain = curves("rates_profile"), curves("rates")
    rows = [(label, cells(trained[dump]), cells(plain[dump])) for dump, label in DUMPS.items()]
    return table(("features", "with a profile", "without"), rows)


def peers() -> Table:
    trained, plain = curves("rates_profile"), curves("rates")
    best = {(row["dump"], float(row["snr_db"])): row for row in data("peers")}
    rows = []
    for dump, label in DUMPS.items():
        found = [best[dump, snr] for snr in SNRS]
        ratios = [trained[dump][snr] / float(one["bpfp"]) for snr, one in zip(SNRS, found)]
        rows.append(
            (
                label,
                *(f"{r:.2f} of {one['bpfp']} ({one['codec']})" for r, one in zip(ratios, found)),
            )
        )
    for name, ours in (("with a profile", trained), ("without", plain)):
        means = [mean(ours[d][s] / float(best[d, s]["bpfp"]) for d in DUMPS) for s in SNRS]
        rows.append((f"**geometric mean**, {name}", *(f"**{m:.2f}**" for m in means)))
    return table(("features", *(f"{snr} dB" for snr in SNRS)), rows)


def others() -> Table:
    return of_others(curves("other"))


def others_profile() -> Table:
    return of_others(curves("other_profile"))


def of_others(ours: dict[str, Curve]) -> Table:
    best = {(row["dump"], float(row["snr_db"])): row for row in data("other_peers")}
    rows = []
    ratios: dict[int, list[float]] = {snr: [] for snr in SNRS}
    for dump, label in OTHERS.items():
        row = [label]
        for snr in SNRS:
            one = best.get((dump, snr))
            row.append(f"{ours[dump][snr]:.3f}")
            if one:
                ratios[snr].append(ours[dump][snr] / float(one["bpfp"]))
                row[-1] += f", {ratios[snr][-1]:.2f} of {float(one['bpfp']):.3f} ({one['codec']})"
        rows.append(row)
    rows.append(["**geometric mean**", *(f"**{mean(found):.2f}**" for found in ratios.values())])
    return table(("features", *(f"{snr} dB" for snr in SNRS)), rows)


Point = tuple[float, float, float]  # bits a value, metric, dB asked for


def points(name: str) -> tuple[dict[str, float], dict[tuple[str, str], list[Point]]]:
    """Return the metrics uncompressed by dump, and the points of each dump and codec."""
    whole: dict[str, float] = {}
    found: dict[tuple[str, str], list[Point]] = {}
    for row in data(name):
        if not row["metric"]:  # no task, or no such rate
            continue
        if row["codec"] == "uncompressed":
            whole[row["dump"]] = float(row["metric"])
        elif row["bpfp"]:
            point = float(row["bpfp"]), float(row["metric"]), float(row["asked_db"])
            found.setdefault((row["dump"], row["codec"]), []).append(point)
    return whole, found


def least(found: Iterable[Point], whole: float, dump: str) -> Point | None:
    """Return the point of least rate from which on none loses more than a point, or one sample."""
    best = None
    for point in sorted(found, reverse=True):
        if point[1] < whole - max(LOSS, 1.01 / SAMPLES.get(dump, 101)):
            break
        best = point
    return best


def enough() -> Table:
    whole, found = points("tasks")
    rows, rates = [], {codec: [] for codec in CODECS}
    for dump, metric in whole.items():
        shown = []
        for codec in CODECS:
            best = least(found[dump, codec], metric, dump)
            shown.append(f"{best[0]:.3f} ({best[2]:g} dB)" if best else "none")
            rates[codec].append(best[0] if best else math.nan)
        rows.append((DUMPS[dump], f"{metric:.3f}", *shown))
    means = {codec: mean(bits) for codec, bits in rates.items()}
    shown = ["" if math.isnan(one) else f"**{one:.3f}**" for one in means.values()]
    rows.append(("**geometric mean**", "", *shown))
    return table(("features", "metric", *CODECS.values()), rows)


def accuracy() -> Table:
    whole, found = points("tasks")
    rows = []
    for dump, metric in whole.items():
        at = {asked: value for _, value, asked in found[dump, "profile"]}
        shown = (f"{at[snr]:.3f} ({100 * (at[snr] - metric):+.1f})" for snr in SNRS)
        rows.append((DUMPS[dump], f"{metric:.3f}", *shown))
    return table(("features", "metric", *(f"{snr} dB" for snr in SNRS)), rows)


def lost() -> Table:
    """Lines of CSV: what each task loses at an SNR, for `featcodec suggest`."""
    whole, found = points("tasks")
    lines = ["features,snr_db,lost_with_profile,lost_without"]
    for dump, metric in whole.items():
        with_profile, without = (
            {asked: metric - value for _, value, asked in found[dump, codec]}
            for codec in ("profile", "featcodec")
        )
        for asked in sorted(with_profile):
            losses = [round(one[asked], 4) + 0.0 for one in (with_profile, without)]  # never -0.0
            lines.append(f"{dump},{asked:g},{losses[0]:.4f},{losses[1]:.4f}")
    return lines


def recommended() -> Table:
    rows = []
    for row in data("recommended"):
        lost = 100 * (float(row["uncompressed"]) - float(row["metric"]))
        at = f"{float(row['task_snr_db']):g} dB"
        shown = (row["uncompressed"], row["metric"], f"{lost:.1f}")
        rows.append((DUMPS[row["dump"]], at, f"{float(row['bpfp']):.4f}", *shown))
    head = ("features", "task SNR", "bits a value", "metric", "then", "points lost")
    return table(head, rows)


def fidelity() -> Table:
    """Bits at equal divergence of the outputs, of SNRs and of task SNRs."""
    measures = {"classes": "KL {} nats", "embedding": "1 - cosine {}"}
    rows, ratios = [], []
    for row in data("fidelity"):
        plain, task = float(row["plain"]), float(row["task"])
        ratios.append(task / plain)
        at = measures[row["outputs"]].format(row["loss"])
        shown = f"{plain:.4f}", f"{task:.4f}", f"{ratios[-1]:.2f}"
        rows.append((DUMPS[row["dump"]], at, *shown))
    rows.append(("**geometric mean**", "", "", "", f"**{mean(ratios):.2f}**"))
    return table(("features", "outputs", "at an SNR", "at a task SNR", "ratio"), rows)


def samples() -> Table:
    levels = [name for name in data("samples")[0] if name.startswith("kl_")]
    rows = []
    for row in data("samples"):
        draws = f"{row['draws']} draw{'s' * (row['draws'] != '1')} of each"
        varied = {"samples": f"{row['samples']} samples", "draws": draws}
        what = varied.get(row["what"], f"a head on {row['what']}")
        found = (f"{float(row[level]):.2f}" if row[level] else "" for level in levels)
        rows.append((DUMPS[row["dump"]], what, *found))
    head = (f"KL {level.removeprefix('kl_')}" for level in levels)
    return table(("features", "profile", *head), rows)


def bounded() -> Table:
    return beside("bounded", {"1e-1": "0.1 std", "1e-2": "0.01 std", "1e-3": "0.001 std"})


def lossless() -> Table:
    return beside("lossless", {dtype: dtype for dtype in ("F32", "F16", "BF16")})


def beside(name: str, settings: dict[str, str]) -> Table:
    """Return a table of codecs side by side, in bits a value."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in data(name):
        found.setdefault((row["setting"], row["dump"]), {})[row["codec"]] = float(row["bpfp"])
    codecs = list(next(iter(found.values())))
    rows = []
    for setting, label in settings.items():
        every: list[float] = []
        for dumps in (DUMPS, OTHERS):
            ratios = []
            for dump, features in dumps.items():
                bits = found.get((setting, dump))
                if bits is None:
                    continue
                ratios.append(bits["featcodec"] / min(bits[codec] for codec in codecs[1:]))
                shown = (f"{bits[codec]:.3f}" for codec in codecs)
                rows.append((label, features, *shown, f"{ratios[-1]:.2f}"))
            every += ratios
        blank = [""] * len(codecs)
        rows.append((label, "**geometric mean**", *blank, f"**{mean(every):.2f}**"))
    return table(("setting", "features", *codecs, "to the best other"), rows)


def bounds() -> Table:
    found: dict[tuple[str, str], Curve] = {}
    for row in data("bounds"):
        curve = found.setdefault((row["dump"], row["what"]), {})
        curve[float(row["snr_db"])] = float(row["bpfp"])
    kinds = ("one KLT", "five bands", "rate")
    rows = [(label, *(cells(found[dump, kind]) for kind in kinds)) for dump, label in DUMPS.items()]
    return table(("features", "bound, one KLT", "bound, five bands", "reached"), rows)


def speed() -> Table:
    return spans("speed", "comes to")


def costs() -> Table:
    rows = []
    for row in data("costs"):
        spent = (f"{float(row[f'{name}_s']):.2f} s" for name in ("encode", "decode", "info"))
        memory = (f"{float(row[f'{name}_memory_mb']):.0f} MB" for name in ("encode", "decode"))
        label = {**DUMPS, **DIGITS}[row["dump"]]
        rows.append((label, f"{float(row['mb']):.1f} MB", *spent, *memory))
    head = ("features", "dump", "encode", "decode", "info")
    return table((*head, "memory of encoding", "memory of decoding"), rows)


def training() -> Table:
    rows = []
    for row in data("train_widths"):
        bits = [float(row[name]) for name in ("without_bpfp", "with_bpfp")]
        size, saved = float(row["profile_bytes"]), float(row["saved_bytes"])
        rows.append(
            (
                f"{int(row['channels']):,}",
                f"{int(row['rows']):,}",
                f"{float(row['seconds']):.1f} s",
                f"{float(row['memory_mb']):.0f} MB",
                f"{size / 1e3:.0f} kB",
                f"{bits[0]:.3f} / {bits[1]:.3f}",
                f"{saved / 1e3:.1f} kB of {int(row['judged']):,} rows",
                f"{size / saved * int(row['judged']):,.0f}",
            )
        )
    head = ("channels", "rows", "time", "memory", "profile", "bits a value without / with")
    return table((*head, "saves", "paid after rows"), rows)


def latency() -> Table:
    rows = []
    for row in data("latency"):
        bits = f"{float(row['bpfp']):.3f} ({float(row['file_bpfp']):.3f})" if row["bpfp"] else ""
        spent = (f"{float(row[name]):.3g}" for name in ("median_ms", "least_ms"))
        label = DUMPS.get(row["dump"], f"{row['dump']}")
        rows.append((row["what"], label, *spent, f"{float(row['times']):.2f} {row['of']}", bits))
    return table(("what", "features", "median, ms", "least, ms", "times", "bits, in a file"), rows)


def efforts() -> Table:
    """Return speed and bits of `fast` beside those of `best`."""
    rows = []
    for row in data("efforts"):
        best, fast = (float(row[f"{effort}_mb_s"]) for effort in ("best", "fast"))
        bits = int(row["fast_bytes"]) / int(row["best_bytes"])
        label = DUMPS.get(row["dump"], row["dump"].replace("_", " "))
        size = f"{float(row['megabytes']):.0f}"
        speed = f"{best:.1f}", f"{fast:.1f}", f"{fast / best:.2f}"
        rows.append((label, size, f"{float(row['snr_db']):g}", *speed, f"{bits:.3f}"))
    head = ("features", "MB", "dB", "best, MB/s", "fast, MB/s", "times as fast", "times the bits")
    return table(head, rows)


def neural_speed() -> Table:
    return spans("neural_speed", "comes to")


def spans(name: str, head: str) -> Table:
    """Return a table of lowest and highest values."""
    rows = []
    for row in data(name):
        at = f" at {row['snr_db']} dB" if "snr_db" in row else ""
        low, high = float(row["low"]), float(row["high"])
        span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        rows.append((row["what"] + at, f"{span} {row['unit']}"))
    return table(("what", head), rows)


def digits() -> Table:
    whole, found = points("digits")
    rows = []
    for dump, label in DIGITS.items():
        for snr in SNRS:
            row = [label, f"{snr} dB"]
            for codec in ("profile", "featcodec", "step+zstd"):
                [(bits, metric)] = [p[:2] for p in found[dump, codec] if p[2] == snr]
                row.append(f"{16 / bits:.1f}, {metric:.3f}")
            rows.append((*row, f"{whole[dump]:.3f}"))
    head = ("features", "asked", "with a profile", "without", "step + zstd 19", "uncompressed")
    return table(head, rows)


# --- README -------------------------------------------------------------------------------------


def headline() -> Table:
    best = {(row["dump"], float(row["snr_db"])): float(row["bpfp"]) for row in data("peers")}
    curve_of = {name: curves(name) for name in ("rates", "rates_profile")}
    bits = {name: mean(curve[dump][10] for dump in DUMPS) for name, curve in curve_of.items()}
    ratio = {
        name: mean(curve[dump][10] / best[dump, 10] for dump in DUMPS)
        for name, curve in curve_of.items()
    }
    words = (
        f"At 10 dB the features of four networks take **{bits['rates']:.2f} bits a value**",
        f"in the geometric mean of ten dumps: {16 / bits['rates']:.0f} times less than float16,",
        f"and {ratio['rates']:.2f} of what the best other codec takes. With a profile, trained on",
        "other inputs of the same network,",
        f"it is {bits['rates_profile']:.2f} bits and {ratio['rates_profile']:.2f}.",
    )
    return wrapped(words)


def tour() -> Table:
    whole, found = points("digits")
    [(bits, metric)] = [p[:2] for p in found["vit_eval", "featcodec"] if p[2] == 10]
    words = (
        f"These features take {16 / bits:.0f} times less than in float16. The last command runs",
        f"the rest of the network: it tells {metric:.3f} of the pictures right,",
        f"from {whole['vit_eval']:.3f} before.",
    )
    return wrapped(words)


def planning() -> Table:
    def span(what: str, unit: str) -> str:
        [row] = [
            row
            for row in data("speed")
            if (row["what"], row["unit"], row["snr_db"]) == (what, unit, "10")
        ]
        return f"{float(row['low']):.0f} to {float(row['high']):.0f}"

    def among(name: str, unit: str) -> str:
        found = sorted(float(row[name]) for row in data("costs"))
        return f"{found[0]:{unit}} to {found[-1]:{unit}}"

    words = (
        f"Dumps of {among('mb', '.0f')} MB take {among('encode_s', '.1f')} s and",
        f"{among('encode_memory_mb', '.0f')} MB of memory to encode,",
        f"{among('decode_s', '.1f')} s and {among('decode_memory_mb', '.0f')} MB to decode.",
        f"Beyond 100 MB one core encodes {span('encode', 'MB/s')} MB of float32 a second at 10 dB,",
        f"and decodes {span('decode', 'MB/s')}, in no more memory.",
    )
    return wrapped(words)


def quality() -> Table:
    curve_of = {"featcodec": curves("rates"), "profile": curves("rates_profile")}
    whole, found = points("tasks")
    rows = []
    for snr in SNRS:
        row = [f"{snr} dB", f"{100 * 10 ** (-snr / 10):.3g} %"]
        for codec, curve in curve_of.items():
            lost = []
            for dump, metric in whole.items():
                [value] = [value for _, value, asked in found[dump, codec] if asked == snr]
                lost.append(100 * (metric - value))
            bits = mean(curve[dump][snr] for dump in DUMPS)
            row += [f"{bits:.2f}", f"{sum(lost) / len(lost):.1f} ({max(lost):.1f})"]
        rows.append(tuple(row))
    head = ("`--snr`", "squared error", "bits a value", "points lost (at worst)")
    return table((*head, "bits with a profile", "points lost with it"), rows)
