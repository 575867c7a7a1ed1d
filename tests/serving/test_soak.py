"""A few seconds of the soak test, on a server in this process."""

import os
import pathlib

import pytest

pytest.importorskip("aiohttp", reason="needs the extra serve")
pytest.importorskip("tensorflow_serving", reason="needs the extra serve")
pytest.importorskip("requests", reason="needs the extra serve")

from benchmarks import soak  # noqa: E402

pytestmark = pytest.mark.skipif(
    not pathlib.Path("/proc/self/status").exists(), reason="needs Linux"
)


@pytest.fixture(scope="module")
def questions(models_folder):
    return soak.Questions(models_folder / "tiny" / "1")


@pytest.fixture
def target(server):
    return soak.Target(
        *("tiny", server.rest_port, server.grpc_port, os.getpid(), 100_000)
    )


@pytest.mark.slow
def test_server_stands_hostile_clients(target, questions):
    findings = soak.soak(target, questions, seconds=4, num_clients=4)
    assert findings.problems == []
    assert findings.alone and findings.together
    # All that a client does was done by one.
    client = soak.Client(target, questions, findings, 0)
    names = {deed.__name__ for deed in client.deeds}
    client.close()
    assert names == set(findings.counts)
    assert "problems | 0" in soak.table(findings)


def test_wrong_answers_are_found(target, questions):
    findings = soak.Findings()
    client = soak.Client(target, questions, findings, 0)
    signature, inputs, answer = questions.of["one"][0]
    client.ask("one", (signature, inputs, answer))
    assert findings.problems == []
    wrong = {name: x + 0.01 for name, x in answer.items()}
    client.ask("one", (signature, inputs, wrong))
    client.expect(404, data=b"{")
    client.close()
    assert findings.problems[:2] == [
        "one: a wrong answer for bits_per_dim",
        "one: a wrong answer for log_prob",
    ]
    assert "400 in place of 404" in findings.problems[2]


def test_growth_is_found():
    findings = soak.Findings(memory=[(100, 1), (105, 1), (109, 1)])
    assert not soak.grew(findings)
    findings.memory[-1] = (111, 1)
    assert soak.grew(findings)
