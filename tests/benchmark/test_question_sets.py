import json
from pathlib import Path

import pytest

from egrm_graph.benchmark.held_out import held_out
from egrm_graph.benchmark.question_sets import Choice, Levels, read_sets
from egrm_graph.errors import InputError, SettingsError


def written(file: Path, *levels: int | str | None) -> str:
    """A file with a question of each level; None for one without a level."""
    file.parent.mkdir(exist_ok=True)
    rows = [
        {"question": f"{i}+1", "reference": str(i + 1), **({} if level is None else {"level": level})}
        for i, level in enumerate(levels)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def ids(sources: list[str], choice: Choice) -> list[str]:
    return [question.id for question in read_sets(sources, "answer", choice)]


def test_a_single_file_keeps_its_ids(tmp_path: Path) -> None:
    assert ids([written(tmp_path / "a.jsonl", 1, 2)], Choice()) == ["1", "2"]


def test_ids_of_several_files_start_with_the_names_of_the_files(tmp_path: Path) -> None:
    files = [written(tmp_path / name, 1, 1) for name in ("a.jsonl", "b.jsonl")]
    assert ids(files, Choice()) == ["a/1", "a/2", "b/1", "b/2"]


def test_files_of_the_same_name_have_their_folders_in_the_ids(tmp_path: Path) -> None:
    files = [written(tmp_path / name, 1) for name in ("gsm8k/test.jsonl", "math500/test.jsonl")]
    assert ids(files, Choice()) == ["gsm8k/test/1", "math500/test/1"]


def test_each_file_is_sampled(tmp_path: Path) -> None:
    files = [written(tmp_path / name, *[1] * 30) for name in ("a.jsonl", "b.jsonl")]
    chosen = ids(files, Choice(sample=10))
    assert [sum(one.startswith(name) for one in chosen) for name in "ab"] == [10, 10]
    assert chosen == ids(files, Choice(sample=10))
    assert chosen != ids(files, Choice(sample=10, sample_seed=1))


def test_a_sample_is_in_the_order_of_the_file_and_part_of_every_larger_one(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", *[1] * 30)
    samples = [ids([file], Choice(sample=n, sample_seed=3)) for n in (5, 12, 30, 31)]
    assert [len(sample) for sample in samples] == [5, 12, 30, 30]
    assert set(samples[0]) < set(samples[1]) < set(samples[2])
    assert all(sample == sorted(sample, key=int) for sample in samples)


@pytest.mark.parametrize(
    ("levels", "chosen"),
    [("1-3", "1236"), ("2", "26"), ("1,3-4", "1346"), ("easy, 4", "456"), ("easy", "56"), ("0-9", "12346")],
)
def test_levels_are_numbers_ranges_and_names_and_questions_without_one_stay(
    tmp_path: Path, levels: str, chosen: str
) -> None:
    file = written(tmp_path / "a.jsonl", 1, 2, 3, 4, "easy", None)
    assert ids([file], Choice(Levels.read(levels))) == list(chosen)


def test_a_name_with_a_hyphen_is_not_a_range(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", "hep-go", "hep-rust")
    assert ids([file], Choice(Levels.read("hep-go"))) == ["1"]


@pytest.mark.parametrize(
    ("levels", "message"),
    [("3-1", "the empty range 3-1; put the smaller number first"), (" ,", "--levels is empty")],
)
def test_levels_that_name_nothing_are_refused(levels: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Levels.read(levels)


def test_held_out_questions_can_be_one_of_the_sources(tmp_path: Path) -> None:
    chosen = ids(["held-out", written(tmp_path / "a.jsonl", 1)], Choice(Levels.read("1")))
    expected = [f"held-out/{question.id}" for question in held_out(1000) if question.level == 1]
    assert chosen == [*expected, "a/1"]


def test_sources_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", 1, 2)
    with pytest.raises(InputError, match=r"a\.jsonl has no question of the levels that --levels names; it has 1, 2"):
        read_sets([file], "answer", Choice(Levels.read("7")))
    with pytest.raises(SettingsError, match=r"a\.jsonl is named twice"):
        read_sets([file, file], "answer", Choice())
    twice = tmp_path / "twice.jsonl"
    twice.write_text('{"id": "x", "question": "1+1", "reference": "2"}\n' * 2)
    with pytest.raises(InputError, match="has two questions with the id 'x'"):
        read_sets([str(twice)], "answer", Choice())
