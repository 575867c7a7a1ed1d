"""Bulk work: the same results in every engine, and after every stop."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import psutil
import pytest
from PIL import Image

from keras_pixel import cli
from keras_pixel import tasks
from keras_pixel.levels import nats_to_bits_per_dim
from keras_pixel.models import PixelCNN
from keras_pixel.tasks import bulk_jobs
from keras_pixel.tasks import bulk_local
from tests.support import programs

parquet = pytest.importorskip("pyarrow.parquet")

SHAPE = (4, 4, 1)
IMAGES = np.random.default_rng(0).integers(4, size=(23, *SHAPE), dtype="uint8")
needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="SavedModels"
)


def new_model(**options):
    keras.utils.set_random_seed(3)
    model = PixelCNN(
        SHAPE, num_levels=4, filters=4, num_blocks=1, head_filters=0, **options
    )
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(0.4 * random.normal(size=weight.shape))
    return model


@pytest.fixture(scope="module")
def model():
    return new_model()


@pytest.fixture(scope="module")
def labelled():
    return new_model(num_classes=3)


@pytest.fixture(scope="module")
def preset(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bulk") / "tiny"
    model.save_preset(folder)
    return folder


@pytest.fixture
def pictures(tmp_path):
    """A folder of these images, one of which is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, image in enumerate(IMAGES):
        path = folder / f"{number:02}.png"
        Image.fromarray(image[..., 0] * 85).save(path)
    (folder / "07.png").write_bytes(b"no picture")
    return folder


def scores(folder):
    """The columns of all shards, in order."""
    shards = sorted(pathlib.Path(folder).glob("scores-*.parquet"))
    tables = [parquet.read_table(path).to_pydict() for path in shards]
    return {
        name: [value for table in tables for value in table[name]]
        for name in tables[0]
    }


def samples(folder):
    files = sorted(pathlib.Path(folder).glob("samples-*/*.png"))
    assert [path.stem for path in files] == [
        f"{number:08d}" for number in range(len(files))
    ]
    return np.stack([np.asarray(Image.open(path)) for path in files])


def assert_scores(found, model, skip=()):
    """That these are the scores of the images by the model itself."""
    expected = model.log_prob(IMAGES)
    for number, nats in enumerate(found["log_prob"]):
        if number in skip:
            assert nats is None
            assert found["bits_per_dim"][number] is None
            assert found["error"][number]
            continue
        assert nats == pytest.approx(expected[number], abs=1e-4)
        bits = nats_to_bits_per_dim(-nats, 16)
        assert found["bits_per_dim"][number] == pytest.approx(bits)
        assert found["error"][number] is None
    assert len(found["id"]) == len(IMAGES)


# === In this process ===


@pytest.mark.parametrize(("shard_size", "batch_size"), [(5, 2), (100, 64)])
def test_scores_of_a_folder(model, pictures, tmp_path, shard_size, batch_size):
    seen = []
    result = tasks.bulk_score(
        model,
        pictures,
        tmp_path / "scores",
        shard_size=shard_size,
        batch_size=batch_size,
        progress=lambda done, total: seen.append((done, total)),
    )
    found = scores(tmp_path / "scores")
    assert_scores(found, model, skip=[7])
    assert found["id"] == [f"{number:02}.png" for number in range(23)]
    assert "UnidentifiedImageError" in found["error"][7]
    assert seen[-1] == (23, 23)
    assert (result.num_images, result.num_errors, result.num_new) == (23, 1, 23)
    assert result.num_shards == -(-23 // shard_size)
    good = np.delete(model.log_prob(IMAGES), 7)
    assert result.log_prob == pytest.approx(good.mean(), rel=1e-5)
    assert result.bits_per_dim == pytest.approx(-good.mean() / 16 / np.log(2))
    assert f"| 23 | {result.num_shards} | 23 |" in result.table()
    # As others read the folder: as a whole.
    assert parquet.read_table(tmp_path / "scores").num_rows == 23


def test_only_errors_have_no_mean(model, tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    result = tasks.bulk_score(model, tmp_path / "a.png", tmp_path / "scores")
    assert (result.num_errors, result.log_prob) == (1, None)
    assert "| – | – |" in result.table()


@pytest.mark.parametrize(("shard_size", "batch_size"), [(5, 4), (11, 64)])
def test_samples_are_those_of_one_call(model, tmp_path, shard_size, batch_size):
    result = tasks.bulk_sample(
        model,
        11,
        tmp_path / "samples",
        seed=5,
        temperature=1.3,
        shard_size=shard_size,
        batch_size=batch_size,
    )
    expected = model.sample(11, seed=5, temperature=1.3)
    np.testing.assert_array_equal(
        samples(tmp_path / "samples"), expected[..., 0] * 85
    )
    assert result.num_new == 11
    # The model reads from the pictures what it drew.
    scored = tasks.bulk_score(model, tmp_path / "samples", tmp_path / "scores")
    assert scored.log_prob == pytest.approx(
        model.log_prob(expected).mean(), rel=1e-5
    )


def test_labels_are_taken_in_turn(labelled, tmp_path):
    tasks.bulk_sample(
        labelled, 7, tmp_path / "samples", labels=[2, 0], shard_size=4
    )
    expected = labelled.sample(
        labels=[2, 0, 2, 0, 2, 0, 2], seed=0, batch_size=4
    )
    np.testing.assert_array_equal(
        samples(tmp_path / "samples"), expected[..., 0] * 85
    )
    result = tasks.bulk_score(labelled, IMAGES, tmp_path / "scores", label=1)
    assert result.log_prob == pytest.approx(
        labelled.log_prob(IMAGES, labels=1).mean(), rel=1e-5
    )


@needs_tensorflow
def test_an_export_gives_the_same(labelled, tmp_path):
    labelled.export(tmp_path / "exported")
    tasks.bulk_score(
        tmp_path / "exported", IMAGES, tmp_path / "scores", label=2
    )
    np.testing.assert_allclose(
        scores(tmp_path / "scores")["log_prob"],
        labelled.log_prob(IMAGES, labels=2),
        atol=1e-4,
    )
    tasks.bulk_sample(
        str(tmp_path / "exported"), 4, tmp_path / "samples", labels=[0, 1]
    )
    expected = labelled.sample(labels=[0, 1, 0, 1], seed=0, batch_size=4)
    np.testing.assert_array_equal(
        samples(tmp_path / "samples"), expected[..., 0] * 85
    )
    for settings, words in (
        ({"labels": 3}, "ids from 0 to 2"),
        ({}, "ids from 0 to 2"),
        ({"labels": 0, "top_k": 1}, "Received: top_k"),
    ):
        with pytest.raises((ValueError, NotImplementedError), match=words):
            tasks.bulk_sample(
                tmp_path / "exported", 5, tmp_path / "new", **settings
            )


# === What was stopped ===


def test_finished_shards_are_kept(model, tmp_path):
    for call, source, pattern in (
        (tasks.bulk_score, IMAGES, "scores-*"),
        (tasks.bulk_sample, 23, "samples-*"),
    ):
        folder = tmp_path / call.__name__
        call(model, source, folder, shard_size=4)
        shards = sorted(folder.glob(pattern))
        assert len(shards) == 6
        whole = scores(folder) if source is IMAGES else samples(folder)
        times = {path: path.stat().st_ctime_ns for path in shards}
        lost = shards[2]
        if lost.is_dir():
            for path in lost.iterdir():
                path.unlink()
            lost.rmdir()
        else:
            lost.unlink()
        # What `kill` leaves of a file that is written.
        (folder / f".{lost.name}.1.tmp").write_bytes(b"half")
        result = call(model, source, folder, shard_size=4, batch_size=1)
        assert result.num_new == 4
        again = scores(folder) if source is IMAGES else samples(folder)
        for a, b in zip(whole, again, strict=True):
            np.testing.assert_array_equal(a, b)
        assert not list(folder.glob(".*.tmp"))
        changed = [p for p in shards if p.stat().st_ctime_ns != times[p]]
        assert changed == [lost]
        assert call(model, source, folder, shard_size=4).num_new == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shard_size": 4}, "shard_size=4 after 5"),
        ({"seed": 1}, "seed=1 after 0"),
        ({"temperature": 0.5}, r"temperature=0\.5 after 1\.0"),
        ({"num_images": 22}, "num_images=22 after 23"),
    ],
)
def test_other_settings_are_refused(model, tmp_path, settings, words):
    same = {"model": model, "num_images": 23, "shard_size": 5}
    tasks.bulk_sample(to=tmp_path, **same)
    with pytest.raises(ValueError, match=words):
        tasks.bulk_sample(to=tmp_path, **{**same, **settings})


def test_another_model_source_or_task_is_refused(model, labelled, tmp_path):
    folder = tmp_path / "scores"
    tasks.bulk_score(model, IMAGES, folder)
    with pytest.raises(ValueError, match="sha256='.*' after '"):
        tasks.bulk_score(model, IMAGES[::-1], folder)
    with pytest.raises(ValueError, match="label=1 after None"):
        tasks.bulk_score(labelled, IMAGES, folder, label=1)
    with pytest.raises(ValueError, match="task='sample' after 'score'"):
        tasks.bulk_sample(model, 23, folder)
    former = model.get_weights()
    model.set_weights([weight + 0.1 for weight in former])
    try:
        with pytest.raises(ValueError, match="Received: sha256="):
            tasks.bulk_score(model, IMAGES, folder)
    finally:
        model.set_weights(former)


def test_a_folder_of_something_else_is_refused(model, tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(FileExistsError, match="mine.txt"):
        tasks.bulk_score(model, IMAGES, tmp_path)


# === Engines ===


def killed_midway(engine, preset, tmp_path):
    """Kill -9 a run in two workers; return what it had finished."""
    images = np.concatenate([IMAGES] * 20)
    np.save(tmp_path / "images.npy", images)
    folder = tmp_path / "scores"
    environment = {
        **os.environ,
        "PYTHONPATH": str(programs.ROOT),
        "CUDA_VISIBLE_DEVICES": "",
    }
    arguments = (preset, tmp_path / "images.npy", folder, engine)
    process = subprocess.Popen(
        programs.command("score_in_bulk.py", *arguments),
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(list(folder.glob("scores-*"))) < 5:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    # They end by themselves, if need be after their shard.
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []
    return {x: x.stat().st_ctime_ns for x in folder.glob("scores-*")}


def assert_resumed(model, preset, tmp_path, finished):
    images = np.load(tmp_path / "images.npy")
    assert 5 <= len(finished) < len(images)
    result = tasks.bulk_score(
        preset, tmp_path / "images.npy", tmp_path / "scores", shard_size=1
    )
    assert result.num_new == len(images) - len(finished)
    assert {x: x.stat().st_ctime_ns for x in finished} == finished
    np.testing.assert_allclose(
        scores(tmp_path / "scores")["log_prob"],
        model.log_prob(images),
        atol=1e-4,
    )


@pytest.mark.slow
def test_killed_workers_are_resumed(model, preset, tmp_path):
    finished = killed_midway("local", preset, tmp_path)
    assert_resumed(model, preset, tmp_path, finished)


def test_killed_beam_is_resumed(model, preset, tmp_path):
    pytest.importorskip("apache_beam", reason="needs the extra `beam`")
    finished = killed_midway("beam", preset, tmp_path)
    assert_resumed(model, preset, tmp_path, finished)


@pytest.mark.parametrize(
    ("engine", "package"), [("beam", "apache_beam"), ("ray", "ray")]
)
def test_engines_agree(engine, package, model, pictures, tmp_path):
    pytest.importorskip(package, reason=f"needs the extra `{engine}`")
    for name in (engine, "local"):
        result = tasks.bulk_score(
            model,
            pictures,
            tmp_path / name / "scores",
            engine=name,
            shard_size=6,
        )
        assert (result.num_new, result.num_errors) == (23, 1)
        tasks.bulk_sample(
            model, 10, tmp_path / name / "samples", engine=name, shard_size=4
        )
    found, expected = (
        scores(tmp_path / name / "scores") for name in (engine, "local")
    )
    assert_scores(found, model, skip=[7])
    assert (found["id"], found["error"]) == (expected["id"], expected["error"])
    np.testing.assert_array_equal(
        samples(tmp_path / engine / "samples"),
        samples(tmp_path / "local" / "samples"),
    )


def test_an_error_of_a_worker_is_said(preset, tmp_path):
    """The model has become another one since the first process read it."""
    job = bulk_jobs.SampleJob(
        folder=tmp_path,
        model=str(preset),
        sha256="another",
        settings={},
        num_images=2,
        shard_size=1,
        batch_size=1,
    )
    with pytest.raises(ValueError, match="must be done by one model"):
        job.open()

    class Pipe:
        def recv(self):
            return ("failed", "ValueError: too small")

    with pytest.raises(RuntimeError, match="Received: ValueError: too small"):
        bulk_local._answer(Pipe(), None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"engine": "spark"}, "`engine` must be one of"),
        ({"workers": 0}, "`workers` must be"),
        ({"shard_size": 0}, "`shard_size` must be"),
        ({"beam_options": ["--x"]}, "`beam_options` are for Apache Beam"),
        ({"temperature": [1.0, 2.0]}, "`temperature` must be one value"),
        ({"temperature": 0}, "`temperature` must be above 0"),
        ({"seed": None}, "`seed` must be an integer"),
        ({"seed": -1}, "`seed` must be an integer"),
        ({"labels": 1}, "`labels` must be left out"),
        ({"num_images": 0}, "`num_images` must be"),
        ({"to": "gs://bucket/x"}, "on this machine"),
    ],
)
def test_wrong_arguments_are_refused(model, tmp_path, arguments, words):
    known = {"num_images": 3, "to": tmp_path / "new"}
    with pytest.raises(ValueError, match=words):
        tasks.bulk_sample(model, **{**known, **arguments})
    assert not (tmp_path / "new").exists()


def test_something_else_than_a_model_is_refused(tmp_path):
    with pytest.raises(TypeError, match="`model` must be a `PixelModel`"):
        tasks.bulk_score(keras.Sequential(), IMAGES, tmp_path)
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ValueError, match="must be an export of this package"):
        tasks.bulk_score(tmp_path / "exported", IMAGES, tmp_path / "new")


@pytest.mark.parametrize("engine", ["beam", "ray"])
def test_a_missing_engine_names_its_extra(model, tmp_path, monkeypatch, engine):
    package = {"beam": "apache_beam", "ray": "ray.data"}[engine]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"keras-pixel\[{engine}\]"):
        tasks.bulk_sample(model, 3, tmp_path, engine=engine)


# === The commands ===


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    return stop.value.code, capsys.readouterr()


def test_commands(capsys, model, preset, pictures, tmp_path):
    folder = tmp_path / "scores"
    command = ("bulk", "score", preset, pictures, "--to", folder)
    code, shown = run(capsys, *command, "--shard-size", "9", "--json")
    assert code == 0, shown.err
    result = json.loads(shown.out)
    assert (result["num_new"], result["num_errors"]) == (23, 1)
    assert_scores(scores(folder), model, skip=[7])
    code, shown = run(capsys, *command, "--shard-size", "9")
    assert code == 0
    assert re.search(r"\| tiny \| 23 \| 3 \| 0 \|", shown.out)
    code, shown = run(capsys, *command, "--shard-size", "8")
    assert code == 2
    assert "shard_size=8 after 9" in shown.err

    command = ("bulk", "sample", preset, "5", "--to", tmp_path / "samples")
    assert run(capsys, *command, "--seed", "3")[0] == 0
    np.testing.assert_array_equal(
        samples(tmp_path / "samples"), model.sample(5, seed=3)[..., 0] * 85
    )
    for given in (("--", "--runner=x"), ("--beam-options", "--runner=x")):
        code, shown = run(capsys, *command, "--seed", "3", *given)
        assert code == 2
        assert "['--runner=x']" in shown.err
