"""A process that codes dump after dump keeps no more of them than the last ones need."""

import importlib
import pkgutil

import featcodec

# What these take is one of so few numbers or names that all of them may be kept.
BOUNDED = {
    "featcodec.align.numbers._f8_values",  # types of a byte
    "featcodec.arrays.numpy_type",  # types of safetensors
    "featcodec.entropy.contexts._class_of",  # passes
    "featcodec.entropy.dependent_family.table",  # numbers of a byte
    "featcodec.entropy.family.table",
}


def caches() -> dict[str, int | None]:
    """The caches of the package and how many results each keeps at most."""
    found = {}
    for module in pkgutil.walk_packages(featcodec.__path__, "featcodec."):
        if module.name.startswith(("featcodec.cli", "featcodec.evaluate", "featcodec.__main__")):
            continue
        try:
            members = vars(importlib.import_module(module.name))
        except ImportError:  # an extra that is not installed
            continue
        for name, member in members.items():
            if hasattr(member, "cache_parameters") and member.__module__ == module.name:
                found[f"{module.name}.{name}"] = member.cache_parameters()["maxsize"]
    return found


def test_every_cache_is_bounded_by_a_size_or_by_what_it_takes() -> None:
    endless = {name for name, size in caches().items() if size is None}
    assert endless == BOUNDED


def test_tables_of_dumps_gone_by_are_forgotten() -> None:
    sizes = {name: size for name, size in caches().items() if size is not None}
    assert sizes["featcodec.entropy.tables.frequencies"] == 2048
    rates = sizes.pop("featcodec.modes.interpolated.tables._rates")  # short arrays
    for name in ("_digest", "_digest_in_store"):  # 32 bytes and a path
        assert sizes.pop(f"featcodec.profiles.{name}") == 4096
    assert rates == 8192 and all(size <= 2048 for size in sizes.values())
