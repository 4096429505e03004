"""The harness of benchmarks/: what it measures, how it judges, and that it runs, without any peer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import entities, inputs, judge, measure, results, schedule, table
from benchmarks.readers import quality
from benchmarks.rows import Kind, Rate, Report, Row, Workload, microseconds_a_step


def row(name: str, kind: Kind = "defaults", code: str = "pass") -> Row:
    return Row(name, kind, "nnkit", lambda _: [sys.executable, "-c", code])


def workload(*rows: Row) -> Workload:
    return Workload("toy", "Toy", "Work.", rows, rate=Rate("us a step", microseconds_a_step, flops=1.0), steps=10)


def process(wall: float) -> measure.Process:
    return measure.Process(wall, cpu=wall, peak=50.0, code=0, complaint="")


def test_measures_time_memory_and_exit_code(tmp_path: Path) -> None:
    code = "import sys, time; x = bytearray(150 << 20); time.sleep(0.3); sys.exit('so long')"
    found = measure.measured([sys.executable, "-c", code], tmp_path, os.environ)
    assert 0.3 < found.wall < 10
    assert found.cpu < found.wall
    assert found.peak > 150
    assert (found.code, found.complaint) == (1, "so long")


def test_a_process_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    code = "import time; time.sleep(60)"
    assert measure.measured([sys.executable, "-c", code], tmp_path, os.environ, limit=0.2).code == -9


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        (Report(10, 1.0, 0.31, 0.80), None),
        (Report(9, 1.0, 0.31, 0.80), "9 steps"),
        (Report(5, 1.0, 0.31, 0.80, scale=2), None),
        (Report(10, 1.0, 0.60, 0.80), "test loss 0.6,"),
        (Report(10, 1.0, float("nan"), 0.80), "test loss nan"),
        (Report(10, 1.0, 0.31, 0.70), "test accuracy 0.7,"),
        (Report(10, 1.0, problem="rows are missing"), "rows are missing"),
    ],
)
def test_a_row_whose_work_is_not_the_same_fails(report: Report, problem: str | None) -> None:
    sound = {name: [Report(10, 1.0, 0.3, 0.8)] for name in "abc"}
    found = judge.problems(workload(), {**sound, "other": [report]})
    assert set(found) == ({"other"} if problem else set())
    assert (problem or "") in found.get("other", "")


def test_ratios_are_of_medians_and_failed_rows_have_no_figures() -> None:
    ours, peer, wrong = schedule.Track(row("a", "nnkit")), schedule.Track(row("b", "best")), schedule.Track(row("c"))
    for track, seconds, steps in ((ours, 1.0, 10), (peer, 4.0, 10), (wrong, 0.1, 3)):
        for wall in (seconds, seconds * 2, seconds * 30):
            track.processes.append(process(wall))
            track.reports.append(Report(steps, wall / 2))
    found = results.section(workload(ours.row, peer.row, wrong.row), [ours, peer, wrong])
    a, b, c = found.results
    assert a.wall == results.Spread(2.0, 1.0, 30.0)
    assert (b.slower, b.rate_slower) == (4.0, 4.0)
    assert (c.wall, c.problem) == (None, "3 steps, expected 10")
    assert results.from_json(json.loads(json.dumps(results.to_json([found])))) == [found]
    page = "\n".join(table.section_lines(found))
    assert "| b | best setting | 8.00 (4.00-120) | 4.00x |" in page
    assert "* c: 3 steps, expected 10" in page


def test_rows_take_turns(tmp_path: Path) -> None:
    code = "open({log!r}, 'a').write({name!r})"
    log = str(tmp_path / "log")
    rows = [row(name, code=code.format(log=log, name=name)) for name in "ab"]
    bad = row("bad", code="import sys; sys.exit('no such thing')")
    tracks = schedule.run(workload(*rows, bad), 3, tmp_path, lambda _: None)
    assert Path(log).read_text() == "ababab"
    assert [len(track.processes) for track in tracks] == [3, 3, 0]
    assert tracks[2].problem == "exit code 1: no such thing"


def test_quality_by_hand() -> None:
    loss, accuracy = quality([0.5, 0.75, 0.25], [1, 1, 0])
    assert loss == pytest.approx((0.6931472 + 2 * 0.2876821) / 3)
    assert accuracy == pytest.approx(2 / 3)


def test_the_readme_is_filled_between_its_markers(root: Path) -> None:
    readme = (root / "README.md").read_text()
    text = f"{table.START}\nnew\n{table.END}"
    filled = table.filled(readme, text)
    assert text in filled
    assert table.filled(filled, text) == filled
    with pytest.raises(ValueError, match="expected the lines"):
        table.filled("nothing", text)


def small_run(root: Path, folder: Path, only: str) -> list[results.Section]:
    churn = folder / "churn.csv"
    rows = inputs.read_rows(root / "data" / "bank_churn.csv")[:300]
    inputs.write_rows(churn, list(rows[0]), iter(rows))
    options = ["--small", "--rounds", "1", "--only", only, "--peers", "none"]
    command = [sys.executable, "-m", "benchmarks", *options, "--churn", str(churn), "--out", str(folder / "out")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (folder / "out" / "results.png").stat().st_size > 5_000
    return results.from_json(json.loads((folder / "out" / "results.json").read_text())["sections"])


def test_the_whole_harness_runs_without_peers(root: Path, tmp_path: Path) -> None:
    (section,) = small_run(root, tmp_path, "churn")
    ours = section.results[0]
    assert ours.problem is None
    assert ours.wall
    assert ours.rate
    assert ours.loss is not None
    assert 0 < ours.loss < 1
    assert "## Churn net, 24 steps" in (tmp_path / "out" / "results.md").read_text()


@pytest.mark.slow
def test_predictions_and_folds_count(root: Path, tmp_path: Path) -> None:
    sections = small_run(root, tmp_path, "folds,predict")
    assert [section.name for section in sections] == ["folds", "predict", "one-row"]
    assert [section.results[0].problem for section in sections] == [None, None, None]


def test_the_dictionary_of_entities_takes_the_longest_that_fits_and_its_most_frequent_type() -> None:
    words = [["New", "Ulm", "sings"], ["Ulm"], ["Ulm"], ["Ulm"]]
    tags = [["B-place", "I-place", "O"], ["B-name"], ["B-place"], ["B-place"]]
    known = entities.learned(words, tags)
    assert known == {("New", "Ulm"): "place", ("Ulm",): "place"}
    found = entities.looked_up(["In", "New", "Ulm", "Ulm", "ulm"], known)
    assert found == ["O", "B-place", "I-place", "B-place", "O"]
    counts = entities.scored([["O", "B-place", "I-place", "B-name", "O"]], [found])
    assert [sum(each) for each in counts] == [1, 2, 2]


def test_the_dictionary_is_scored_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, test = tmp_path / "a.conll", tmp_path / "b.conll"
    train.write_text("Ulm\tB-place\n\nsings\tO\n")
    test.write_text("Ulm\tB-place\n\nulm\tB-place\n")
    entities.main(train, test)
    lines = [line.split()[-3:] for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [["1.0000", "0.5000", "0.6667"], ["1.0000", "1.0000", "1.0000"]]
