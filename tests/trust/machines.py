"""The machines of the matrix: those that can be had here, as commands and environments.

Interpreters of pyenv and of the path get environments of their own. Kernels of BLAS, NumPy and
torch, and numbers of threads, are chosen by environment variables; one that is set already is left
as it is. Other architectures are emulated by qemu-user, with Debian's Python of them.
"""

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOWEST = "1.26.0"  # of NumPy
LOWEST_FOR = ("3.11", "3.12")  # that it has wheels for
VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
KERNELS = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX", "Cooperlake")
EMULATED = {"arm64": "aarch64", "s390x": "s390x"}  # Debian's name, and qemu's
DEBS = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "zlib1g"),
    *("libexpat1", "libffi8", "libbz2-1.0", "liblzma5", "libgcc-s1", "libstdc++6", "libssl3"),
    *("libuuid1", "libcrypt1"),
)
STANDIN = ROOT / "tests" / "trust" / "standin"  # for constriction, where it has no wheel

# Which kernel BLAS runs, and what NumPy may use of the processor.
LOOK = """
import ctypes, json, zlib, numpy as np
core = getattr(np, "_core", None) or np.core
name = ""
library = ctypes.CDLL(core._multiarray_umath.__file__)
for one in ("scipy_openblas_get_corename64_", "openblas_get_corename64_"):
    if hasattr(library, one):
        getattr(library, one).restype = ctypes.c_char_p
        name = getattr(library, one)().decode()
has = core._multiarray_umath.__cpu_features__
levels = [one for one in core._multiarray_umath.__cpu_dispatch__ if has.get(one)]
rng = np.random.default_rng(0)
for n in (8, 48, 96, 160, 384):  # some kernels end the process, or are wrong, in NumPy alone
    a = rng.normal(size=(n, 1000))
    values, basis = np.linalg.eigh(a @ a.T)
    b = a.astype(np.float32)
    assert np.allclose(basis * values @ basis.T, a @ a.T) and np.allclose(b @ b.T, a @ a.T, atol=1)
print(json.dumps({"kernel": name, "levels": levels, "numpy": np.__version__,
                  "zlib": zlib.ZLIB_RUNTIME_VERSION}))
"""


@dataclass(frozen=True)
class Machine:
    """Something that encodes and decodes; `command` is followed by what Python is to run."""

    name: str
    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    network: bool = False  # has torch
    slow: bool = False  # takes the small cases alone
    reference: bool = False  # has the standard library alone

    def run(self, *words: str) -> str:
        """Run Python with words; return what it prints, raise RuntimeError when it fails."""
        # One thread of BLAS and of OpenMP unless the machine says otherwise; a path of its own.
        path = os.pathsep.join(
            [str(ROOT), *([self.env["PATH_OF"]] if "PATH_OF" in self.env else [])]
        )
        env = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **os.environ, **self.env}
        env |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [*self.command, *words], cwd=ROOT, env=env, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{self.name}: {done.stderr[-1500:]}")
        return done.stdout


def look(machine: Machine) -> dict:
    return json.loads(machine.run("-c", LOOK))


def kind(machine: Machine) -> str:
    """Return what encoded bytes depend on: machines of one kind are to make the same files."""
    found = look(machine)
    level = ""
    if machine.network:  # torch adds in another order with other threads, too
        threads = machine.env.get("OMP_NUM_THREADS", "1")
        level = f", torch {machine.env['ATEN_CPU_CAPABILITY']}, {threads} threads"
    return f"NumPy {found['numpy']}, kernel {found['kernel']}, zlib {found['zlib']}{level}"


def variants(base: Machine, kernels: bool = True) -> Iterator[Machine]:
    """Yield a machine with other threads, other levels of NumPy and other kernels of BLAS."""

    def other(name: str, **env: str) -> Machine:
        return Machine(f"{base.name}, {name}", base.command, {**base.env, **env}, base.network)

    yield other("2 threads", OPENBLAS_NUM_THREADS="2", OMP_NUM_THREADS="2")
    found = look(base)
    levels = found["levels"]
    lacking = [levels[i:] for i in range(len(levels))]
    for without in [lacking[0], lacking[len(lacking) // 2]] if len(lacking) > 1 else lacking:
        words = f"NumPy without {without[0]} and above"
        yield other(words, NPY_DISABLE_CPU_FEATURES=" ".join(without))
    if not kernels or "OPENBLAS_CORETYPE" in os.environ:
        return
    seen = {found["kernel"]}
    for kernel in KERNELS:
        one = other(f"kernel {kernel}", OPENBLAS_CORETYPE=kernel)
        try:
            taken = look(one)["kernel"]
        except RuntimeError:
            print(f"{one.name}: left out, NumPy alone ends with it")
            continue
        if taken not in seen:
            seen.add(taken)
            yield one


def dependencies() -> list[str]:
    """Return what the package needs."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]["dependencies"]


def interpreters() -> dict[str, str]:
    """Return the interpreters that run here, by version: pyenv's, and those of the path."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {}
    for version in VERSIONS:
        places = [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"))]
        places += [place for place in [shutil.which(f"python{version}")] if place]
        for place in places:
            asked = [place, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            done = subprocess.run(asked, capture_output=True, text=True)
            if done.stdout.strip() == version:
                found[version] = place
    return found


def environment(folder: Path, python: str, *wanted: str) -> str:
    """Return the interpreter of an environment with packages, made where there is none."""
    made = folder / "made"
    if not made.exists():
        subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", *wanted]
        subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
        made.touch()
    return f"{folder}/bin/python"


def native(folder: Path) -> Iterator[Machine]:
    """Yield a machine for each interpreter, with the newest and the lowest NumPy, and numba."""
    needed = dependencies()
    lowest = [f"numpy=={LOWEST}" if one.startswith("numpy") else one for one in needed]
    found = interpreters()
    for version, python in found.items():
        if version in LOWEST_FOR:
            path = environment(folder / f"{version}-lowest", python, *lowest)
            yield Machine(f"Python {version}, NumPy {LOWEST}", (path,))
        path = environment(folder / f"{version}-newest", python, *needed)
        base = Machine("", (path,))
        yield Machine(f"Python {version}, NumPy {look(base)['numpy']}", (path,))
    newest = max(found, key=lambda version: int(version.split(".")[1]))
    path = environment(folder / f"{newest}-numba", found[newest], *needed, "numba>=0.61")
    yield Machine(f"Python {newest}, numba", (path,))


def with_torch(python: Path) -> Iterator[Machine]:
    """Yield a machine for each level of torch, and one of two threads."""
    if not python.exists():
        print("torch: not tried, --torch names an interpreter that has it")
        return
    for level in ("avx512", "avx2", "default"):
        env = {"ATEN_CPU_CAPABILITY": level}
        yield Machine(f"torch, {level}", (str(python),), env, network=True)
    env = {"ATEN_CPU_CAPABILITY": "avx512", "OMP_NUM_THREADS": "2"}
    yield Machine("torch, 2 threads", (str(python),), env, network=True)


def emulated(folder: Path, newest: Machine) -> Iterator[Machine]:
    """Yield an old x86-64 processor, with an interpreter from here, and other architectures.

    Those have Debian's Python; what qemu or Debian's packages are not here for is left out.
    """
    qemu = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")
    if qemu and "OPENBLAS_CORETYPE" not in os.environ:
        yield Machine(
            "x86-64, Nehalem emulated", (qemu, "-cpu", "Nehalem", *newest.command), slow=True
        )
    for arch, name in EMULATED.items():
        qemu = shutil.which(f"qemu-{name}-static") or shutil.which(f"qemu-{name}")
        if not qemu or not shutil.which("apt-get"):
            print(f"{arch}: not tried, it takes qemu-{name} and apt-get")
            continue
        system = sysroot(folder / arch, arch)
        command = (qemu, "-L", str(system), str(system / "usr/bin/python3.11"))
        if arch == "s390x":
            yield Machine(
                "s390x, big-endian, reference decoder", command, reference=True, slow=True
            )
            continue
        for numpy in (f"numpy=={LOWEST}", "numpy"):
            path = wheels(folder / arch / numpy, name, numpy, "safetensors", "click")
            env = {"PATH_OF": os.pathsep.join([str(path), str(STANDIN)])}
            yield Machine(f"{arch}, {numpy}", command, env, slow=True)


def sysroot(folder: Path, arch: str) -> Path:
    """Return a folder with Debian's Python of an architecture; the system here stays as it is."""
    system = folder / "system"
    if not (folder / "made").exists():
        for sub in ("state/lists/partial", "cache/archives/partial", "debs", "system"):
            (folder / sub).mkdir(parents=True, exist_ok=True)
        options = [f"APT::Architecture={arch}", f"APT::Architectures={arch}"]
        options += [f"Dir::State={folder}/state", f"Dir::Cache={folder}/cache"]
        options += ["Dir::State::status=/dev/null"]
        apt = ["apt-get", *(word for one in options for word in ("-o", one)), "-qq"]
        subprocess.run([*apt, "update"], check=True)
        subprocess.run([*apt, "download", *DEBS], cwd=folder / "debs", check=True)
        for deb in (folder / "debs").iterdir():
            subprocess.run(["dpkg-deb", "-x", str(deb), str(system)], check=True)
        (folder / "made").touch()
    return system


def wheels(folder: Path, machine: str, *wanted: str) -> Path:
    """Return a folder with what wheels for another machine hold."""
    if not (folder / "made").exists():
        import zipfile

        tags = [f"manylinux_2_{minor}_{machine}" for minor in (28, 27, 17)]
        platforms = [word for tag in tags for word in ("--platform", tag)]
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version", "3.11"]
        pip = ["python3", "-m", "pip", "download", *options, *platforms, "-d", str(folder / "whl")]
        subprocess.run([*pip, *wanted], check=True, stderr=subprocess.DEVNULL)
        for wheel in (folder / "whl").iterdir():
            zipfile.ZipFile(wheel).extractall(folder)
        (folder / "made").touch()
    return folder
