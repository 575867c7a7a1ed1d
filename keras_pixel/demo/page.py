"""The page of `keras-pixel demo`: its layout, and its server."""

import contextlib
import html
import os
import socket
import tempfile
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from keras_pixel.demo import actions
from keras_pixel.demo import pictures
from keras_pixel.demo.shelf import Shelf

# Clicks that wait for the model at once; further ones are told to come back.
_LONGEST_QUEUE = 16
# Pixels are squares, however small an image is; examples are one row.
_CSS = """
.pixels img { image-rendering: pixelated; }
.examples .grid-container {
  grid-template: auto / repeat(8, minmax(0, 1fr)) !important;
  grid-auto-rows: auto !important;
}
"""


@contextlib.contextmanager
def serve(
    shelf: Shelf, host: str = "127.0.0.1", port: int = 0
) -> Iterator[str]:
    """Serve the page until the context ends.

    Nothing leaves the machine: no telemetry, no fonts or scripts of others.
    What is uploaded lies in a folder that is deleted at the end.

    Args:
        shelf: `Shelf` of the models to choose from.
        host: str, the address to listen on. Defaults to `"127.0.0.1"`, which
            only this machine reaches.
        port: int, or 0 for any free one. Defaults to `0`.

    Yields:
        The address of the page, a string.

    Raises:
        ImportError: if gradio is not installed.
        OSError: if the address is taken or not one of this machine.
    """
    port = _free_port(host, port)
    gr = _import_gradio()
    with tempfile.TemporaryDirectory(prefix="keras_pixel_demo_") as folder:
        with _environment(GRADIO_TEMP_DIR=folder), _small_pictures():
            blocks = build(shelf, gr)
            try:
                blocks.launch(
                    server_name=host,
                    server_port=port,
                    share=False,
                    quiet=True,
                    prevent_thread_lock=True,
                    max_file_size=pictures.MOST_BYTES,
                    ssr_mode=False,
                    enable_monitoring=False,
                    run_history=False,
                    footer_links=[],
                    css=_CSS,
                )
                shown = f"[{host}]" if ":" in host else host
                yield f"http://{shown}:{port}/"
            finally:
                blocks.close(verbose=False)


def build(shelf: Shelf, gr: Any) -> Any:
    """Lay out the page, as `gradio.Blocks`.

    Args:
        shelf: `Shelf` of the models to choose from.
        gr: the module `gradio`.
    """
    name = shelf.names[0]
    card = shelf.card(name)
    blocks = gr.Blocks(
        title="keras_pixel",
        analytics_enabled=False,
        # Seconds between two looks, and of age: uploads are not kept.
        delete_cache=(600, 3600),
    )
    with blocks:
        with gr.Row(equal_height=True):
            preset = gr.Dropdown(
                shelf.names, value=name, label="Model", elem_id="preset"
            )
            about = gr.Markdown(card.summary, elem_id="about")
        with gr.Tab("Sample", id="sample"):
            sampling = _sample_tab(gr, shelf, preset)
        with gr.Tab("Complete", id="complete"):
            completing = _complete_tab(gr, shelf, preset)
        with gr.Tab("Score", id="score"):
            scoring = _score_tab(gr, shelf, preset)
        fields = {
            **sampling,
            **completing,
            **scoring,
            "about": about,
        }

        def choose(name: str) -> dict[Any, Any]:
            card = shelf.card(name)
            found: dict[str, Any] = {"about": card.summary}
            for tab, several in (
                ("sample", True),
                ("complete", False),
                ("score", False),
            ):
                choices = actions.class_choices(card, several)
                found[f"{tab}_class"] = gr.update(
                    choices=choices,
                    value=choices[0] if choices else None,
                    visible=bool(choices),
                )
            for tab in ("sample", "complete"):
                found[f"{tab}_guidance"] = gr.update(
                    value=1, visible=card.can_do_without
                )
            # Pictures of another model would be scaled to this one's size.
            for field in ("samples", "completions", "picture", "seen", "heat"):
                found[field] = None
            found["editor"] = _on_canvas(shelf, name, 0)
            for field in ("sample_words", "complete_words", "score_words"):
                found[field] = ""
            for field in ("complete_examples", "score_examples"):
                found[field] = _gallery(shelf, name)
            return {fields[field]: value for field, value in found.items()}

        preset.change(
            _told(gr, choose),
            preset,
            list(fields.values()),
            show_progress="hidden",
            queue=False,
            api_visibility="private",
        )
    blocks.queue(max_size=_LONGEST_QUEUE, default_concurrency_limit=1)
    return blocks


def _sample_tab(gr: Any, shelf: Shelf, preset: Any) -> dict[str, Any]:
    with gr.Row():
        with gr.Column(scale=1):
            label, guidance = _condition_fields(gr, shelf, several=True)
            count = gr.Slider(1, actions.MOST_IMAGES, 4, step=1, label="Images")
            temperature, seed = _drawing_fields(gr)
            button = gr.Button("Sample", variant="primary")
        with gr.Column(scale=2):
            samples = gr.Image(
                show_label=False,
                format="png",
                height=460,
                interactive=False,
                buttons=["download"],
                elem_id="samples",
            )
            words = gr.Markdown(elem_id="sample-words")
    _on_click(
        gr,
        button,
        lambda *fields: actions.sample(shelf, *fields),
        [preset, count, seed, temperature, label, guidance],
        [samples, words],
    )
    return {
        "sample_class": label,
        "sample_guidance": guidance,
        "samples": samples,
        "sample_words": words,
    }


def _complete_tab(gr: Any, shelf: Shelf, preset: Any) -> dict[str, Any]:
    side = pictures.CANVAS
    with gr.Row():
        with gr.Column(scale=1):
            examples = _examples(gr, shelf)
            gr.Markdown(
                "Choose one of the model's own samples or the black canvas, or "
                "upload a picture; draw on it in any colour. Then paint **in "
                "red** what is to be redrawn."
            )
            editor = gr.ImageEditor(
                _on_canvas(shelf, shelf.names[0], 0),
                label="Picture",
                type="numpy",
                image_mode="RGBA",
                sources=["upload", "clipboard"],
                transforms=(),
                layers=False,
                canvas_size=(side, side),
                fixed_canvas=True,
                height=side + 120,
                brush=gr.Brush(
                    default_size=48,
                    colors=[pictures.MASK_COLOUR, *pictures.DRAWING_COLOURS],
                    default_color=pictures.MASK_COLOUR,
                    color_mode="fixed",
                ),
                eraser=gr.Eraser(default_size=48),
                format="png",
                buttons=[],
                elem_id="editor",
            )
        with gr.Column(scale=1):
            label, guidance = _condition_fields(gr, shelf)
            count = gr.Slider(
                1, actions.MOST_VARIANTS, 3, step=1, label="Variants"
            )
            fits_all = gr.Checkbox(
                False,
                label="Fit all that is known",
                info="Also what comes after a pixel, below or to its right. "
                "Takes longer.",
            )
            temperature, seed = _drawing_fields(gr)
            button = gr.Button("Complete", variant="primary")
            completions = gr.Image(
                show_label=False,
                format="png",
                height=460,
                interactive=False,
                buttons=["download"],
                elem_id="completions",
            )
            words = gr.Markdown(elem_id="complete-words")

    def use(name: str, event: Any) -> dict[str, Any]:
        return _on_canvas(shelf, name, event.index)

    _on_select(gr, examples, use, preset, editor)
    _on_click(
        gr,
        button,
        lambda *fields: actions.complete(shelf, *fields),
        [
            preset,
            editor,
            count,
            seed,
            temperature,
            label,
            guidance,
            fits_all,
        ],
        [completions, words],
    )
    return {
        "complete_examples": examples,
        "editor": editor,
        "complete_class": label,
        "complete_guidance": guidance,
        "completions": completions,
        "complete_words": words,
    }


def _score_tab(gr: Any, shelf: Shelf, preset: Any) -> dict[str, Any]:
    with gr.Row():
        with gr.Column(scale=1):
            examples = _examples(gr, shelf)
            picture = gr.Image(
                show_label=False,
                type="filepath",
                # As it was uploaded: checked before it is decoded.
                image_mode=None,
                format="png",
                sources=["upload", "clipboard"],
                height=300,
                buttons=[],
                elem_id="picture",
                elem_classes="pixels",
            )
            label, _ = _condition_fields(gr, shelf, with_guidance=False)
            button = gr.Button("Score", variant="primary")
        with gr.Column(scale=2):
            words = gr.Markdown(elem_id="score-words")
            with gr.Row():
                seen, heat = (
                    gr.Image(
                        show_label=False,
                        format="png",
                        height=500,
                        interactive=False,
                        buttons=["download"],
                        elem_id=key,
                    )
                    for key in ("seen", "heat")
                )

    def use(name: str, event: Any) -> Any:
        return _on_canvas(shelf, name, event.index)["composite"]

    _on_select(gr, examples, use, preset, picture)
    _on_click(
        gr,
        button,
        lambda *fields: actions.score(shelf, *fields),
        [preset, picture, label],
        [seen, heat, words],
    )
    return {
        "score_examples": examples,
        "picture": picture,
        "score_class": label,
        "seen": seen,
        "heat": heat,
        "score_words": words,
    }


def _condition_fields(
    gr: Any, shelf: Shelf, several: bool = False, with_guidance: bool = True
) -> tuple[Any, Any]:
    """Fields of the class and of guidance, shown where the model has them."""
    card = shelf.card(shelf.names[0])
    choices = actions.class_choices(card, several)
    label = gr.Dropdown(
        choices,
        value=choices[0] if choices else None,
        label="Class",
        visible=bool(choices),
    )
    if not with_guidance:
        return label, None
    guidance = gr.Slider(
        1,
        actions.MOST_GUIDANCE,
        1,
        step=0.25,
        label="Guidance",
        info="Above 1: exaggerates what the class changes.",
        visible=card.can_do_without,
    )
    return label, guidance


def _drawing_fields(gr: Any) -> tuple[Any, Any]:
    least, most = actions.TEMPERATURES
    temperature = gr.Slider(
        least,
        most,
        1,
        step=0.05,
        label="Temperature",
        info="Below 1: more probable images; above 1: wilder ones.",
    )
    # A field of numbers cannot be empty.
    seed = gr.Textbox(label="Seed", placeholder="a new one each time")
    return temperature, seed


def _examples(gr: Any, shelf: Shelf) -> Any:
    return gr.Gallery(
        _gallery(shelf, shelf.names[0]),
        label="Examples",
        show_label=False,
        format="png",
        columns=8,
        rows=1,
        height=90,
        allow_preview=False,
        interactive=False,
        buttons=[],
        object_fit="contain",
        elem_classes=["pixels", "examples"],
    )


def _gallery(shelf: Shelf, name: str) -> list[Any]:
    images = shelf.examples(name)
    rgb = pictures.to_rgb(images, shelf.card(name).num_levels)
    return list(rgb.repeat(3, axis=1).repeat(3, axis=2))


def _on_canvas(shelf: Shelf, name: str, index: int) -> dict[str, Any]:
    """An example as the value of an image editor."""
    image = shelf.examples(name)[index]
    canvas = pictures.enlarge(image, shelf.card(name).num_levels)
    return {"background": canvas, "layers": [], "composite": canvas}


def _on_click(
    gr: Any,
    button: Any,
    action: Callable[..., Iterator[tuple[Any, ...]]],
    inputs: list[Any],
    outputs: list[Any],
) -> None:
    def run(*fields: Any) -> Iterator[tuple[Any, ...]]:
        try:
            for found in action(*fields):
                yield tuple(gr.skip() if x is None else x for x in found)
        except Exception as error:
            raise _page_error(gr, error) from None

    button.click(
        run,
        inputs,
        outputs,
        show_progress="minimal",
        show_progress_on=outputs[-1],
        # One at a time, whatever the tab: a model takes all cores.
        concurrency_id="model",
        concurrency_limit=1,
        api_visibility="private",
    )


def _on_select(
    gr: Any,
    gallery: Any,
    use: Callable[[str, Any], Any],
    preset: Any,
    output: Any,
) -> None:
    def run(name: str, event: Any) -> Any:
        return _told(gr, use)(name, event)

    # gradio gives what was selected to the argument of this type.
    run.__annotations__["event"] = gr.SelectData
    gallery.select(
        run,
        preset,
        output,
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )


def _told(gr: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose errors become messages on the page."""

    def run(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            raise _page_error(gr, error) from None

    return run


def _page_error(gr: Any, error: Exception) -> Exception:
    # gradio shows messages as HTML.
    words = html.escape(actions.in_words(error), quote=False)
    return gr.Error(words, duration=15, print_exception=False)


def _import_gradio() -> Any:
    # gradio reads it when it is imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        import gradio
    except ImportError as error:
        raise ImportError(
            "The page needs gradio. Received: no such package. Install it with "
            '`pip install "keras-pixel[demo]"`.'
        ) from error
    return gradio


def _free_port(host: str, port: int) -> int:
    """The port, or any free one for 0.

    Raises:
        OSError: if it is taken, or the address not one of this machine.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return probe.getsockname()[1]
    except OSError as error:
        raise OSError(
            "The page needs a free port at an address of this machine. "
            f"Received: host={host!r}, port={port}: {error.strerror or error}. "
            "Give another --port (0: any free one) or --host."
        ) from error


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    former = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _small_pictures() -> Iterator[None]:
    """Let Pillow refuse to decode pictures that are too large.

    The editor's are decoded before any function of the page sees them.
    """
    from PIL import Image

    former = Image.MAX_IMAGE_PIXELS
    # Pillow warns above this number and refuses above twice of it.
    Image.MAX_IMAGE_PIXELS = pictures.MOST_PIXELS // 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = former
