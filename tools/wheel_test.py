"""Builds the wheel and tries it in an environment of its own.

Source archive -> wheel -> new virtual environment -> smoke test, all in a
temporary folder: nothing left in `build/` can reach the wheel, and the
checkout cannot stand in for it. Dependencies are borrowed from the
environment that runs this file; keras_pixel itself comes from the wheel.

Run it with `make wheel-test`.
"""

import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path | None = None) -> None:
    words = [str(part) for part in command]
    print("$", " ".join(words), flush=True)
    subprocess.run(words, cwd=cwd, check=True)


def check_contents(wheel: Path) -> None:
    """Refuses stray top-level names and missing files of the zoo."""
    files = {name for name in zipfile.ZipFile(wheel).namelist()}
    tops = {name.split("/")[0] for name in files}
    stray = {top for top in tops if not top.endswith(".dist-info")}
    if stray != {"keras_pixel"}:
        raise SystemExit(f"The wheel must hold keras_pixel only. {stray=}")
    wanted = {
        f"keras_pixel/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "zoo").rglob("*")
        if path.is_file()
    }
    if missing := sorted(wanted - files):
        raise SystemExit(f"The wheel lacks files of the zoo. {missing=}")
    print(f"{wheel.name}: {len(files)} files, {len(wanted)} of the zoo")


def make_environment(folder: Path, wheel: Path) -> Path:
    """Returns the Python of a new environment that has the wheel."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel)
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site_packages = subprocess.run(
        [python, "-c", query], check=True, capture_output=True, text=True
    ).stdout.strip()
    # Behind the wheel's own folder on the path. Python does not follow .pth
    # files found this way, so an editable keras_pixel there stays unseen.
    dependencies = Path(site_packages) / "dependencies.pth"
    dependencies.write_text(sysconfig.get_path("purelib") + "\n")
    return python


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        run(sys.executable, "-m", "build", "--outdir", folder / "dist", ROOT)
        (wheel,) = (folder / "dist").glob("*.whl")
        check_contents(wheel)
        python = make_environment(folder / "venv", wheel)
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        smoke_test = ROOT / "tools" / "smoke_test.py"
        # -P: the folder of the script is not put on the path.
        run(python, "-P", smoke_test, cwd=elsewhere)
        run(python.with_name("keras-pixel"), "--help", cwd=elsewhere)
        run(python.with_name("keras-pixel"), "list", cwd=elsewhere)
    print("wheel-test passed")


if __name__ == "__main__":
    main()
