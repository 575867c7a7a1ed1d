"""Imitation in Gymnasium: a pendulum is swung up and held upright.

    pip install ".[gym]"
    python -m examples.policy_gym --output out/pendulum

A controller of a few lines shows how: it pumps energy into the pendulum of
`Pendulum-v1` until that suffices for the top, and holds it there. Policies
learn from the same actions in the same order, by behavioural cloning: an
autoregressive one, which draws the torque from bins, a Gaussian one with an
encoder of the same size, and a regression, the Gaussian's network with squared
errors as loss. The example lets each act in the same episodes, of other
beginnings than those shown, and prints the returns (sums of rewards, at most
0); it writes the table, the preset of the policy and a plot.
"""

import argparse
import pathlib

import numpy as np

from examples import policies
from examples import sequences
from keras_pixel.data import Discretizer
from keras_pixel.files import atomic_file

ENVIRONMENT = "Pendulum-v1"
LOW, HIGH = (-2.0,), (2.0,)  # torques, newton metres
NUM_BINS = 31
# Energy of the pendulum at rest at the top, joules; 0 is that of its axis.
TOP = 5.0
# Within this angle of the top it is held, radians.
HELD = 0.5
# Seeds of the beginnings: from here on those of the episodes that are counted.
COUNTED_FROM = 100_000


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--demonstrations", type=int, default=100)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--length", type=int, default=200, help="at most 200")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    _, observations = episodes(
        lambda seen, seed: demonstrate(seen),
        options.demonstrations,
        options.length,
        options.seed,
        executed_noise=0.5,
    )
    actions = demonstrate(observations)
    print(f"{len(actions):,} actions of {options.demonstrations} episodes.")
    bins = Discretizer(NUM_BINS, low=LOW, high=HIGH, num_dims=1)
    policy = policies.autoregressive_policy(3, bins, options.units)
    gaussian = policies.GaussianPolicy(3, LOW, HIGH, options.units)
    policies.train_both(policy, gaussian, observations, actions, options.steps)
    regression = policies.GaussianPolicy(3, LOW, HIGH, options.units)
    policies.train(
        regression.model,
        observations,
        actions.astype("float32"),
        options.steps,
        regression.squared_error,
    )
    drivers = {
        "demonstrator": lambda seen, seed: demonstrate(seen),
        "autoregressive": policy.act,
        "Gaussian": gaussian.act,
        "Gaussian, its mean": gaussian.act_mean,
        "regression": regression.act_mean,
        "no torque": lambda seen, seed: np.zeros((len(seen), 1)),
    }
    found = {
        name: episodes(
            act, options.episodes, options.length, COUNTED_FROM + options.seed
        )[0]
        for name, act in drivers.items()
    }
    sizes = {
        "autoregressive": policy.model.count_params(),
        "Gaussian": gaussian.model.count_params(),
        "regression": regression.model.count_params(),
    }
    text = table(found, sizes)
    print(text)
    with atomic_file(options.output / "table.md") as file:
        file.write(text.encode())
    policy.model.save_preset(options.output / "preset", overwrite=True)
    draw(found, options.output / "returns.png")
    return found


def environments(number):
    """So many pendulums, side by side."""
    try:
        import gymnasium
    except ImportError as error:
        raise ImportError(
            "This example needs Gymnasium. Received: no such package. Install "
            'it with `pip install ".[gym]"`.'
        ) from error
    return gymnasium.make_vec(ENVIRONMENT, number, vectorization_mode="sync")


def episodes(act, number, length, seed, executed_noise=0.0):
    """Let a policy act in episodes, all at once.

    Args:
        act: function of observations and `seed`, to actions.
        number: int. Episodes.
        length: int. Steps of each, at most the 200 of the environment.
        seed: int. The beginnings are those of `seed`, `seed + 1`, ….
        executed_noise: float. Standard deviation of what is added to actions,
            so that it is also shown how to come back. Defaults to `0.0`.

    Returns:
        Returns, a float array `(number,)`, and observations, a float32 array
        `(number * length, 3)`: cosine and sine of the angle from the top, and
        speed.
    """
    pendulums = environments(number)
    random = np.random.default_rng(seed)
    observations, _ = pendulums.reset(seed=seed)
    seen, returns = [], np.zeros(number)
    for _ in range(length):
        seen.append(observations)
        actions = np.asarray(act(observations, seed=random))
        actions = actions + random.normal(0, executed_noise, actions.shape)
        actions = np.clip(actions, LOW, HIGH).astype("float32")
        observations, rewards, *_ = pendulums.step(actions)
        returns += rewards
    pendulums.close()
    return returns, np.concatenate(seen)


def demonstrate(observations):
    """Torques of a controller that swings the pendulum up and holds it.

    Source: Åström, Furuta, 2000, "Swinging up a pendulum by energy control",
    https://doi.org/10.1016/S0005-1098(99)00140-5.

    Args:
        observations: float array `(number, 3)`.

    Returns:
        float64 array `(number, 1)`, newton metres.
    """
    cosine, sine, speed = np.asarray(observations, "float64").T
    angle = np.arctan2(sine, cosine)
    # A rod of 1 kg and 1 m, turned about its end, at 10 m/s².
    energy = speed**2 / 6 + TOP * cosine
    swing = HIGH[0] * np.sign(speed * (TOP - energy))
    hold = -12 * angle - 2.5 * speed
    torque = np.where(np.abs(angle) < HELD, hold, swing)
    return np.clip(torque, LOW, HIGH)[:, None]


def table(found, sizes):
    """Returns as a Markdown table: mean, its standard error, quantiles."""
    lines = [
        "| driver | parameters | episodes | mean return | median | worst |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, values in found.items():
        error = values.std() / np.sqrt(len(values))
        size = f"{sizes[name]:,}" if name in sizes else "–"
        lines.append(
            f"| {name} | {size} | {len(values)} "
            f"| {values.mean():.1f} ± {error:.1f} | {np.median(values):.1f} "
            f"| {values.min():.1f} |"
        )
    return "\n".join(lines) + "\n"


def draw(found, path):
    """The share of the episodes that reach a return, for each driver."""
    figure = sequences.figure((6, 3.2))
    if figure is None:
        return
    axes = figure.add_subplot(xlabel="return", ylabel="share of episodes, %")
    for name, values in found.items():
        if name != "no torque":
            share = 100 * (np.arange(len(values)) + 1) / len(values)
            axes.step(np.sort(values), share, label=name, where="post")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with atomic_file(path) as file:
        figure.savefig(file, format="png")


if __name__ == "__main__":
    main()
