"""The example clients against the development server."""

import csv
import importlib
import pathlib
import socket
import subprocess

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures import png_of_16_bits
from tests.support.programs import command

CLIENTS = pathlib.Path(__file__).parents[2] / "export" / "clients"
pytest.importorskip("requests", reason="needs the extra serve")
pytest.importorskip("grpc", reason="needs the extra serve")


@pytest.fixture(params=["rest", "grpc"])
def run(request, server, monkeypatch):
    """Runs a client's command line."""
    monkeypatch.syspath_prepend(str(CLIENTS))
    pictures = importlib.import_module("pictures")
    module = importlib.import_module(f"{request.param}_client")
    if request.param == "rest":
        client, address = module.RestClient, address_of(server)
    else:
        client, address = module.GrpcClient, f"127.0.0.1:{server.grpc_port}"

    def run(*words, address=address):
        arguments = [*words, "--server", address, "--model", "tiny"]
        pictures.run(client, address, arguments)

    run.scheme = address.rpartition("127")[0]

    return run


def address_of(server):
    return f"http://127.0.0.1:{server.rest_port}"


@pytest.fixture
def folder(tmp_path):
    """Three pictures of the model's size, and one of another."""
    random = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for name in ("a", "b", "c"):
        values = random.integers(256, size=(4, 5)).astype("uint8")
        Image.fromarray(values).save(tmp_path / "pictures" / f"{name}.png")
    values = random.integers(256, size=(9, 9, 3)).astype("uint8")
    Image.fromarray(values).save(tmp_path / "pictures" / "d.jpg")
    return tmp_path / "pictures"


def levels_of(path):
    return np.asarray(Image.open(path)).astype("int32") * 4 // 256


def test_score(run, folder, model, capsys):
    run("score", str(folder), "--batch-size", "2")
    header, *rows = csv.reader(capsys.readouterr().out.splitlines())
    assert header == ["file", "log_prob", "bits_per_dim"]
    assert [pathlib.Path(row[0]).name for row in rows] == [
        *("a.png", "b.png", "c.png", "d.jpg")
    ]
    images = np.stack([levels_of(row[0]) for row in rows[:3]])[..., None]
    np.testing.assert_allclose(
        [float(row[1]) for row in rows[:3]], model.log_prob(images), 1e-5
    )
    np.testing.assert_allclose(
        [float(row[2]) for row in rows[:3]], model.bits_per_dim(images), 1e-5
    )


def test_sample(run, tmp_path):
    run(
        "sample", "--count", "3", "--batch-size", "2", "--output", str(tmp_path)
    )
    found = sorted(tmp_path.iterdir())
    assert [path.name for path in found] == [f"0000{i}.png" for i in range(3)]
    together = np.stack([np.asarray(Image.open(path)) for path in found])
    assert together.shape == (3, 4, 5)
    assert set(np.unique(together)) <= {0, 85, 170, 255}
    # The same seed gives the same image, whatever it came with.
    run(
        "sample", "--count", "1", "--seed", "2", "--output", str(tmp_path / "x")
    )
    alone = np.asarray(Image.open(tmp_path / "x" / "00002.png"))
    np.testing.assert_array_equal(alone, together[2])


def test_complete(run, folder, tmp_path):
    output = tmp_path / "out"
    run("complete", str(folder), "--keep", "0.5", "--output", str(output))
    assert len(list(output.iterdir())) == 4
    np.testing.assert_array_equal(
        levels_of(output / "00000.png")[:2], levels_of(folder / "a.png")[:2]
    )


def test_version_is_asked_for(run, tmp_path):
    run("sample", "--count", "1", "--version", "1", "--output", str(tmp_path))
    with pytest.raises(SystemExit, match="must be one of .1."):
        run("sample", "--version", "7", "--output", str(tmp_path))


def test_error_of_the_server_is_shown(run, tmp_path):
    with pytest.raises(SystemExit, match="at most 8 rows. Received: 9 rows"):
        run("sample", "--count", "9", "--output", str(tmp_path))


def test_folder_without_pictures_is_named(run, tmp_path):
    with pytest.raises(SystemExit, match="no pictures in"):
        run("score", str(tmp_path))


def test_unreadable_picture_is_named(run, folder):
    (folder / "a.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit, match="whole image file.*a.png.*Leave it"):
        run("score", str(folder))
    Image.new("L", (50, 50)).save(folder / "a.png")
    whole = (folder / "a.png").read_bytes()
    (folder / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit, match="whole image file.*a.png"):
        run("complete", str(folder))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("deep.png", "not of 8 bits a channel"),
        ("deep_rgb.png", "of 16 bits a channel"),
        ("clear.png", "partly transparent"),
        ("film.gif", "an animation of 2 pictures"),
    ],
)
def test_picture_whose_values_mean_another_is_refused(
    run, tmp_path, name, words
):
    picture = Image.fromarray(np.full((4, 5), 3000, "uint16"))
    if name == "clear.png":
        picture = Image.new("RGBA", (5, 4), (60, 60, 60, 0))
    others = [Image.new("L", (5, 4), 9)] if name == "film.gif" else []
    if others:
        picture = Image.new("L", (5, 4), 200)
    more = {"append_images": others, "save_all": True} if others else {}
    picture.save(tmp_path / name, **more)
    if name == "deep_rgb.png":
        (tmp_path / name).write_bytes(png_of_16_bits())
    with pytest.raises(SystemExit, match=f"{name}.*{words}"):
        run("score", str(tmp_path))


def test_server_that_does_not_answer_is_named(run):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"{run.scheme}127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(SystemExit, match=f"`--server`.*{address}.*Start"):
            run("sample", address=address)


def test_output_that_cannot_be_written_is_named(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="Error: .*file"):
        run("sample", "--count", "1", "--output", str(tmp_path / "file"))


@pytest.mark.parametrize(
    "words",
    [
        ["--batch-size", "0"],
        ["--count", "0"],
        ["--seed", "-1"],
        ["--seed", str(2**31)],
        ["--temperature", "nan"],
        ["--timeout", "0"],
        ["--version", "0"],
    ],
)
def test_number_out_of_range_is_refused(run, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        run("sample", *words)
    assert stopped.value.code == 2
    assert "must be at least" in capsys.readouterr().err


def test_rest_client_needs_requests_and_pillow_alone(server, tmp_path):
    subprocess.run(
        [
            *command("run_light_script.py", CLIENTS / "rest_client.py"),
            *("sample", "--count", "2", "--output", str(tmp_path)),
            *("--server", address_of(server), "--model", "tiny"),
        ],
        check=True,
        timeout=120,
        env={"PATH": "", "PYTHONPATH": str(CLIENTS)},
    )
    assert len(list(tmp_path.iterdir())) == 2
