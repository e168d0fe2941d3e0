"""The profiles that come with the package."""

from pathlib import Path

NEURAL = "caufc"  # what the neural transform takes when no profile is named


def built_in() -> dict[str, Path]:
    """Return the files of the built-in profiles by name."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.fcp"))}
