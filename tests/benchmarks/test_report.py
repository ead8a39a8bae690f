"""The table and the file of figures, and which measurements are chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS, chosen, main
from benchmarks.figures import Figure
from benchmarks.report import HEAD, merge, table

DECODE = Figure("decode", 0.9876, "ratio", "24 pairs", at_least=0.97)
STOP = Figure("stop", 120.0, "ms", "worst of 10", at_most=100.0)


def test_figures_of_other_names_stay_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    merge(path, [DECODE, STOP])
    merge(path, [Figure("stop", 80.0, "ms", "worst of 10", at_most=100.0)])
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "decode": {"value": 0.9876, "at_least": 0.97, "unit": "ratio", "note": "24 pairs"},
        "stop": {"value": 80.0, "at_most": 100.0, "unit": "ms", "note": "worst of 10"},
    }
    assert [entry.name for entry in path.parent.iterdir()] == ["bench.json"]


@pytest.mark.parametrize("broken", ["", "{", "[1]"])
def test_a_broken_file_is_replaced(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(broken, encoding="utf-8")
    merge(path, [STOP])
    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["stop"]


def test_the_table_is_aligned_and_says_what_is_missed() -> None:
    head, decode, stop = table([DECODE, STOP]).splitlines()
    assert head.split() == list(HEAD)
    assert decode.split()[:5] == ["decode", "0.9876", ">=", "0.97", "yes"]
    assert stop.split()[:5] == ["stop", "120", "<=", "100", "NO"]
    assert head.index("unit") == decode.index("ratio") == stop.index("ms")


def test_a_measurement_is_chosen_by_its_figure_or_its_own_name() -> None:
    assert chosen(None) == list(BENCHMARKS)
    assert chosen("window_ready_ms") == chosen("window_start")
    assert len(chosen("decode_vs_bare")) == 1
    assert chosen("nothing") == []


def test_no_figure_is_promised_twice() -> None:
    names = [name for one in BENCHMARKS for name in one.figures]
    assert len(names) == len(set(names))


def test_an_unknown_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--only", "nothing"])
    assert ended.value.code == 2
    assert "decode_vs_bare" in capsys.readouterr().err
