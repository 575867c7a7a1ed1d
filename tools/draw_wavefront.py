"""Draws docs/wavefront.svg: which pixels a step draws, and in which lanes.

    python -m tools.draw_wavefront

Run it from the root of a checkout after a change of `Schedule`, whose numbers
it draws. `--check` writes nothing and fails if the figure is not up to date.
"""

import argparse

import numpy as np

from keras_pixel.sampling.schedule import Schedule
from tools import cards

PATH = cards.ROOT / "docs" / "wavefront.svg"
HEIGHT, WIDTH, LAG = 6, 8, 2
# The step that is shown, and the pixel whose 3×3 kernel is outlined.
TIME, PIXEL = 8, (2, 4)
TAPS = ((1, -1), (1, 0), (1, 1), (0, -1))
CELL, STEP, BAR = 34, 24, 26
PAST, NOW, LATER = "#c9d8ec", "#f2a541", "#ffffff"
IMAGES = ("#a9c4e4", "#b9dcc0")


def text() -> str:
    """The figure as the file has it."""
    body = [
        *_grid(40, 70, None, "Raster order: one pixel a step"),
        *_grid(460, 70, LAG, "Wavefront of lag 2: up to four pixels a step"),
        *_lanes(40, 360),
    ]
    size = 'width="820" height="500" viewBox="0 0 820 500"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        'font-family="sans-serif" font-size="13" fill="#222222">'
    )
    background = '<rect width="820" height="500" fill="#ffffff"/>'
    return "\n".join([head, background, *body, "</svg>"]) + "\n"


def _grid(left: float, top: float, lag: int | None, title: str) -> list[str]:
    """The times of all pixels, and what one step draws."""
    schedule = Schedule((HEIGHT, WIDTH, 1), 1, lag)
    times = np.asarray(schedule.images(_times(schedule)))[0, ..., 0]
    now = TIME if lag else int(times[PIXEL])
    drawn = [_words(left, top - 40, title, weight="bold")]
    steps = f"{schedule.num_steps} steps. Numbers are times; orange is step"
    drawn.append(_words(left, top - 20, f"{steps} {now}."))
    for row in range(HEIGHT):
        for column in range(WIDTH):
            time = int(times[row, column])
            colour = NOW if time == now else PAST if time < now else LATER
            x, y = left + CELL * column, top + CELL * row
            drawn.append(_box(x, y, CELL, CELL, colour))
            drawn.append(_words(x + CELL / 2, y + 22, time, anchor="middle"))
        lane = f"lane {row % schedule.grid.lanes}"
        drawn.append(
            _words(left + CELL * WIDTH + 8, top + CELL * row + 22, lane)
        )
    for above, right in TAPS:
        x = left + CELL * (PIXEL[1] + right)
        y = top + CELL * (PIXEL[0] - above)
        drawn.append(
            f'<rect x="{x + 3}" y="{y + 3}" width="{CELL - 6}" '
            f'height="{CELL - 6}" fill="none" stroke="#b03a2e" '
            'stroke-width="2"/>'
        )
    return drawn


def _times(schedule: Schedule) -> np.ndarray:
    """The time of each step in each lane, `(num_steps, lanes, batch, 1)`."""
    time = np.arange(schedule.num_steps, dtype="int32")
    shape = (schedule.num_steps, schedule.grid.lanes, 1, 1)
    return np.broadcast_to(time[:, None, None, None], shape)


def _lanes(left: float, top: float) -> list[str]:
    """Which row of which image each lane draws, step by step."""
    # So many images that two follow one another in the lanes.
    schedule = Schedule((HEIGHT, WIDTH, 1), 128, LAG)
    places = {k: np.asarray(x) for k, x in schedule.grid.places.items()}
    title = "Two images stacked in four lanes: image A, then image B"
    steps = f"{schedule.num_steps} steps. A lane that has finished a row takes "
    steps += f"the one {schedule.grid.lanes} below it."
    drawn = [_words(left, top - 34, title, weight="bold")]
    drawn.append(_words(left, top - 14, steps))
    for lane in range(schedule.grid.lanes):
        y = top + BAR * lane
        drawn.append(_words(left, y + 18, f"lane {lane}"))
        begins = places["is_pixel"][:, lane] & (places["column"][:, lane] == 0)
        for step in map(int, np.flatnonzero(begins)):
            image, row = (
                int(places[name][step, lane]) for name in ("image", "row")
            )
            x = left + 54 + STEP * step
            drawn.append(_box(x, y, STEP * WIDTH, BAR, IMAGES[image]))
            label = f"{'AB'[image]}, row {row}"
            drawn.append(
                _words(x + STEP * WIDTH / 2, y + 18, label, anchor="middle")
            )
    y = top + BAR * schedule.grid.lanes + 18
    for step in range(0, schedule.num_steps, 4):
        x = left + 54 + STEP * (step + 0.5)
        drawn.append(_words(x, y, step, anchor="middle"))
    drawn.append(_words(left, y, "step"))
    return drawn


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" '
        f'fill="{colour}" stroke="#777777"/>'
    )


def _words(
    x: float,
    y: float,
    words: object,
    anchor: str = "start",
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{words}</text>'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PATH.write_text(text(), encoding="utf-8")
    elif PATH.read_text(encoding="utf-8") != text():
        parser.error(f"{PATH} is not up to date. Run it without --check.")


if __name__ == "__main__":
    main()
