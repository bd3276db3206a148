"""Loading the example data: once, whole, and with one shift."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from examples.load import MIDDLE_OF_DATA, TABLES, Shift, load, main
from skewless.errors import DataError, UsageError

NOW = datetime(2030, 3, 5, 10, 40, tzinfo=UTC)


def test_all_tables_are_written_once_and_then_left(tmp_path: Path):
    told: list[str] = []
    first = load(tmp_path, now=NOW, progress=told.append)
    assert [table.name for table in first] == list(TABLES)
    assert all(table.written for table in first)
    assert len(told) == 1 + len(TABLES)

    second = load(tmp_path, now=NOW + timedelta(days=100))
    assert [(table.name, table.rows) for table in second] == [(table.name, table.rows) for table in first]
    assert not any(table.written for table in second)
    assert {DeltaTable(table.path).version() for table in second} == {0}


def test_instants_are_microseconds_in_utc(tmp_path: Path):
    load(tmp_path, now=NOW, names=["labels", "weather"])
    for name in ("labels", "weather"):
        kinds = {
            field.name: field.type.type for field in DeltaTable(tmp_path / "sources" / name).schema().fields
        }
        assert kinds["event_timestamp"] == "timestamp"


@pytest.mark.parametrize(
    "now", [NOW, NOW + timedelta(days=3, hours=11), datetime(2027, 11, 7, 6, tzinfo=UTC)]
)
def test_now_falls_in_the_middle_of_the_moved_year(now: datetime):
    shift = Shift.around(now)
    assert abs(now - (MIDDLE_OF_DATA + shift.duration)) <= timedelta(days=3, hours=13)
    assert shift.duration % timedelta(weeks=1) == timedelta(0)


def test_the_shift_is_chosen_once(tmp_path: Path):
    load(tmp_path, now=NOW, names=["labels"])
    kept = (tmp_path / "sources" / "_shift.json").read_text()
    load(tmp_path, now=NOW + timedelta(days=300), names=["weather"])
    assert (tmp_path / "sources" / "_shift.json").read_text() == kept
    assert json.loads(kept) == {"weeks": Shift.around(NOW).weeks, "anchor": "2030-03-05T10:00:00Z"}


def test_a_load_that_was_killed_goes_on_where_it_was(tmp_path: Path):
    def killed_after_labels(line: str) -> None:
        if line.startswith("  labels"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(tmp_path, now=NOW, names=["labels", "weather"], progress=killed_after_labels)
    assert not (tmp_path / "sources" / "weather").exists()
    labels, weather = load(tmp_path, now=NOW + timedelta(days=30), names=["labels", "weather"])
    assert (labels.written, weather.written) == (False, True)


def test_files_without_a_commit_are_no_table(tmp_path: Path):
    load(tmp_path, now=NOW, names=["labels"])
    for commit in (tmp_path / "sources" / "labels" / "_delta_log").iterdir():
        commit.unlink()  # what a writer leaves that is killed just before it commits
    (labels,) = load(tmp_path, now=NOW, names=["labels"])
    assert labels.written
    assert DeltaTable(labels.path).count() == labels.rows == 9_800


def test_rows_that_somebody_appended_stay(tmp_path: Path):
    (labels,) = load(tmp_path, now=NOW, names=["labels"])
    write_deltalake(labels.path, DeltaTable(labels.path).to_pyarrow_table().slice(0, 1), mode="append")
    (again,) = load(tmp_path, now=NOW, names=["labels"])
    assert (again.written, again.rows) == (False, 9_801)


def test_a_table_of_another_shift_is_refused_and_stays(tmp_path: Path):
    (labels,) = load(tmp_path, now=NOW, names=["labels"])
    (tmp_path / "sources" / "_shift.json").unlink()
    with pytest.raises(DataError, match=r"sources/labels is not the one .* remove it, or load into another"):
        load(tmp_path, now=NOW + timedelta(days=30), names=["labels"])
    assert DeltaTable(labels.path).version() == 0


def test_a_damaged_table_is_named(tmp_path: Path):
    (labels,) = load(tmp_path, now=NOW, names=["labels"])
    (commit,) = Path(labels.path, "_delta_log").iterdir()
    commit.write_text("{not json")
    with pytest.raises(DataError, match=r"sources/labels cannot be read .* remove it and load again"):
        load(tmp_path, now=NOW, names=["labels"])


@pytest.mark.parametrize("text", ["", "[]", '{"weeks": 3}', '{"weeks": 3, "anchor": "soon"}'])
def test_a_damaged_shift_file_is_named_and_nothing_written(tmp_path: Path, text: str):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "_shift.json").write_text(text)
    with pytest.raises(DataError, match=r"_shift\.json does not say how the example data were moved"):
        load(tmp_path, now=NOW, names=["labels"])
    assert [path.name for path in (tmp_path / "sources").iterdir()] == ["_shift.json"]


def test_an_unknown_table_and_a_warehouse_elsewhere_are_misuse(tmp_path: Path):
    with pytest.raises(UsageError, match=r"no example table 'label' \(did you mean 'labels'\?\)"):
        load(tmp_path, now=NOW, names=["label"])
    with pytest.raises(UsageError, match="written to a local folder, not to s3://lake"):
        load("s3://lake", now=NOW)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file is not a folder"):
        load(tmp_path / "file", now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_after_the_moved_year_a_load_says_what_to_do(tmp_path: Path):
    told: list[str] = []
    load(tmp_path, now=NOW, names=["labels"])
    load(tmp_path, now=NOW + timedelta(days=200), names=["labels"], progress=told.append)
    assert any("the flights end at 2030-09-" in line and "remove" in line for line in told)


def test_the_command_prints_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["labels", "--warehouse", str(tmp_path), "--now", "2030-03-05T10:40Z", "--json"]) == 0
    (labels,) = json.loads(capsys.readouterr().out)
    assert (labels["name"], labels["rows"], labels["written"]) == ("labels", 9_800, True)
    assert main(["--warehouse", str(tmp_path), "--now", "soon"]) == 2
    assert "--now: 'soon' is not an instant" in capsys.readouterr().err
