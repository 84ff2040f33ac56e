"""Keys of SuperNodes: a private key for each node, its public half for the SuperLink to know."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fedmvp_core.errors import ConfigError
from simulations.deploy.certificates import write_private

PUBLIC_SUFFIX = ".pub"


def make_keys(folder: Path, names: Sequence[str]) -> list[Path]:
    """Write NAME (private) and NAME.pub for each node; return the private files.

    The keys are of the NIST curve P-384 in OpenSSH's format, which Flower asks for.

    Raises:
        ConfigError: a name is no file name, is named twice, or has a key already.
    """
    for name in names:
        if not name or "/" in name or name.startswith(".") or name.endswith(PUBLIC_SUFFIX):
            raise ConfigError(f"'{name}' is no name of a node; allowed: a file name without '.pub'")
        if names.count(name) > 1:
            raise ConfigError(f"two nodes are named '{name}'; each needs a key of its own")
        if (folder / name).exists() or (folder / f"{name}{PUBLIC_SUFFIX}").exists():
            raise ConfigError(f"{folder / name} exists; remove it to give this node another key")
    folder.mkdir(parents=True, exist_ok=True)
    return [_make_key(folder / name) for name in names]


def _make_key(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP384R1())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    write_private(path, private)
    path.with_name(path.name + PUBLIC_SUFFIX).write_bytes(
        public + b" " + path.name.encode() + b"\n"
    )
    return path


def public_key(path: Path) -> bytes:
    """The key material of a private or public key file, by which two files are compared.

    Raises:
        ConfigError: the file cannot be read or holds no EC key.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"key {path} cannot be read: {error.strerror}") from None
    try:
        if content.startswith(b"-----"):
            private = serialization.load_ssh_private_key(content, password=None)
            found = private.public_key()
        else:
            found = serialization.load_ssh_public_key(content)
    except (ValueError, TypeError):
        raise ConfigError(f"{path} holds no key in OpenSSH's format") from None
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise ConfigError(f"{path} holds another key than one of a NIST curve")
    encoding, form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return found.public_bytes(encoding, form)


def check_different(paths: Sequence[Path]) -> None:
    """Raises ConfigError when two nodes would have one key: the SuperLink takes them for one."""
    owner: dict[bytes, Path] = {}
    for path in paths:
        key = public_key(path)
        if key in owner:
            raise ConfigError(
                f"{owner[key]} and {path} are one key; two SuperNodes with it would be taken for "
                "one: make another (fedmvp deploy keys)"
            )
        owner[key] = path
