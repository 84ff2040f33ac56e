"""Keys of a round: what two clients agree on without the server, and what they seal with it."""

import secrets
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fedmvp_core.errors import WireError

KEY_BYTES = 32
NONCE_BYTES, TAG_BYTES = 12, 16


class KeyPair(NamedTuple):
    """Of X25519, 32 bytes each."""

    private: bytes
    public: bytes


def key_pair() -> KeyPair:
    """A new one, out of the operating system's generator."""
    private = X25519PrivateKey.generate().private_bytes_raw()
    return KeyPair(private, public_key(private))


def public_key(private: bytes) -> bytes:
    """The public half of a private key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def agreed(private: bytes, other: bytes, purpose: str) -> bytes:
    """32 bytes that the owners of two key pairs find alike, each with its own private key.

    Raises:
        WireError: the other's public key is none.
    """
    try:
        public = X25519PublicKey.from_public_bytes(other)
        secret = X25519PrivateKey.from_private_bytes(private).exchange(public)
    except ValueError as error:
        raise WireError(f"a public key is none: {error}") from error
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(secret)


def seal(key: bytes, plain: bytes, about: str) -> bytes:
    """Encrypted and signed with a key that two share; `about` is signed too."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, plain, about.encode())


def unseal(key: bytes, sealed: bytes, about: str) -> bytes:
    """What was sealed.

    Raises:
        WireError: another key, another `about`, or the bytes were changed on their way.
    """
    try:
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        return ChaCha20Poly1305(key).decrypt(nonce, rest, about.encode())
    except (InvalidTag, ValueError) as error:
        raise WireError(f"sealed bytes ({about}) cannot be opened") from error


def commitment(seed: bytes) -> bytes:
    """A hash that a random seed cannot be found from, and that no other seed has."""
    digest = Hash(SHA256())
    digest.update(seed)
    return digest.finalize()
