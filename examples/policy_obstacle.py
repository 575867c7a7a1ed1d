"""Imitation: demonstrators pass an obstacle on the left, or on the right.

    python -m examples.policy_obstacle --output out/policy

A car is driven along a corridor, round an obstacle, to a goal. An action is a
turn and the way that is then driven. The obstacle is seen late, and whoever
demonstrates then decides by a throw of a coin on which side to pass it. At that
place the mean of what was shown is to drive straight on.

Two policies learn from the same actions in the same order: an autoregressive
one, which draws the turn from bins, and the way given the turn; and a
Gaussian one, with a mean and a standard deviation for each of the two, from an
encoder of the same size. The example drives many episodes with each and prints
how many reach the goal and how many hit the obstacle or a wall; it writes the
table, the preset of the policy and a plot of trajectories.
"""

import argparse
import math
import pathlib
import time

import numpy as np

from examples import policies
from examples import sequences
from keras_pixel.data import Discretizer
from keras_pixel.files import atomic_file

START, GOAL, GOAL_RADIUS = (-1.0, 0.0), (1.0, 0.0), 0.2
OBSTACLE, OBSTACLE_RADIUS, WALL = (0.0, 0.0), 0.25, 0.6
# Where the obstacle is seen, and how far from its middle it is passed.
SEEN_AT, PASSED_AT = -0.8, 0.4
# An action: a turn, in parts of the largest, and the way that is then driven.
MAX_TURN = 0.8  # radians
LOW, HIGH = (-1.0, 0.2), (1.0, 0.35)
MAX_STEPS = 15
NUM_BINS = 31
OUTCOMES = ("goal", "collision", "neither")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--demonstrations", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    shown, observations, actions = demonstrations(options.demonstrations)
    print(f"{len(actions):,} actions of {options.demonstrations} episodes.")
    policy = autoregressive_policy(options.units)
    gaussian = policies.GaussianPolicy(4, LOW, HIGH, options.units)
    policies.train_both(policy, gaussian, observations, actions, options.steps)
    drivers = {
        "autoregressive": policy.act,
        "Gaussian": gaussian.act,
        "Gaussian, its mean": gaussian.act_mean,
    }
    driven = {"demonstrations": shown}
    for name, act in drivers.items():
        # The same beginnings for each.
        random = np.random.default_rng(options.seed)
        driven[name] = drive(act, starts(options.episodes, random), random)
    found = {name: count(outcomes) for name, (_, outcomes) in driven.items()}
    sizes = {
        "autoregressive": policy.model.count_params(),
        "Gaussian": gaussian.model.count_params(),
    }
    text = table(found, sizes)
    print(text)
    times = times_of_an_action(policy)
    print(
        "An action alone: {processor:.1f} ms of the processor (median); "
        "{median:.1f} ms by the clock (median), at best {best:.1f}.".format(
            **times
        )
    )
    with atomic_file(options.output / "table.md") as file:
        file.write(text.encode())
    policy.model.save_preset(options.output / "preset", overwrite=True)
    draw(driven, options.output / "trajectories.png")
    return {**found, "milliseconds": times}


# === The car ===


def starts(number, random):
    """Places and headings `(number, 3)` in which episodes begin."""
    spread = random.uniform(-1, 1, size=(number, 3)) * (0.05, 0.05, 0.1)
    return np.array([*START, 0.0]) + spread


def observe(states):
    """What a driver sees: place, and cosine and sine of the heading."""
    x, y, heading = states.T
    seen = np.stack([x, y, np.cos(heading), np.sin(heading)], axis=-1)
    return seen.astype("float32")


def move(states, actions):
    """States after one step."""
    turn, way = np.clip(actions, LOW, HIGH).T
    x, y, heading = states.T
    heading = heading + MAX_TURN * turn
    return np.stack(
        [x + way * np.cos(heading), y + way * np.sin(heading), heading],
        axis=-1,
    )


def hits(states, later):
    """Whether the straight way from place to place meets obstacle or wall."""
    start, way = states[:, :2] - OBSTACLE, later[:, :2] - states[:, :2]
    square = np.maximum((way**2).sum(axis=1), 1e-12)
    # Where on the way the obstacle is nearest, from 0 to 1.
    place = np.clip(-(start * way).sum(axis=1) / square, 0, 1)
    nearest = start + place[:, None] * way
    walls = np.abs(later[:, 1]) > WALL
    return walls | (np.hypot(*nearest.T) < OBSTACLE_RADIUS)


def drive(act, states, random, executed_noise=0.0):
    """Drive episodes, all at once, until each is over.

    Args:
        act: function of observations and `seed`, to actions.
        states: float array `(episodes, 3)`, where they begin.
        random: NumPy generator, the `seed` of all actions.
        executed_noise: float. Standard deviation of what is added to the
            turn. Defaults to `0.0`.

    Returns:
        Trajectories, a float array `(episodes, steps + 1, 3)`, and outcomes,
        an array of names. An episode that is over stays where it is.
    """
    outcomes = np.full(len(states), "neither", dtype="U9")
    path = [states]
    for _ in range(MAX_STEPS):
        goes_on = outcomes == "neither"
        if not goes_on.any():
            break
        actions = np.array(act(observe(states), seed=random))
        actions[:, 0] += random.normal(0, executed_noise, len(states))
        later = move(states, actions)
        later = np.where(goes_on[:, None], later, states)
        outcomes[goes_on & hits(states, later)] = "collision"
        distance = np.hypot(*(later[:, :2] - GOAL).T)
        there = (distance < GOAL_RADIUS) & (outcomes == "neither")
        outcomes[there] = "goal"
        path.append(later)
        states = later
    return np.stack(path, axis=1), outcomes


def demonstrate(observations, sides):
    """What a demonstrator does, who passes on the side +1 or -1.

    Straight on until the obstacle is seen, then past it, then to the goal; the
    more of a turn, the shorter the way.
    """
    x, y, cosine, sine = observations.T
    seen, passed = x > SEEN_AT, x > OBSTACLE[0]
    aim_x = np.where(passed, GOAL[0], OBSTACLE[0])
    aim_y = np.where(seen & ~passed, sides * PASSED_AT, GOAL[1])
    turn = np.arctan2(aim_y - y, aim_x - x) - np.arctan2(sine, cosine)
    turn = np.clip(turn / MAX_TURN, -1, 1)
    way = HIGH[1] - (HIGH[1] - LOW[1]) * np.abs(turn)
    return np.stack([turn, way], axis=-1)


def demonstrations(number, seed=0):
    """Episodes, and observations and actions of all their steps.

    What is executed is not quite what is recorded, so that it is also shown
    how to come back to the way.
    """
    random = np.random.default_rng(seed)
    sides = random.choice([-1, 1], size=number)
    driven = drive(
        lambda seen, seed: demonstrate(seen, sides),
        starts(number, random),
        random,
        executed_noise=0.05,
    )
    path, _ = driven
    moved = (path[:, 1:] != path[:, :-1]).any(axis=-1)  # not yet over
    states = path[:, :-1]
    actions = np.stack(
        [demonstrate(observe(x), sides) for x in states.transpose(1, 0, 2)],
        axis=1,
    )
    return driven, observe(states[moved]), actions[moved]


# === Policies ===


def autoregressive_policy(units):
    return policies.autoregressive_policy(4, discretizer(), units)


def discretizer():
    """Bins of the turn and of the way."""
    return Discretizer(NUM_BINS, low=LOW, high=HIGH, num_dims=2)


def times_of_an_action(policy, number=100):
    """Milliseconds of an action, one at a time, after compilation.

    Beside other work the time of the processor says more than the clock.
    """
    observation = observe(np.array([[*START, 0.0]]))[0]
    random = np.random.default_rng(0)
    policy.act(observation, random)  # compiles
    clock, processor = [], []
    for _ in range(number):
        start = time.perf_counter(), time.process_time()
        policy.act(observation, random)
        clock.append(1000 * (time.perf_counter() - start[0]))
        processor.append(1000 * (time.process_time() - start[1]))
    return {
        "processor": float(np.median(processor)),
        "median": float(np.median(clock)),
        "best": min(clock),
    }


# === What was found ===


def count(outcomes):
    """How many episodes ended in which way."""
    return {name: int((outcomes == name).sum()) for name in OUTCOMES}


def table(found, sizes):
    """Counts and shares, in per cent, as a Markdown table."""
    lines = [
        "| driver | parameters | episodes | goal | collision | neither |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, counts in found.items():
        total = sum(counts.values())
        cells = [f"{n} ({100 * n / total:.1f} %)" for n in counts.values()]
        size = f"{sizes[name]:,}" if name in sizes else "–"
        lines.append(f"| {name} | {size} | {total} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def draw(driven, path):
    """Trajectories of both policies, side by side."""
    figure = sequences.figure((8, 2.8))
    if figure is None:
        return
    axes = figure.subplots(1, 2, sharey=True)
    for ax, name in zip(axes, ("Gaussian", "autoregressive"), strict=True):
        draw_trajectories(ax, name, *driven[name])
    with atomic_file(path) as file:
        figure.savefig(file, format="png")


def draw_trajectories(ax, name, paths, outcomes, most=40):
    """The first trajectories of a policy, in the corridor."""
    colors = {"goal": "#1f6fb2", "collision": "#d9660b", "neither": "#888888"}
    for one, outcome in zip(paths[:most], outcomes[:most], strict=True):
        ax.plot(*one.T[:2], color=colors[outcome], linewidth=0.8)
    reached = 100 * (outcomes == "goal").mean()
    ax.set_title(f"{name}: {reached:.0f} % reach the goal", fontsize=10)
    for place, radius, color in (
        (OBSTACLE, OBSTACLE_RADIUS, "#555555"),
        (GOAL, GOAL_RADIUS, "#9fd3a8"),
    ):
        angles = np.linspace(0, 2 * math.pi, 60)
        ax.fill(
            place[0] + radius * np.cos(angles),
            place[1] + radius * np.sin(angles),
            color=color,
        )
    ax.set(xlim=(-1.1, 1.2), ylim=(-0.65, 0.65), aspect="equal")
    for wall in (-WALL, WALL):
        ax.axhline(wall, color="#555555")
    ax.axis("off")


if __name__ == "__main__":
    main()
