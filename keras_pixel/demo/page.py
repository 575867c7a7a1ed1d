"""The page of `keras-pixel demo`: what lies where."""

from typing import Any

from keras_pixel.demo import actions
from keras_pixel.demo import pictures
from keras_pixel.demo.events import on_click
from keras_pixel.demo.events import on_select
from keras_pixel.demo.events import told
from keras_pixel.demo.shelf import Shelf

# Clicks that wait for the model at once; further ones are told to come back.
_LONGEST_QUEUE = 16
# Pixels are squares, however small an image is; examples are one row.
CSS = """
.pixels img { image-rendering: pixelated; }
.examples .grid-container {
  grid-template: auto / repeat(8, minmax(0, 1fr)) !important;
  grid-auto-rows: auto !important;
}
"""


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
            found["editor"] = _in_editor(shelf, name, 0)
            for field in ("sample_words", "complete_words", "score_words"):
                found[field] = ""
            for field in ("complete_examples", "score_examples"):
                found[field] = _gallery(shelf, name)
            return {fields[field]: value for field, value in found.items()}

        preset.change(
            told(gr, choose),
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
            samples = _result(gr, "samples", 460)
            words = gr.Markdown(elem_id="sample-words")
    on_click(
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
                _in_editor(shelf, shelf.names[0], 0),
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
            completions = _result(gr, "completions", 460)
            words = gr.Markdown(elem_id="complete-words")

    def use(name: str, event: Any) -> dict[str, Any]:
        return _in_editor(shelf, name, event.index)

    on_select(gr, examples, use, preset, editor)
    on_click(
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
                seen, heat = (_result(gr, x, 500) for x in ("seen", "heat"))

    def use(name: str, event: Any) -> Any:
        return _enlarged(shelf, name, event.index)

    on_select(gr, examples, use, preset, picture)
    on_click(
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


def _result(gr: Any, name: str, height: int) -> Any:
    """A picture that can be downloaded."""
    return gr.Image(
        show_label=False,
        format="png",
        height=height,
        interactive=False,
        buttons=["download"],
        elem_id=name,
    )


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


def _in_editor(shelf: Shelf, name: str, index: int) -> dict[str, Any]:
    """An example as the value of an image editor."""
    canvas = pictures.on_canvas(_enlarged(shelf, name, index))
    return {"background": canvas, "layers": [], "composite": canvas}


def _enlarged(shelf: Shelf, name: str, index: int) -> Any:
    image = shelf.examples(name)[index]
    return pictures.enlarge(image, shelf.card(name).num_levels)
