"""Times the full Image Transformer beside Hugging Face's ImageGPT.

    pip install ".[benchmark]"
    python -m benchmarks.image_gpt

Same depth, width, heads and sequence: one token a sub-pixel. With a lag, pixels
of one time of the wavefront do not see each other, and are drawn together.
ImageGPT runs in PyTorch, in eager mode as users run it, and samples with its
cache of keys and values (`generate(use_cache=True)`). Both in float32, weights
at random: only time is measured. Each row runs in a process of its own.
"""

import argparse
import json
import time

from benchmarks.tables import best_seconds
from benchmarks.tables import markdown
from benchmarks.tables import run_row
from benchmarks.tables import write_section

MODULE = "benchmarks.image_gpt"
NUM_LEVELS = 16
HEADER = [
    "model",
    "parameters",
    "batch",
    "scoring, s",
    "sampling, s",
    "sampling / scoring",
    "images/s sampled",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-sizes", default="1,16,64")
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--num-layers", type=int, default=6)
    parser.add_argument("--hidden-dim", type=int, default=128)
    parser.add_argument("--num-heads", type=int, default=4)
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--timeout", type=int, default=1200, help="s a row")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        row = json.loads(arguments.row)
        who = row.pop("who")
        if who == "theirs":
            print(json.dumps(theirs(**row)))
        else:
            lag = 2 if who == "lagged" else None
            print(json.dumps(ours(**row, lag=lag)))
        return
    size = {
        "side": arguments.side,
        "num_layers": arguments.num_layers,
        "hidden_dim": arguments.hidden_dim,
        "num_heads": arguments.num_heads,
    }
    names = {
        "ours": "keras_pixel ImageTransformer, full attention",
        "lagged": "keras_pixel ImageTransformer, full attention, lag 2",
        "theirs": "transformers ImageGPT, cached",
    }
    lines, sampling, scoring = [], {}, {}
    for batch_size in [int(n) for n in arguments.batch_sizes.split(",")]:
        for who, name in names.items():
            row = {"who": who, "batch_size": batch_size, **size}
            result = run_row(MODULE, row, arguments.timeout)
            if "error" in result:
                rest = [str(batch_size), result["error"], "-", "-", "-"]
                lines.append([name, "-", *rest])
                continue
            lines.append(_line(name, batch_size, result))
            sampling[who, batch_size] = result["sampling"]
            scoring[who, batch_size] = result["scoring"]
            print(" | ".join(lines[-1]), flush=True)
    text = (
        f"{size['side']}×{size['side']}×1 images of {NUM_LEVELS} levels, "
        f"{size['num_layers']} layers of {size['hidden_dim']}, "
        f"{size['num_heads']} heads.\n\n" + markdown(HEADER, lines)
    )
    for who, batch_size in sampling:
        if who != "theirs" and ("theirs", batch_size) in sampling:
            samples, scores = (
                x["theirs", batch_size] / x[who, batch_size]
                for x in (sampling, scoring)
            )
            text += (
                f"\n\nBatch {batch_size}: {names[who]} samples {samples:.1f}× "
                f"and scores {scores:.1f}× as fast as ImageGPT."
            )
    print(text)
    if not arguments.no_write:
        write_section("image_gpt", text)


def _line(name, batch_size, result):
    scoring, sampling = result["scoring"], result["sampling"]
    return [
        name,
        f"{result['parameters'] / 1e6:.2f}M",
        str(batch_size),
        f"{scoring:.3f}",
        f"{sampling:.2f}",
        f"{sampling / scoring:.1f}",
        f"{batch_size / sampling:.2f}",
    ]


def ours(batch_size, side, num_layers, hidden_dim, num_heads, lag):
    """Seconds of keras_pixel's model."""
    import numpy as np

    import keras_pixel

    model = keras_pixel.ImageTransformer(
        image_shape=(side, side, 1),
        num_levels=NUM_LEVELS,
        attention="full",
        num_layers=num_layers,
        hidden_dim=hidden_dim,
        num_heads=num_heads,
        intermediate_dim=4 * hidden_dim,
        lag=lag,
        first_kernel_size=3 if lag else None,
    )
    images = np.random.default_rng(0).integers(
        NUM_LEVELS, size=(batch_size, side, side, 1)
    )
    return {
        "parameters": model.count_params(),
        "scoring": best_seconds(
            lambda: model.log_prob(images, batch_size=batch_size)
        ),
        "sampling": best_seconds(
            lambda: model.sample(batch_size, seed=0, batch_size=batch_size),
            repeats=2,
        ),
    }


def theirs(batch_size, side, num_layers, hidden_dim, num_heads):
    """Seconds of ImageGPT, whose last level is the start token."""
    import torch
    import transformers

    length = side * side
    config = transformers.ImageGPTConfig(
        vocab_size=NUM_LEVELS + 1,
        n_positions=length,
        n_embd=hidden_dim,
        n_layer=num_layers,
        n_head=num_heads,
        bos_token_id=NUM_LEVELS,
        eos_token_id=None,
    )
    model = transformers.ImageGPTForCausalImageModeling(config).eval()
    tokens = torch.randint(NUM_LEVELS, (batch_size, length))
    start = torch.full((batch_size, 1), NUM_LEVELS)

    def score():
        inputs = torch.cat([start, tokens[:, :-1]], dim=1)
        with torch.inference_mode():
            logits = model(input_ids=inputs).logits
            logits = torch.log_softmax(logits, dim=-1)
            return logits.gather(-1, tokens[..., None]).sum(dim=(1, 2))

    def sample():
        # The start token takes a place, so the last token is left out.
        with torch.inference_mode():
            return model.generate(
                input_ids=start,
                attention_mask=torch.ones_like(start),
                max_new_tokens=length - 1,
                do_sample=True,
                use_cache=True,
            )

    begin = time.perf_counter()
    drawn = sample()
    first = time.perf_counter() - begin
    if drawn.shape[1] != length:
        raise RuntimeError(f"`generate` stopped early at {drawn.shape[1]}")
    # A slow run needs no second one: nothing is compiled.
    repeats = 2 if first < 60 else 0
    again = [
        best_seconds(sample, repeats=1, warm_up=False) for _ in range(repeats)
    ]
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "scoring": best_seconds(score),
        "sampling": min([first, *again]),
    }


if __name__ == "__main__":
    main()
