"""Frozen text and unprompted images are encoded once in a whole run, not once a round."""

from collections import Counter
from collections.abc import Callable

import pytest
from federation_harness import metric_rows, run_federation

from client_app import worker
from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.data.settings import load_setting
from fedmvp_core.data.shards import make_shards
from server_app import app as server

CLIENTS = 3


@pytest.fixture
def server_backbone(monkeypatch: pytest.MonkeyPatch) -> Backbone:
    """The backbone that the server will load, so that a test can read its counts."""
    backbone = load_backbone("tiny")
    monkeypatch.setattr(server, "open_backbone", lambda *args, **more: backbone)
    return backbone


def reported(config: RunConfig, metric: str) -> list[float]:
    return [value for _, _, name, value in metric_rows(config) if name == metric]


def test_clients_encode_their_images_and_sentences_in_the_first_round_only(
    small_run: Callable[..., RunConfig], server_backbone: Backbone
) -> None:
    config = small_run(rounds=3)
    run_federation(config, CLIENTS)
    rows = metric_rows(config)
    assert {(n, s): v for n, s, m, v in rows if m == "images-encoded"} == {
        (number, f"client-{client:03d}"): (8.0 if number == 1 else 0.0)
        for number in (1, 2, 3)
        for client in range(CLIENTS)
    }, "4 images of one class in two views, in the first round"
    # The server has encoded each client's class set for its own evaluation already.
    assert sum(reported(config, "sentences-encoded")) == 0


def test_each_class_set_and_each_test_image_is_encoded_once(
    small_run: Callable[..., RunConfig], server_backbone: Backbone
) -> None:
    config = small_run(rounds=3, evaluate_every=1)
    run_federation(config, CLIENTS)
    setting = load_setting(config, 64)
    shards = make_shards(setting, CLIENTS, config)
    tasks = [e.task for e in setting.evaluations] + [shard.task for shard in shards]
    sentences = sum(
        len(task.class_names) + sum(max(1, len(phrases)) for phrases in task.attributes)
        for task in tasks
    )
    total = server_backbone.encoded + worker.configured_backbone(config).encoded
    assert total["sentences"] == sentences
    trained = sum(len(shard.images) for shard in shards)
    tested = sum(len(evaluation.images) for evaluation in setting.evaluations)
    assert total["images"] == 2 * trained + tested


def test_a_second_run_encodes_nothing(
    small_run: Callable[..., RunConfig],
    server_backbone: Backbone,
) -> None:
    config = small_run()
    run_federation(config, CLIENTS)
    # What processes held in memory is forgotten between runs; the folder remembers.
    before = Counter(server_backbone.encoded)
    run_federation(config, CLIENTS)
    again = server_backbone.encoded - before + worker.configured_backbone(config).encoded
    assert again["images"] == again["sentences"] == 0


def test_processes_that_live_for_one_message_read_the_cache_on_disk(
    small_run: Callable[..., RunConfig], server_backbone: Backbone
) -> None:
    config = small_run(rounds=3)
    run_federation(config, CLIENTS, fresh_processes=True)
    assert sum(reported(config, "images-encoded")) == 8 * CLIENTS
