"""A client of one class cannot be attacked within its own classes: said before it trains."""

import pytest
from run_configs import run_config

from fedmvp_core.config import Scalar
from fedmvp_core.data.settings import load_setting
from fedmvp_core.data.shards import make_shards
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods import check_attackable, find_method

CLASSES = 18  # base classes of EmojiDomains


def check(method: str, clients: int, **keys: Scalar) -> None:
    config = run_config(
        dataset="emojidomains", method=method, partition="disjoint-classes", shots=1, **keys
    )
    shards = make_shards(load_setting(config, 16), clients, config)
    check_attackable(find_method(config), shards, config)


def test_the_client_its_class_and_the_ways_out_are_named() -> None:
    allowed = "allowed: fewer clients, a partition that mixes classes .*attack-classes=global"
    with pytest.raises(ConfigError, match=f"client 0 holds one class, '.+' .*{allowed}"):
        check("fedmvp-capt", CLASSES)


def test_what_needs_no_second_class_is_let_through() -> None:
    check("fedmvp", CLASSES)
    check("fedmvp-capt", CLASSES // 2)
    check("fedmvp-capt", CLASSES, attack_classes="global")


def test_it_is_the_objective_that_attacks() -> None:
    check("fedmvp-capt", CLASSES, objective="cross-entropy")
    with pytest.raises(ConfigError, match="method 'fedmvp' trains on attacks"):
        check("fedmvp", CLASSES, objective="trades")
