"""Keeps the development server busy, and tries to knock it over.

    python -m benchmarks.soak                           # 30 minutes, 32 clients
    python -m benchmarks.soak --minutes 2 --clients 8 --model tiny
    python -m benchmarks.soak --pause 0                 # as fast as they can

The server runs in a process of its own. Clients send scores, samples,
completions and pictures, over REST and gRPC, and compare every answer with the
one that the SavedModel gave without a server: scores within a relative 1e-5,
images exactly. Between these they send what no client should: broken JSON,
wrong shapes, bodies too large, rubbish for base64, pictures that would fill the
memory, models that do not exist, requests that end in the middle, connections
that say nothing; and they leave before they are answered. Whatever is refused
must be refused with its own status. After each thing a client pauses, for a
time drawn from an exponential distribution: without pauses there is no more to
see in the times than how many requests wait in line.

It fails if an answer is wrong, if a status is another than the one expected, if
the server has an internal error, if work is left when all clients are gone, or
if the server's memory grows by more than a tenth. Memory is the server's
resident size: a tenth into the run, when caches are full, in the middle and at
the end. Times are of scores of single images over REST: by one client alone
before the others come, and while they are there. `--model tiny` is a small
model with random weights. `--no-write` leaves README.md as it is.
"""

import argparse
import base64
import collections
import contextlib
import dataclasses
import json
import pathlib
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

from benchmarks.tables import markdown
from benchmarks.tables import write_section
from keras_pixel.export.model_folders import find_versions
from keras_pixel.export.servable import Servable

NAME = "soaked"
# Seconds that an answer may take before the run counts it as wrong.
PATIENCE = 120
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@dataclasses.dataclass(frozen=True)
class Target:
    """A server to be driven.

    Args:
        name: str, of the model.
        rest_port: int.
        grpc_port: int.
        process: int. Id of the process.
        max_request_bytes: int. More is refused.
    """

    name: str
    rest_port: int
    grpc_port: int
    process: int
    max_request_bytes: int

    @property
    def url(self):
        return f"http://127.0.0.1:{self.rest_port}/v1/models/{self.name}"

    def resident_bytes(self):
        """Resident size of the server."""
        text = pathlib.Path(f"/proc/{self.process}/status").read_text()
        (kibibytes,) = re.findall(r"VmRSS:\s*(\d+)", text)
        return int(kibibytes) * 1024

    def num_files(self):
        """Open files of the server, connections too."""
        return len(list(pathlib.Path(f"/proc/{self.process}/fd").iterdir()))

    def metrics(self):
        """The server's metrics, as text."""
        import requests

        url = f"http://127.0.0.1:{self.rest_port}/monitoring/prometheus/metrics"
        return requests.get(url, timeout=PATIENCE).text


@dataclasses.dataclass
class Findings:
    """What came out.

    Attributes:
        counts: how often what was done.
        problems: what should not have been.
        alone, together: seconds of single scores, before and during the load.
        memory: list of (resident bytes, open files).
    """

    counts: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    problems: list = dataclasses.field(default_factory=list)
    alone: list = dataclasses.field(default_factory=list)
    together: list = dataclasses.field(default_factory=list)
    memory: list = dataclasses.field(default_factory=list)


class Questions:
    """Valid requests, and the answers to them.

    Args:
        folder: `pathlib.Path` of a version.
        seed: int.
    """

    def __init__(self, folder, seed=0):
        servable = Servable(folder)
        self.has_pictures = "score_encoded" in servable.signature_names
        shape = servable.inputs()["images"].shape[1:]
        self.image_shape = shape
        told = set(servable.inputs()) - {"images"}
        if told:
            raise ValueError(
                "The soak is of models that are told nothing beside images. "
                f"Received: one that is told {sorted(told)}."
            )
        rng = np.random.default_rng(seed)
        self.of = collections.defaultdict(list)
        for i in range(8):
            images = rng.integers(2, size=(i % 3 + 1, *shape)).astype("uint8")
            rows = len(images)
            drawing = {
                "seed": rng.integers(1000, size=rows).astype("int32"),
                "temperature": np.linspace(0.5, 1, rows).astype("float32"),
            }
            mask = rng.integers(2, size=images.shape[:3]).astype("uint8")
            one = {"images": images[:1]}
            asked = {
                "one": ("serving_default", one),
                "score": ("serving_default", {"images": images}),
                "sample": ("sample", drawing),
                "complete": (
                    "complete",
                    {"images": images, "mask": mask, **drawing},
                ),
            }
            if self.has_pictures:
                files = servable.predict("sample_encoded", drawing)
                asked["picture"] = ("score_encoded", files)
            for kind, (signature, inputs) in asked.items():
                answer = servable.predict(signature, inputs)
                self.of[kind].append((signature, inputs, answer))


class Client:
    """One client, which does one thing after the other.

    Args:
        target: `Target`.
        questions: `Questions`.
        findings: `Findings`, shared by all.
        seed: int.
        pause: float. Mean of the seconds between one thing and the next.
    """

    def __init__(self, target, questions, findings, seed, pause=0.0):
        import grpc
        import requests
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        self.target = target
        self.questions = questions
        self.findings = findings
        self.random = random.Random(seed)
        self.pause = pause
        self.session = requests.Session()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{target.grpc_port}")
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(
            self.channel
        )
        self.silent = []
        # How often each is done.
        self.deeds = {
            self.score_one: 8,
            self.ask_rest: 6,
            self.ask_grpc: 4,
            self.send_broken_json: 1,
            self.send_wrong_shape: 1,
            self.send_huge_body: 1,
            self.send_deep_json: 1,
            self.ask_for_unknown: 1,
            self.stop_in_the_middle: 2,
            self.leave_early: 2,
            self.say_nothing: 1,
            self.be_impatient: 1,
        }
        if questions.has_pictures:
            self.deeds[self.send_rubbish_pictures] = 2

    def run(self, end):
        """Do one thing after the other until a time of `time.monotonic`."""
        deeds, weights = list(self.deeds), list(self.deeds.values())
        while time.monotonic() < end:
            if self.pause:
                time.sleep(self.random.expovariate(1 / self.pause))
            (deed,) = self.random.choices(deeds, weights)
            self.findings.counts[deed.__name__] += 1
            try:
                deed()
            except Exception as error:
                self.problem(
                    f"{deed.__name__}: {type(error).__name__}: {error}"
                )
        self.close()

    def close(self):
        for connection in self.silent:
            connection.close()
        self.session.close()
        self.channel.close()

    def problem(self, text):
        self.findings.problems.append(text[:300])

    # === Valid requests ===

    def score_one(self, seconds=None):
        """Score one image, and note how long it took."""
        seconds = self.findings.together if seconds is None else seconds
        question = self.random.choice(self.questions.of["one"])
        begun = time.monotonic()
        self.ask("one", question)
        seconds.append(time.monotonic() - begun)

    def ask_rest(self):
        kind = self.random.choice(list(self.questions.of))
        self.ask(kind, self.random.choice(self.questions.of[kind]))

    def ask(self, kind, question):
        signature, inputs, expected = question
        response = self.post(
            signature_name=signature,
            inputs={name: _as_json(x) for name, x in inputs.items()},
        )
        if response.status_code != 200:
            self.problem(f"{kind}: {response.status_code} {response.text}")
            return
        outputs = response.json()["outputs"]
        if len(expected) == 1:
            outputs = dict.fromkeys(expected, outputs)
        self.compare(kind, outputs, expected)

    def ask_grpc(self):
        import tensorflow as tf

        kind = self.random.choice(list(self.questions.of))
        signature, inputs, expected = self.random.choice(
            self.questions.of[kind]
        )
        response = self.stub.Predict(
            _message(self.target.name, signature, inputs), timeout=PATIENCE
        )
        outputs = {k: tf.make_ndarray(x) for k, x in response.outputs.items()}
        self.compare(kind, outputs, expected)

    def compare(self, kind, outputs, expected):
        for name, right in expected.items():
            received = np.asarray(outputs[name])
            if right.dtype.kind == "f":
                same = received.shape == right.shape and np.allclose(
                    received, right, rtol=1e-5, equal_nan=True
                )
            else:
                same = np.array_equal(received, right)
            if not same:
                self.problem(f"{kind}: a wrong answer for {name}")

    # === Hostile requests ===

    def send_broken_json(self):
        body = self.random.choice([b"{", b"\xff\xfe", b"", b"[1]", b"null"])
        self.expect(400, data=body)

    def send_wrong_shape(self):
        inputs = self.random.choice(
            [[[0]], [], {}, None, "images", {"images": [[1e400]]}, [[[["a"]]]]]
        )
        self.expect(400, data=json.dumps({"inputs": inputs}))

    def send_huge_body(self):
        import requests

        body = b" " * (self.target.max_request_bytes + 1)
        # The server may hang up before all of it is sent.
        with contextlib.suppress(requests.ConnectionError):
            self.expect(413, data=body)

    def send_deep_json(self):
        depth = self.random.choice([50, 900, 20_000])
        text = '{"inputs": ' + "[" * depth + "]" * depth + "}"
        self.expect(400, data=text)

    def ask_for_unknown(self):
        url, status = self.random.choice(
            [
                (f"{self.target.url}x:predict", 404),
                (f"{self.target.url}/versions/99:predict", 404),
                (f"{self.target.url}/versions/{'9' * 400}:predict", 400),
                (f"{self.target.url}/../../etc/passwd", 400),
                (f"{self.target.url}:classify", 501),
            ]
        )
        self.expect(status, url=url, data=b'{"inputs": []}')
        signature = f"x{self.random.random()}"
        self.expect(
            400, data=json.dumps({"signature_name": signature, "inputs": []})
        )

    def send_rubbish_pictures(self):
        bomb = PNG + struct.pack(">II", 100_000, 100_000)
        files = self.random.choice(
            [{"b64": "!"}, {"b64": 3}, {"b64": None}, 7, _b64(bomb)]
        )
        body = {"signature_name": "score_encoded", "inputs": [files]}
        self.expect(400, data=json.dumps(body))
        # What is no picture has no score.
        rubbish = [_b64(self.random.randbytes(n)) for n in (0, 10, 1000)]
        body["inputs"] = rubbish
        response = self.post(**body)
        if response.status_code != 200 or not all(
            np.isnan(response.json()["outputs"]["log_prob"])
        ):
            self.problem(f"rubbish: {response.status_code} {response.text}")

    def stop_in_the_middle(self):
        """Send a part of a request, and hang up."""
        whole = self.raw(self.random.choice(self.questions.of["score"]))
        with self.connect() as connection:
            connection.sendall(whole[: self.random.randrange(len(whole))])
            time.sleep(self.random.random() / 4)

    def leave_early(self):
        """Send a long request, and leave before it is answered."""
        whole = self.raw(self.random.choice(self.questions.of["sample"]))
        with self.connect() as connection:
            connection.sendall(whole)
            time.sleep(self.random.random() / 20)

    def say_nothing(self):
        """Keep some connections open, on which nothing comes."""
        self.silent.append(self.connect())
        if len(self.silent) > 5:
            self.silent.pop(0).close()

    def be_impatient(self):
        """Ask by gRPC for what cannot be done in that time."""
        import grpc

        signature, inputs, _ = self.random.choice(self.questions.of["complete"])
        message = _message(self.target.name, signature, inputs)
        try:
            self.stub.Predict(message, timeout=0.001)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                self.problem(f"impatient: {error.code()} {error.details()}")

    # === How it is sent ===

    def post(self, url=None, data=None, **body):
        return self.session.post(
            url or f"{self.target.url}:predict",
            data=json.dumps(body) if data is None else data,
            timeout=PATIENCE,
        )

    def expect(self, status, **request):
        response = self.post(**request)
        if response.status_code != status:
            self.problem(
                f"{response.status_code} in place of {status}: {response.text}"
            )
        elif len(response.text) > 1000:
            self.problem(f"an error of {len(response.text)} characters")

    def raw(self, question):
        signature, inputs, _ = question
        body = json.dumps(
            {
                "signature_name": signature,
                "inputs": {name: _as_json(x) for name, x in inputs.items()},
            }
        )
        path = f"/v1/models/{self.target.name}:predict"
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    def connect(self):
        address = ("127.0.0.1", self.target.rest_port)
        return socket.create_connection(address, PATIENCE)


def soak(target, questions, seconds, num_clients, seed=0, pause=0.0):
    """Drive a server.

    Args:
        target: `Target`.
        questions: `Questions`.
        seconds: float. How long, beside a tenth of it for one client alone.
        num_clients: int.
        seed: int.
        pause: float. Mean of the seconds between what a client does.

    Returns:
        `Findings`.
    """
    findings = Findings()
    first = Client(target, questions, findings, seed)
    end = time.monotonic() + seconds / 10
    while time.monotonic() < end:
        first.score_one(findings.alone)
    first.close()
    begun = time.monotonic()
    clients = [
        Client(target, questions, findings, seed + i + 1, pause)
        for i in range(num_clients)
    ]
    threads = [
        threading.Thread(target=client.run, args=(begun + seconds,))
        for client in clients
    ]
    for thread in threads:
        thread.start()
    for share in (0.1, 0.5, 1):
        time.sleep(max(0, begun + share * seconds - time.monotonic()))
        findings.memory.append((target.resident_bytes(), target.num_files()))
    for thread in threads:
        thread.join()
    _check_end(target, findings)
    return findings


def _check_end(target, findings):
    """Nothing is left to do, and nothing broke inside."""
    end = time.monotonic() + PATIENCE
    busy = re.compile(
        r"^keras_pixel_requests_(?:waiting|running)\{.*\} (?!0\.0$)", re.M
    )
    while busy.search(text := target.metrics()):
        if time.monotonic() > end:
            findings.problems.append("work is left when all clients are gone")
            break
        time.sleep(0.1)
    for line in text.splitlines():
        if line.startswith("keras_pixel_requests_total") and "INTERNAL" in line:
            findings.problems.append(line)


def _message(model, signature, inputs):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, x in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(x))
    return request


def _as_json(array):
    if array.dtype == object:
        return [_b64(one) for one in array]
    return array.tolist()


def _b64(data):
    return {"b64": base64.b64encode(data).decode("ascii")}


@contextlib.contextmanager
def served(model, folder):
    """Export a model, and serve it in a process of its own."""
    import keras_pixel
    from keras_pixel import export

    if model == "tiny":
        made = keras_pixel.PixelCNN(
            (6, 5, 1), num_levels=4, filters=8, num_blocks=1, head_filters=8
        )
    else:
        made = keras_pixel.load(model)
    export.tf_serving({NAME: made}, folder, pictures=True)
    with subprocess.Popen(
        [
            *(sys.executable, "-u", "-m", "keras_pixel", "serve", str(folder)),
            *("--rest-port", "0", "--grpc-port", "0", "--max-request-mb", "2"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for line in process.stdout or ():
                if found := re.search(r"REST .*?:(\d+)/.*gRPC .*:(\d+)$", line):
                    break
            else:
                raise RuntimeError("The server did not start: see above.")
            rest_port, grpc_port = map(int, found.groups())
            yield Target(NAME, rest_port, grpc_port, process.pid, 2 * 2**20)
        finally:
            process.terminate()


def table(findings):
    """What came out, in Markdown."""
    (start, *_), (middle, *_), (last, *_) = findings.memory
    files = ", ".join(str(number) for _, number in findings.memory)
    rows = [
        ["valid requests, each compared", f"{_valid(findings):,}"],
        ["hostile requests", f"{findings.counts.total() - _valid(findings):,}"],
        ["problems", str(len(findings.problems))],
        [
            "server's memory: a tenth in, middle, end",
            ", ".join(f"{x / 2**20:.0f} MiB" for x in (start, middle, last)),
        ],
        ["open files, likewise", files],
        *(
            [
                f"score of one image, {name}: p50, p99",
                f"{np.quantile(seconds, 0.5) * 1000:.0f} ms, "
                f"{np.quantile(seconds, 0.99) * 1000:.0f} ms "
                f"({len(seconds):,} requests)",
            ]
            for name, seconds in (
                ("one client alone", findings.alone),
                ("under load", findings.together),
            )
        ),
    ]
    return markdown(["", ""], rows)


def _valid(findings):
    names = ("score_one", "ask_rest", "ask_grpc")
    return sum(findings.counts[name] for name in names)


def grew(findings):
    """Did the server's memory grow by more than a tenth?"""
    (start, _), *_, (end, _) = findings.memory
    return end > 1.1 * start


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--pause", type=float, default=1.0, help="s, mean")
    parser.add_argument(
        "--model", default="pixelcnn_mnist", help="a preset, or tiny"
    )
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / "models"
        with served(options.model, folder) as target:
            (version,) = find_versions(folder / NAME).values()
            findings = soak(
                target,
                Questions(version),
                options.minutes * 60,
                options.clients,
                pause=options.pause,
            )
    text = (
        f"{options.minutes:g} minutes, {options.clients} clients that pause "
        f"for {options.pause:g} s on average, model {options.model}.\n\n"
        f"{table(findings)}"
    )
    print(text)
    for problem in findings.problems[:20]:
        print("Problem:", problem)
    if not options.no_write:
        write_section("soak", text)
    if findings.problems or grew(findings):
        sys.exit("The server did not stand it.")


if __name__ == "__main__":
    main()
