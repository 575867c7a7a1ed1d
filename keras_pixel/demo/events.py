"""What happens on the page of `keras-pixel demo`: clicks and their errors."""

import html
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from keras_pixel.demo import actions


def on_click(
    gr: Any,
    button: Any,
    action: Callable[..., Iterator[tuple[Any, ...]]],
    inputs: list[Any],
    outputs: list[Any],
) -> None:
    """Let a button run an action that yields the outputs again and again.

    `None` in place of an output leaves what is there.
    """

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


def on_select(
    gr: Any,
    gallery: Any,
    use: Callable[[str, Any], Any],
    preset: Any,
    output: Any,
) -> None:
    """Let an example that is chosen from a gallery fill a field."""

    def run(name: str, event: Any) -> Any:
        return told(gr, use)(name, event)

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


def told(gr: Any, function: Callable[..., Any]) -> Callable[..., Any]:
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
