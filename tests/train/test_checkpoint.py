"""Checkpoints: whole or not there; damaged and foreign ones are named and passed over; nothing in them runs."""

import pickle
import shutil

import pytest
import torch

from course_lib.train import Checkpoints


@pytest.fixture
def run(make_trainer, tmp_path):
    trainer = make_trainer(tmp_path / "run")
    trainer.fit()
    return trainer, sorted((tmp_path / "run").iterdir())


def resume(make_trainer, tmp_path):
    """Another process takes the run up: which step does it go on from?"""
    trainer = make_trainer(tmp_path / "run", seed=3)
    trainer._resume()
    return trainer.step


def test_the_newest_two_are_kept(run):
    assert [file.name for file in run[1]] == ["step-00000035.pt", "step-00000040.pt"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-100]),
        lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"not a checkpoint at all"),
        lambda file: file.write_bytes(bytes(b ^ (i == 3000) for i, b in enumerate(file.read_bytes()))),
        lambda file: torch.save([1, 2], file),
    ],
    ids=["truncated", "half", "empty", "text", "one bit flipped", "a list"],
)
def test_a_damaged_one_is_named_and_the_one_before_it_is_used(run, make_trainer, tmp_path, damage):
    damage(run[1][-1])
    with pytest.warns(UserWarning, match=r"step-00000040\.pt is damaged or is not a checkpoint.* before it is used"):
        assert resume(make_trainer, tmp_path) == 35
    whole, again = run[0], make_trainer(tmp_path / "run", seed=3)
    again.fit()
    for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_foreign_one_is_named_and_passed_over(run, make_trainer, tmp_path):
    foreign = Checkpoints(tmp_path / "other", "another run")
    shutil.copy(foreign.save(1, {}), run[1][-1])
    with pytest.warns(UserWarning, match=r"step-00000040\.pt is a checkpoint of another run"):
        assert resume(make_trainer, tmp_path) == 35


def test_refused_ones_do_not_push_out_the_good(run, make_trainer, tmp_path):
    """Two files of a longer, other run lie there; the new run's own checkpoints are the ones that are kept."""
    foreign = Checkpoints(tmp_path / "run", "another run")
    foreign.save(100, {})
    foreign.save(200, {})
    again = make_trainer(tmp_path / "run")
    with pytest.warns(UserWarning, match="checkpoint of another run"):
        again.fit()
    assert again.step == 40 and resume(make_trainer, tmp_path) == 40
    refused = sorted(path.name for path in (tmp_path / "run").glob("*.refused"))
    assert refused == ["step-00000100.pt.refused", "step-00000200.pt.refused"]


def test_another_format_is_refused(run, make_trainer, tmp_path):
    contents = torch.load(run[1][-1], weights_only=True)
    torch.save({**contents, "format": "course_lib checkpoint 0"}, run[1][-1])
    with pytest.warns(UserWarning, match="checkpoint of another run"):
        assert resume(make_trainer, tmp_path) == 35


@pytest.mark.parametrize("change", [{"accumulation": 2}, {"clip": 0.5}])
def test_a_run_with_other_settings_does_not_go_on_from_it(run, make_trainer, tmp_path, change):
    trainer = make_trainer(tmp_path / "run", **change)
    with pytest.warns(UserWarning, match=r"its weights, optimizers or settings differ"):
        trainer._resume()
    assert trainer.step == 0


def test_a_run_that_is_shorter_than_its_checkpoint_says_so(run, make_trainer, tmp_path):
    with pytest.raises(ValueError, match="after step 40, and the run is to have 10: take more steps"):
        make_trainer(tmp_path / "run", steps=10).fit()


def test_broken_weights_are_never_saved(make_trainer, tmp_path):
    trainer = make_trainer(tmp_path / "run", steps=3, checkpoint_every=1)
    trainer.rates = [[3e38 for _ in rates] for rates in trainer.rates]
    with pytest.raises(FloatingPointError):
        trainer.fit()
    for file in trainer.checkpoints.files():
        assert all(weight.isfinite().all() for weight in torch.load(file, weights_only=True)["model"].values())


def test_without_a_good_one_the_run_begins_anew(run, make_trainer, tmp_path):
    for file in run[1]:
        file.write_bytes(b"")
    with pytest.warns(UserWarning, match="damaged"):
        assert resume(make_trainer, tmp_path) == 0


def test_a_file_that_would_run_code_is_not_run(run, make_trainer, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    for poison in (lambda f: torch.save({"format": Trap()}, f), lambda f: f.write_bytes(pickle.dumps(Trap()))):
        poison(run[1][-1])
        with pytest.warns(UserWarning, match="damaged or is not a checkpoint"):
            assert resume(make_trainer, tmp_path) == 35
        assert not (tmp_path / "sprung").exists()


def test_writing_that_fails_leaves_the_folder_as_it_was(run, tmp_path, monkeypatch):
    checkpoints = run[0].checkpoints

    def full_disk(contents, path):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(41, {})
    assert sorted((tmp_path / "run").iterdir()) == run[1]
