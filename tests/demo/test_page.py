"""The page in a browser: sample, complete, score, and errors."""

import base64
import gc
import io
import warnings

import numpy as np
import pytest
from PIL import Image

from keras_pixel.demo import pictures
from keras_pixel.demo.shelf import Shelf
from tests.support.browser import new_tab

with warnings.catch_warnings():
    # Gradio's own, which depend on what is installed beside it.
    warnings.simplefilter("ignore")
    pytest.importorskip("gradio", reason="needs the extra demo")

pytestmark = pytest.mark.filterwarnings("default")

SECONDS = 1000  # of milliseconds


@pytest.fixture(scope="module")
def address(plain_preset, class_preset):
    from keras_pixel.demo import page

    with page.serve(Shelf([plain_preset, class_preset])) as address:
        yield address
    with warnings.catch_warnings():
        # What gradio has not closed is found here, not in a later test.
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture
def tab(address):
    with new_tab() as tab:
        tab.set_default_timeout(180 * SECONDS)
        tab.asked = []
        tab.problems = []
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.on("pageerror", lambda error: tab.problems.append(str(error)))
        tab.goto(address)
        tab.get_by_role("button", name="Sample").wait_for()
        yield tab
        # Everything comes from the page's own server.
        own = (address, "data:", "blob:")
        assert [url for url in tab.asked if not url.startswith(own)] == []
        assert tab.problems == []


def open_tab(tab, name):
    tab.get_by_role("tab", name=name).click()
    tab.get_by_role("button", name=name, exact=True).wait_for()


def wait_for_words(tab, where, words):
    tab.locator(f"#{where}").get_by_text(words).first.wait_for()
    return tab.locator(f"#{where}").inner_text()


def shown_picture(tab, where):
    """The picture in a field, as an array."""
    image = tab.locator(f"#{where} img")
    image.wait_for()
    data = tab.evaluate(
        """async (image) => {
            const blob = await (await fetch(image.src)).blob();
            const bytes = new Uint8Array(await blob.arrayBuffer());
            return btoa(String.fromCharCode(...bytes));
        }""",
        image.element_handle(),
    )
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    return np.asarray(picture.convert("RGB"))


def wait_until_drawn(tab, before=None):
    """Wait until the canvas has another picture than before, and keeps it."""
    canvas = tab.locator("#editor canvas").last
    canvas.wait_for()
    last = None
    for _ in range(120):
        tab.wait_for_timeout(SECONDS / 2)
        now = canvas.screenshot()
        if now == last and now != before:
            return now
        last = now
    pytest.fail("nothing appears on the canvas")


def message(tab):
    return tab.get_by_test_id("toast-body").first.inner_text()


def test_samples_are_shown(tab, address, plain_preset):
    tab.get_by_label("Seed").first.fill("7")
    tab.get_by_role("button", name="Sample").click()
    assert wait_for_words(tab, "sample-words", "seconds").startswith("Seed 7")
    tab.wait_for_timeout(500)
    images = Shelf([plain_preset]).model(plain_preset).sample(4, seed=7)
    everything = np.ones(images.shape[:3], bool)
    expected = pictures.draw_sheet(images, everything, 4)
    np.testing.assert_array_equal(
        shown_picture(tab, "samples"), np.asarray(expected)
    )


def test_marked_part_of_an_upload_is_completed(tab, tmp_path):
    open_tab(tab, "Complete")
    image = np.random.default_rng(1).integers(4, size=(4, 6, 1))
    path = tmp_path / "upload.png"
    canvas = pictures.enlarge(image, 4)
    opaque = Image.fromarray(canvas).getchannel("A").getbbox()
    Image.fromarray(canvas).crop(opaque).convert("RGB").save(path)
    before = wait_until_drawn(tab)
    tab.locator("#editor input[type=file]").set_input_files(path)
    before = wait_until_drawn(tab, before)
    tab.locator("#editor").get_by_label("Brush").first.click()
    box = tab.locator("#editor canvas").last.bounding_box()
    middle = box["y"] + box["height"] / 2
    # A stroke across the picture, below its middle.
    tab.mouse.move(box["x"] + 60, middle + 70)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] - 60, middle + 70, steps=10)
    tab.mouse.up()
    wait_until_drawn(tab, before)
    tab.get_by_role("button", name="Complete").click()
    wait_for_words(tab, "complete-words", "3 completions")
    tab.wait_for_timeout(500)
    sheet = shown_picture(tab, "completions")
    # Four images in two columns: what is kept, and three completions.
    step = (sheet.shape[0] - 6) // 8
    cells = [
        sheet[top : top + 4 * step : step, left : left + 6 * step : step]
        for top in (2, 4 + 4 * step)
        for left in (2, 4 + 6 * step)
    ]
    given = pictures.to_rgb(image[None], 4)[0]
    is_marked = (cells[0] == pictures._UNDRAWN).all(axis=-1)
    assert is_marked[2:].sum() >= 4
    assert not is_marked[:2].any()
    for cell in cells:
        np.testing.assert_array_equal(cell[~is_marked], given[~is_marked])
    assert not (cells[1] == pictures._UNDRAWN).all(axis=-1).any()


def test_an_upload_is_scored_and_what_became_of_it_is_said(tab, tmp_path):
    open_tab(tab, "Score")
    path = tmp_path / "upload.png"
    Image.fromarray(np.full((90, 90, 3), 100, "uint8")).save(path)
    tab.locator("#picture input[type=file]").set_input_files(path)
    tab.locator("#picture img").wait_for()
    tab.get_by_role("button", name="Score").click()
    words = wait_for_words(tab, "score-words", "bits/dim")
    assert "The picture has 90×90 pixels." in words
    assert "6×4 pixels, in grey of 4 levels" in words
    tab.wait_for_timeout(500)
    # Level 1 of 0 to 3.
    assert (shown_picture(tab, "seen")[2:-2, 2:-2] == 85).all()
    assert shown_picture(tab, "heat").shape[1] == 74 * 6


def test_errors_are_short_messages(tab):
    tab.get_by_label("Seed").first.fill("<b>x")
    tab.get_by_role("button", name="Sample").click()
    words = message(tab)
    assert "The seed must be a whole number" in words
    assert "'<b>x'" in words
    assert "Traceback" not in words
    open_tab(tab, "Score")
    tab.get_by_role("button", name="Score").click()
    tab.get_by_text("Choose an example or upload one").wait_for()


def test_fields_follow_the_model(tab, class_preset):
    assert not tab.get_by_label("Guidance").first.is_visible()
    tab.locator("#preset input").click()
    tab.get_by_role("option", name=class_preset).click()
    tab.locator("#about").get_by_text("4×4×3").wait_for()
    tab.get_by_label("Guidance").first.wait_for()
    tab.get_by_label("Class").first.click()
    names = tab.get_by_role("option").all_inner_texts()
    assert [name.strip("✓ \n") for name in names] == [
        "all classes in turn",
        "any class",
        "cat",
        "dog",
        "eel",
    ]
