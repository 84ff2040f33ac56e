"""Keys that Flower takes, one for each node."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
    load_ssh_public_key,
)
from flwr.supercore.primitives.asymmetric import uses_nist_ec_curve

from fedmvp_core.errors import ConfigError
from simulations.deploy.checks_node import check_key
from simulations.deploy.keys import check_different, make_keys, public_key


def test_a_key_is_of_a_curve_that_flower_takes_and_its_halves_belong_together(
    tmp_path: Path,
) -> None:
    [path] = make_keys(tmp_path, ["site-a"])
    private = load_ssh_private_key(path.read_bytes(), password=None)
    public = load_ssh_public_key(path.with_name("site-a.pub").read_bytes())
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert uses_nist_ec_curve(public)
    assert private.public_key().public_numbers() == public.public_numbers()
    assert path.stat().st_mode & 0o777 == 0o600
    assert {f.level for f in check_key(path)} == {"ok"}


def test_each_key_is_another_and_a_copy_is_noticed(tmp_path: Path) -> None:
    made = make_keys(tmp_path, ["a", "b"])
    check_different([*made])
    copied = tmp_path / "c"
    copied.write_bytes(made[0].read_bytes())
    with pytest.raises(ConfigError, match=r"a and .*c are one key"):
        check_different([*made, copied])
    with pytest.raises(ConfigError, match="are one key"):
        check_different([made[1], made[1].with_name("b.pub")])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "a"], "two nodes are named 'a'"),
        (["x/y"], "is no name of a node"),
        (["a.pub"], "is no name"),
        ([""], "is no name"),
        (["old"], "old exists; remove it"),
    ],
)
def test_bad_names_make_nothing(tmp_path: Path, names: list[str], words: str) -> None:
    make_keys(tmp_path, ["old"])
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=words):
        make_keys(tmp_path, names)
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_no_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        public_key(path)
    path.write_text("nothing")
    with pytest.raises(ConfigError, match="holds no key"):
        public_key(path)
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    path.write_bytes(other.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
    with pytest.raises(ConfigError, match="another key than"):
        public_key(path)
    assert check_key(path)[0].level == "failed"
