"""Every test that FAULTS.md names is there."""

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_each_fault_is_held_by_tests_that_exist() -> None:
    rows = [line for line in (HERE / "FAULTS.md").read_text().splitlines() if "::" in line]
    assert len(rows) > 30
    for row in rows:
        for file, name in re.findall(r"`(\w+)::(\w+)`", row):
            assert f"def {name}(" in (HERE / f"{file}.py").read_text(), row
