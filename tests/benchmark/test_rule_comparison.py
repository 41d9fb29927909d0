import json
from pathlib import Path

import pytest

from egrm_graph.benchmark.rule_comparison import calibration_error, main, named
from egrm_graph.training.rollout_file import Rollout, RolloutPath, write_rollouts


def rollout(name: str, *marks: bool) -> Rollout:
    paths = tuple(RolloutPath(text=f"17+48=65;#{65 - (not mark)}", answer=str(mark), correct=mark) for mark in marks)
    return Rollout(id=name, question="17+48", reference="65", paths=paths)


def test_the_calibration_error_is_the_mean_distance_between_score_and_share_right_by_bin() -> None:
    # The bin from 0.8 to 0.867 has the scores 0.81 and 0.85, and one is right, so it is 0.33 off. The score 1.0 of a
    # right path is alone in its bin, and 0 off. The unscored path does not count. So (2 * 0.33 + 0) / 3.
    rollouts = [rollout("a", True, False), rollout("b", True, True)]
    error = calibration_error(rollouts, [[0.81, 0.85], [1.0, None]])
    assert error.value == pytest.approx(0.22)


def test_a_folder_of_scorers_represents_those_in_it(tmp_path: Path) -> None:
    for name in ("hybrid", "hinge"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    assert named([tmp_path]) == {"hinge": tmp_path / "hinge", "hybrid": tmp_path / "hybrid"}
    assert named([tmp_path / "hinge"]) == {"hinge": tmp_path / "hinge"}


def test_the_program_prints_every_rule_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, figures = tmp_path / "rollouts.jsonl", tmp_path / "figures.json"
    write_rollouts(file, [rollout("a", True, False, False, True)])
    monkeypatch.setattr("sys.argv", ["selection", str(file), "--sizes", "2", "4", "--json", str(figures)])
    main()
    printed = capsys.readouterr().out
    for word in ("majority vote", "best_score", "weighted_vote", "majority_best", "best possible", "calibration error"):
        assert word in printed
    (report,) = json.loads(figures.read_text())
    assert sorted({(row["rule"], row["paths"]) for row in report["rows"]}) == [
        (rule, n)
        for rule in ("best possible", "best_score", "majority vote", "majority_best", "weighted_vote")
        for n in (2, 4)
    ]


def test_each_aggregation_of_step_scores_is_compared_with_the_full_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, figures = tmp_path / "rollouts.jsonl", tmp_path / "figures.json"
    write_rollouts(file, [rollout("a", True, False), rollout("b", False, True)])
    options = ["--sizes", "2", "--steps", ";", "--json", str(figures)]
    monkeypatch.setattr("sys.argv", ["selection", str(file), *options])
    main()
    printed = capsys.readouterr().out
    assert "over full paths" in printed
    assert "egrm-tiny-scorer (product): expected calibration error" in printed
    (report,) = json.loads(figures.read_text())
    by_steps = [row for row in report["rows"] if row["over_full_points"] is not None]
    assert sorted({row["scorer"] for row in by_steps}) == [
        f"egrm-tiny-scorer ({rule})" for rule in ("last", "mean", "merged", "minimum", "product")
    ]
    same = [row["over_full_points"]["value"] for row in by_steps if row["scorer"].endswith("(last)")]
    assert same == [0.0] * 3
    # the last step of an outcome scorer has the score of the path
    assert report["errors"]["egrm-tiny-scorer (last)"] == pytest.approx(report["errors"]["egrm-tiny-scorer"], abs=1e-6)
    assert report["uncalibrated"] == [f"egrm-tiny-scorer ({rule})" for rule in ("product", "minimum", "mean", "merged")]


def test_a_missing_file_is_a_one_line_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["selection", "nowhere.jsonl"])
    with pytest.raises(SystemExit, match=r"nowhere\.jsonl cannot be read"):
        main()
