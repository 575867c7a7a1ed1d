"""What a training would cost: counted by hand, measured, printed."""

import pytest

from keras_pixel import training
from keras_pixel.cli import main

CONFIG = {"image_shape": [4, 4, 1], "num_levels": 2, "filters": 4}


def recipe(**changes):
    return {
        "name": "tiny",
        "model": {
            "class_name": "PixelCNN",
            "config": {**CONFIG, "num_blocks": 0, "head_filters": 0},
        },
        "data": {"source": "nowhere"},
        "optimizer": {"name": "adam", "learning_rate": 0.001},
        "batch_size": 2,
        "steps": 300,
        **changes,
    }


def test_costs_by_hand():
    cost = training.dry_run(recipe(), steps=1)
    # 7×7 kernel down to its centre row, one channel to 2 * 4 features, and 8
    # features to 2 logits.
    first, head = 4 * 7 * 1 * 8, 8 * 2
    assert cost.parameters == first + 8 + head + 2
    assert cost.operations == 2 * 16 * (first + head)
    assert cost.trained_operations == 3 * cost.operations
    assert cost.images == 600
    assert cost.seconds == pytest.approx(600 / cost.images_per_second)
    # Weights and the two moments of Adam, four bytes each.
    assert 12 * cost.parameters <= cost.state_bytes < 12 * cost.parameters + 100
    assert cost.peak_bytes > 50e6


def test_accumulated_batches_and_the_average_count():
    changes = {"accumulation_steps": 3, "ema_momentum": 0.9}
    cost = training.dry_run(recipe(**changes), steps=1)
    assert cost.images == 1800
    assert cost.state_bytes >= 20 * cost.parameters


def test_text_says_all():
    cost = training.DryRun(1234, int(5e9), int(15e9), 10**7, 10**9, 20, 720, 36)
    assert str(cost).splitlines() == [
        "parameters  1,234",
        "operations  5 GFLOP an image forward, 15 as trained",
        "memory      10 MB of weights and optimizer, 1,000 MB in all",
        "speed       20 images/s, 300 GFLOP/s",
        "time        36 s for 720 images",
    ]


def test_command_prints_it_and_writes_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "recipe.json"
    training.Recipe.of(recipe()).to_json(path)
    with pytest.raises(SystemExit) as end:
        main(["train", str(path), "--dry-run"])
    assert end.value.code in (0, None)
    assert "GFLOP an image forward" in capsys.readouterr().out
    assert [p.name for p in tmp_path.iterdir()] == ["recipe.json"]


def test_wrong_number_of_steps_is_refused():
    with pytest.raises(ValueError, match="`steps` must be"):
        training.dry_run(recipe(), steps=0)
