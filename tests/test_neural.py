"""The neural transform: symbols that are the same everywhere, any SNR, nothing heavy to decode."""

import hashlib
import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from featcodec import Profile
from featcodec.cli.main import cli
from featcodec.coding.picture import NeuralCoder, NeuralModel
from featcodec.container.wire import Cursor
from featcodec.dumps import Dump
from featcodec.encoding.dump import encode
from featcodec.errors import Damage, InvalidInput, ProfileMissing
from featcodec.files import decode_file, encode_file
from featcodec.request import Options, Quality
from featcodec.transform.neural.hyper_synthesis import HyperSynthesis
from featcodec.transform.neural.weights import Weights

from .internals import row_groups

NETWORK = Path(__file__).parents[1] / "bitstream_spec" / "vectors" / "network.fcp"
NEURAL = Options("neural")


@pytest.fixture(scope="module")
def small() -> Profile:
    return Profile.load(NETWORK)


@pytest.fixture(scope="module")
def caufc() -> Profile:
    return Profile.load("caufc")


def snr(original: np.ndarray, back: np.ndarray) -> float:
    x, y = original.astype(np.float64), back.astype(np.float64)
    return float(10 * np.log10(((x - x.mean()) ** 2).sum() / ((x - y) ** 2).sum()))


# --- without torch ------------------------------------------------------------------------------


def by_hand(weights: Weights, hyper: np.ndarray, size: tuple[int, int]) -> list[int]:
    """The hyper-synthesis of SPEC 9.4 in Python's integers."""
    a = hyper.tolist()
    for i in range(3):
        kernel = weights.arrays[f"hyper_synthesis.{i}.weight"].tolist()
        bias = weights.arrays[f"hyper_synthesis.{i}.bias"].tolist()
        shift = int(weights.arrays["hyper_synthesis.shift"][i])
        height, width = (-(-n // (2 if i == 0 else 1)) for n in size)
        out = [[[b] * width for _ in range(height)] for b in bias]
        for c, plane in enumerate(a):
            for y, row in enumerate(plane):
                for x, value in enumerate(row):
                    for o, plane_out in enumerate(out):
                        for j, taps in enumerate(kernel[c][o]):
                            for k, tap in enumerate(taps):
                                v, u = (y, x) if i == 2 else (2 * y + j - 2, 2 * x + k - 2)
                                if 0 <= v < height and 0 <= u < width:
                                    plane_out[v][u] += tap * value
        most = 255 if i == 2 else (1 << 20) - 1
        half = 1 << shift >> 1
        a = [[[min(max((s + half) >> shift, 0), most) for s in r] for r in p] for p in out]
    return a


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32), st.sampled_from([1, 9, 4096]))
def test_the_hyper_synthesis_computes_in_integers(
    height: int, width: int, seed: int, largest: int
) -> None:
    weights = Profile.load(NETWORK).neural.weights
    small = (weights.width, -(-height // 4), -(-width // 4))
    hyper = np.random.default_rng(seed).integers(-largest, largest + 1, small)
    numbers = HyperSynthesis(weights)(hyper, (height, width))
    assert numbers.tolist() == by_hand(weights, hyper, (height, width))


def one_channel(bias: int, shift: int, less: int) -> Weights:
    """A hyper-synthesis that rounds a bias to units of 2 ** shift and returns it, less a number."""
    centre = np.zeros((1, 1, 5, 5), np.int16)
    centre[0, 0, 2, 2] = 1
    kernels = (np.zeros_like(centre), centre, centre[:, :, 2:3, 2:3])
    arrays = {f"hyper_synthesis.{i}.weight": kernel for i, kernel in enumerate(kernels)}
    arrays |= {f"hyper_synthesis.{i}.bias": np.array([b]) for i, b in enumerate((bias, 0, -less))}
    return Weights(arrays | {"hyper_synthesis.shift": np.uint8([shift, 0, 0])}, 1, 1, 2, 2)


def test_sums_are_integers_up_to_the_largest_that_is_accepted() -> None:
    """So no instruction set and no BLAS can differ."""
    verdicts = Counter[bool]()

    @given(st.integers(50, 55), st.integers(35, 40), st.integers(-1, 1), st.data())
    def compute(bits: int, shift: int, off: int, data: st.DataObject) -> None:
        whole = data.draw(st.integers(1 << bits - shift - 1, 1 << bits - shift))
        almost = (whole << shift) + (1 << shift - 1) + off
        weights = one_channel(almost, shift, whole - 100)
        try:
            network = HyperSynthesis(weights)
        except Damage:
            verdicts[False] += 1
            return
        verdicts[True] += 1
        hyper = np.zeros((1, 1, 1), np.int64)
        assert network(hyper, (1, 1)).tolist() == [[[100 + (off >= 0)]]]
        assert network(hyper, (3, 4)).tolist() == by_hand(weights, hyper, (3, 4))

    compute()
    assert min(verdicts[False], verdicts[True]) > 10, verdicts


def test_a_network_whose_sums_a_double_cannot_hold_is_refused(small: Profile) -> None:
    arrays = dict(small.neural.weights.arrays)
    arrays["hyper_synthesis.1.bias"] = arrays["hyper_synthesis.1.bias"] + (1 << 53)
    with pytest.raises(ValueError, match="not exact"):
        HyperSynthesis(Weights(arrays, 3, 5, 2, 5))


@pytest.mark.parametrize(
    "name", ["gain", "synthesis.0.gamma", "hyper_synthesis.shift", "latent_tables"]
)
def test_a_network_that_lacks_a_tensor_is_refused(small: Profile, name: str) -> None:
    from safetensors.numpy import save

    arrays = {k: a for k, a in small.neural.weights.arrays.items() if k != name}
    with pytest.raises(ValueError, match="without"):
        NeuralModel.parse(save(arrays))


def test_symbols_are_decoded_without_torch() -> None:
    script = f"""
import sys
from featcodec import Profile
from featcodec.container.reader import Reader
from featcodec.container.wire import Cursor
from featcodec.coding.picture import NeuralCoder
folder = {str(NETWORK.parent / "valid" / "100-network-cnn")!r}
with open(folder + "/in.fcz", "rb") as stream:
    reader = Reader(stream, "in")
    group = reader.groups()[0]
    cursor = Cursor(reader.section(group.first_section, b"ROWS")[1:], "rows")
assert cursor.blob() == b""
profile = Profile.load({str(NETWORK)!r})
coder = NeuralCoder(profile.neural, group.lossy.step, profile.seed)
tokens = group.slabs_per_row_group * 4
assert coder.unpack(cursor, (tokens, 64)).latents.any()
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_missing_torch_is_named_with_its_extra(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')\n")
    command = [sys.executable, "-m", "featcodec", "encode", "--transform", "neural"]
    dump, out = digits / "vit_eval.safetensors", tmp_path / "x.fcz"
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [*command, str(dump), "-o", str(out)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "pip install 'featcodec[torch]'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not out.exists()


def test_a_score_without_torch_is_told_by_its_extra(few_digits: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')\n")
    dump, out = few_digits / "vit_eval.safetensors", tmp_path / "x.fcp"
    asked = ["--gradients", dump, "--task", "tails:score", "--keep", "0.01"]
    command = [sys.executable, "-m", "featcodec", "train", dump, *asked, "-o", out]
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "--task needs torch: pip install 'featcodec[torch]'" in done.stderr
    assert "internal error" not in done.stderr
    assert not out.exists()


def test_the_built_in_profiles_are_listed() -> None:
    done = CliRunner().invoke(cli, ["profiles"])
    assert done.exit_code == 0
    assert done.output.startswith("caufc  ")
    assert Profile.load("caufc").digest.hex() in done.output
    path = Path(__file__).parents[1] / "featcodec" / "profiles" / "caufc.fcp"
    assert path.stat().st_size <= 8 << 20


def test_a_network_with_a_strange_record_is_shown_without_it(tmp_path: Path) -> None:
    from safetensors.numpy import save

    from featcodec.container.network import Network

    arrays = dict(Profile.load(NETWORK).neural.weights.arrays)
    for training in ('{"trained_on": 3}', '{"trained_on": [{}], "steps": "x"}', "[1]", "{"):
        weights = save(arrays, {"name": "odd", "training": training})
        path = tmp_path / "odd.fcp"
        path.write_bytes(Profile.pack([], Network.unpack(weights)))
        done = CliRunner().invoke(cli, ["info", str(path)])
        assert done.exit_code == 0
        assert "network odd" in done.output


def test_a_group_that_ends_bit_for_bit_leaves_no_profile() -> None:
    from featcodec.container.writer import Writer

    out = io.BytesIO()
    writer = Writer(out)
    mark = writer.mark()
    writer.section(b"ROWS", b"x")
    writer.profile(bytes(32))
    writer.rewind(mark)
    writer.finish()
    assert writer.index.profiles == []


def test_a_network_alone_wants_the_neural_transform(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="transform='neural'"):
        encode_file(
            digits / "vit_eval.safetensors", tmp_path / "x.fcz", profile=Profile.load(NETWORK)
        )


def test_a_single_error_cannot_be_bounded(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="bounds no single error"):
        encode_file(
            digits / "vit_eval.safetensors",
            tmp_path / "x.fcz",
            Quality(max_error=0.1),
            options=NEURAL,
        )


# --- with torch ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cnn", "vit"])
@pytest.mark.parametrize("wanted", [1.5, 6, 12, 25])
def test_any_snr_is_reached(
    caufc: Profile, few_digits: Path, tmp_path: Path, name: str, wanted: float
) -> None:
    pytest.importorskip("torch")
    dump = few_digits / f"{name}_eval.safetensors"
    encode_file(dump, tmp_path / "x.fcz", Quality(snr=wanted), options=NEURAL)
    decode_file(tmp_path / "x.fcz", tmp_path / "back")
    tensors, back = load_file(dump), load_file(tmp_path / "back")
    reached = snr(tensors["features"], back["features"])
    assert wanted - 0.01 <= reached <= wanted + 0.06
    assert (tmp_path / "x.fcz").stat().st_size < tensors["features"].nbytes / 3
    np.testing.assert_array_equal(back["labels"], tensors["labels"])


@pytest.mark.parametrize("name", ["cnn", "vit"])
def test_what_a_network_never_saw_is_left_to_the_rest_at_low_snr_too(
    caufc: Profile, few_digits: Path, tmp_path: Path, name: str
) -> None:
    pytest.importorskip("torch")
    sizes = {}
    for transform in ("neural", "linear"):
        path = tmp_path / transform
        options = Options(transform)
        encode_file(few_digits / f"{name}_eval.safetensors", path, Quality(snr=3), options=options)
        sizes[transform] = path.stat().st_size
    assert sizes["neural"] < 5 * sizes["linear"]  # 5.7 and 19 times by the network alone


def test_no_padding_is_coded(small: Profile) -> None:
    """Sizes are no multiples of the stride, and cost what their values cost."""
    pytest.importorskip("torch")
    model = small.neural
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (17, 3), (5, 130), (257, 96)):
        picture = rng.normal(size=shape).astype(np.float32)
        coder = NeuralCoder(model, 1.0)
        packed, decoded = coder.encode(picture)
        assert decoded.shape == shape
        symbols = coder.unpack(Cursor(packed, "picture"), shape)
        assert symbols.latents.shape == (5, -(-shape[0] // 4), -(-shape[1] // 4))
        np.testing.assert_array_equal(coder.picture(symbols, shape), decoded)


@given(st.integers(1, 300), st.integers(1, 60), st.integers(6, 12))
def test_strips_change_nothing(height: int, width: int, bits: int) -> None:
    pytest.importorskip("torch")
    from featcodec.transform.neural import network

    found = network.TorchNetwork(Profile.load(NETWORK).neural.weights)
    picture = np.random.default_rng(height).normal(size=(height, width)).astype(np.float32)
    whole = found.analysis(picture), found.synthesis(found.analysis(picture), picture.shape)
    usual = network.STRIP_VALUES, network.LEAST_ROWS
    network.STRIP_VALUES, network.LEAST_ROWS = 1 << bits, 1
    strips = found.analysis(picture), found.synthesis(whole[0], picture.shape)
    network.STRIP_VALUES, network.LEAST_ROWS = usual
    for one, other in zip(whole, strips, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


EXACT = """
import hashlib, io, sys
import torch
torch.set_num_threads(int(sys.argv[1]))
from featcodec import Profile
from featcodec.container.wire import Cursor
from featcodec.container.reader import Reader
from featcodec.dumps import Dump
from featcodec.decoding.decoder import Decoder
from featcodec.encoding.dump import encode
from featcodec.request import Options
from featcodec.coding.picture import NeuralCoder
from featcodec.request import Quality
dump, path, mode = sys.argv[2:]
if mode == "encode":
    with open(path, "w+b") as out:
        encode(Dump(dump), out, Quality(snr=8), None, Options("neural"))
seen = hashlib.sha256()
original = NeuralCoder.unpack
def unpack(self, cursor, shape):
    found = original(self, cursor, shape)
    for array in (found.hyper, found.latents, found.numbers):
        seen.update(array.astype("<i4").tobytes())
    return found
NeuralCoder.unpack = unpack
import numpy as np
with open(path, "rb") as stream:
    decoder = Decoder(Reader(stream, "x"))
    for entry in decoder.reader.index.tensors:
        decoder.decode([entry], lambda e: np.zeros(e.values, {"F16": "<u2", "I64": "<i8"}[e.dtype]))
print(seen.hexdigest())
"""


def test_symbols_do_not_depend_on_the_instruction_set_of_torch_nor_on_threads(
    few_digits: Path, tmp_path: Path
) -> None:
    """The CRC-32 of each picture holds too, or decoding would fail."""
    pytest.importorskip("torch")
    dump = str(few_digits / "cnn_eval.safetensors")

    def run(threads: str, capability: str, path: Path, mode: str) -> str:
        environment = {**os.environ, "ATEN_CPU_CAPABILITY": capability}
        environment |= {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-W", "ignore", "-c", EXACT, threads, dump, str(path), mode]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    for threads, capability in (("2", "default"), ("1", "avx2")):
        path = tmp_path / f"{capability}.fcz"
        seen = {run(threads, capability, path, "encode")}
        seen |= {run("1", "default", path, "decode"), run("2", "avx2", path, "decode")}
        assert len(seen) == 1


def test_symbols_do_not_depend_on_what_else_is_decoded(
    caufc: Profile, few_digits: Path, tmp_path: Path
) -> None:
    """A row is the same from a slice, which decodes its row group alone, and from the whole."""
    pytest.importorskip("torch")
    from featcodec import safe_open

    dump = few_digits / "cnn_eval.safetensors"
    with row_groups(1 << 15):
        encode_file(dump, tmp_path / "x.fcz", Quality(snr=5), options=NEURAL)
    with safe_open(tmp_path / "x.fcz") as file:
        whole = file.get_tensor("features")
        np.testing.assert_array_equal(file.get_slice("features")[70:73], whole[70:73])


def test_encoding_is_deterministic(caufc: Profile, few_digits: Path) -> None:
    pytest.importorskip("torch")
    files = []
    for _ in range(2):
        out = io.BytesIO()
        encode(Dump(few_digits / "vit_eval.safetensors"), out, Quality(snr=4), caufc, NEURAL)
        files.append(hashlib.sha256(out.getvalue()).hexdigest())
    assert files[0] == files[1]


def test_another_profile_is_refused_with_status_4(
    small: Profile, few_digits: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "x.fcz"
    encode_file(
        few_digits / "vit_eval.safetensors", path, Quality(snr=3), profile=small, options=NEURAL
    )
    with pytest.raises(ProfileMissing):
        decode_file(path, tmp_path / "back")
    command = [sys.executable, "-m", "featcodec", "decode", str(path), "-p", "caufc"]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "back")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert small.digest.hex() in done.stderr
    assert not (tmp_path / "back").exists()
