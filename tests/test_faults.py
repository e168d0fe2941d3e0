"""What FAULTS.md says of damaged files is so, and every test that it names is there."""

import re
from pathlib import Path

from . import faults

HERE = Path(__file__).parent


def test_each_fault_is_held_by_tests_that_exist() -> None:
    rows = [line for line in (HERE / "FAULTS.md").read_text().splitlines() if "::" in line]
    assert len(rows) > 30
    for row in rows:
        for file, name in re.findall(r"`(\w+)::(\w+)`", row):
            assert f"def {name}(" in (HERE / f"{file}.py").read_text(), row


def test_each_damage_has_a_class_a_status_and_a_message(tmp_path: Path) -> None:
    """The table is printed by `python -m tests.faults`."""
    text = (HERE / "FAULTS.md").read_text()
    shown = text.partition("| what is wrong | files |")[2].partition("\n\n")[0].splitlines()[2:]
    assert shown == [*faults.table(tmp_path)]
