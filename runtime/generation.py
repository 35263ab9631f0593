"""Generating text: tokens one by one from a decoder session, and vectors from an encoder session.

A decoder takes int64 tokens [1, L] and an int64 position [1], how many tokens came before, and
gives logits [1, L, V] or [1, V]; its keys and values stay in the session (`ops.CachedAttention`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError
from .types import Array

if TYPE_CHECKING:
    from .session import Session


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn from logits.

    Parameters
    ----------
    temperature : float
        0 takes the most likely token.
    top_k : int
        Draw from so many likeliest tokens; 0 from all.
    top_p : float
        Draw from the fewest likeliest tokens whose probabilities add up to this.
    min_p : float
        Leave out tokens less likely than this share of the likeliest one.
    repetition_penalty : float
        Divide positive logits of tokens seen before by it, multiply negative ones.

    Raises
    ------
    InputError
        If a number is out of its range.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        ranges = {
            "temperature": self.temperature >= 0.0,
            "top_k": self.top_k >= 0,
            "top_p": 0.0 < self.top_p <= 1.0,
            "min_p": 0.0 <= self.min_p < 1.0,
            "repetition_penalty": self.repetition_penalty > 0.0,
        }
        for name, fits in ranges.items():
            if not fits:
                raise InputError(f"{name}={getattr(self, name)} is out of range")

    def choose(self, logits: Array, seen: Sequence[int], rng: np.random.Generator) -> int:
        """Return the next token.

        Parameters
        ----------
        logits : ndarray of float32, shape (V,)
        seen : sequence of int
            Tokens before, for the repetition penalty.
        rng : numpy.random.Generator
        """
        if self.repetition_penalty != 1.0 and len(seen):
            logits = logits.copy()
            known = np.unique(np.asarray(seen))
            values = logits[known]
            penalty = np.float32(self.repetition_penalty)
            logits[known] = np.where(values > 0, values / penalty, values * penalty)
        if self.temperature == 0.0:
            return int(logits.argmax())
        order = np.argsort(-logits, kind="stable")
        if self.top_k:
            order = order[: self.top_k]
        scaled = logits[order].astype(np.float64) / self.temperature
        shares = np.exp(scaled - scaled[0])
        shares /= shares.sum()
        kept = shares >= self.min_p * shares[0]
        kept &= np.concatenate([[True], np.cumsum(shares)[:-1] < self.top_p])
        shares = np.where(kept, shares, 0.0)
        return int(order[rng.choice(order.size, p=shares / shares.sum())])


@dataclass(frozen=True, slots=True)
class _Ports:
    """Names of a decoder's inputs and output."""

    tokens: str
    position: str
    logits: str


def _ports(session: Session) -> _Ports:
    integers = [spec for spec in session.inputs if spec.dtype == np.int64]
    tokens = [spec.name for spec in integers if len(spec.shape) == 2]
    positions = [spec.name for spec in integers if spec.shape in ((1,), ())]
    logits = [spec.name for spec in session.outputs if spec.dtype == np.float32]
    if len(session.inputs) != 2 or len(tokens) != 1 or len(positions) != 1 or not logits:
        found = ", ".join(f"{spec.name} {spec.dtype}{list(spec.shape)}" for spec in session.inputs)
        raise InputError(
            f"the model takes {found}; a decoder takes int64 tokens [1, L] and an int64 position "
            "[1], and gives float32 logits; convert exports with past keys and values by "
            "linnet.convert(..., cache=TOKENS)"
        )
    return _Ports(tokens[0], positions[0], logits[0])


def generate(
    session: Session,
    prompt: Sequence[int],
    max_tokens: int = 128,
    *,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
    stop: Sequence[int] = (),
    seed: int | None = None,
    block: int = 64,
) -> Iterator[int]:
    """Generate tokens after a prompt, each as soon as it is known.

    Parameters
    ----------
    session : Session
        A decoder that keeps its keys and values; see the module's docstring.
    prompt : sequence of int
        At least one token.
    max_tokens : int
        Most tokens to generate; generation also ends where the cache is full.
    temperature, top_k, top_p, min_p, repetition_penalty
        See `Sampling`; temperature 0 always takes the most likely token.
    stop : sequence of int
        Tokens that end the text; they are not given out.
    seed : int, optional
        Makes draws repeatable.
    block : int
        Tokens of the prompt that are read at once.

    Yields
    ------
    int
        The next token.

    Raises
    ------
    InputError
        If the session is no decoder, the prompt is empty or longer than the cache, or a number is
        out of its range.

    Examples
    --------
    >>> list(linnet.generate(session, [1, 403, 407], 20))  # doctest: +SKIP
    """
    tokens = [int(token) for token in prompt]
    if not tokens:
        raise InputError("the prompt is empty; give at least one token")
    if block < 1:
        raise InputError(f"block={block}; expected at least 1")
    sampling = Sampling(temperature, top_k, top_p, min_p, repetition_penalty)
    return _generate(session, _ports(session), tokens, max_tokens, sampling, set(stop), seed, block)


def _generate(
    session: Session,
    ports: _Ports,
    tokens: list[int],
    count: int,
    sampling: Sampling,
    stop: set[int],
    seed: int | None,
    block: int,
) -> Iterator[int]:
    rng = np.random.default_rng(seed)
    capacity = _capacity(session)
    if len(tokens) > capacity:
        raise InputError(f"the prompt has {len(tokens)} tokens; the model's cache holds {capacity}")
    logits = _prefill(session, ports, tokens, block)
    at = len(tokens)
    position, token = np.zeros(1, np.int64), np.zeros((1, 1), np.int64)
    feeds = {ports.tokens: token, ports.position: position}
    for made in range(count):
        chosen = sampling.choose(logits, tokens, rng)
        if chosen in stop:
            return
        yield chosen
        tokens.append(chosen)
        if made + 1 == count or at >= capacity:
            return
        token[0, 0], position[0] = chosen, at
        logits = _last(session.run(feeds)[ports.logits])
        at += 1


def _last(logits: Array) -> Array:
    row: Array = logits.reshape(-1, logits.shape[-1])[-1]
    return row


def _prefill(session: Session, ports: _Ports, tokens: list[int], block: int) -> Array:
    """Run the prompt: whole blocks, then ever smaller halves, so that few shapes are planned."""
    at, size = 0, block
    logits: Array = np.zeros(0, np.float32)
    while at < len(tokens):
        while size > len(tokens) - at:
            size = (size + 1) // 2
        part = np.array([tokens[at : at + size]], np.int64)
        feeds = {ports.tokens: part, ports.position: np.array([at], np.int64)}
        logits = _last(session.run(feeds)[ports.logits])
        at += size
    return logits


def _capacity(session: Session) -> int:
    """Return how many tokens every cache of a session holds."""
    from .ops import CachedAttention

    sizes = [n.op.capacity for n in session.graph.nodes if isinstance(n.op, CachedAttention)]
    if not sizes:
        raise InputError("the model has no attention that keeps keys and values")
    return min(sizes)


def embed(
    session: Session, ids: Sequence[Sequence[int]], *, normalize: bool = True, pad: int = 0
) -> Array:
    """Return one vector for each sequence: the mean of an encoder's last hidden states.

    Texts of similar length run together, 32 at most.

    Parameters
    ----------
    session : Session
        An encoder: takes int64 "input_ids" [B, L], and "attention_mask" and "token_type_ids" where
        it has them; its first output is [B, L, D].
    ids : sequence of sequences of int
        Tokens of each text, the special ones among them.
    normalize : bool
        Scale vectors to length 1.
    pad : int
        Token that fills shorter sequences up; it counts for nothing.

    Returns
    -------
    ndarray of float32, shape (number of sequences, D)

    Raises
    ------
    InputError
        If there is nothing to embed, or the session takes other inputs.
    """
    if not len(ids) or not all(len(one) for one in ids):
        raise InputError("there is nothing to embed; give sequences of at least one token")
    names = [spec.name for spec in session.inputs]
    if "input_ids" not in names or any(name not in _ENCODER for name in names):
        raise InputError(f"the model takes {names}; an encoder takes some of {list(_ENCODER)}")
    fixed = next(spec.shape[0] for spec in session.inputs if spec.name == "input_ids")
    most = fixed if isinstance(fixed, int) else _TEXTS
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    found: dict[int, Array] = {}
    while order:
        part = [n for n in order[:most] if _joins(names, ids[n], ids[order[0]])]
        order = order[len(part) :]
        found |= zip(part, _embedded(session, names, [ids[n] for n in part], pad), strict=True)
    vectors: Array = np.stack([found[index] for index in range(len(ids))])
    if normalize:
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors


_ENCODER = ("input_ids", "attention_mask", "token_type_ids")
# Texts in one run.
_TEXTS = 32


def _joins(names: list[str], one: Sequence[int], first: Sequence[int]) -> bool:
    """Whether two texts can run together: of unequal length only where a mask tells."""
    return "attention_mask" in names or len(one) == len(first)


def _embedded(session: Session, names: list[str], ids: list[Sequence[int]], pad: int) -> Array:
    """Return the mean states of texts that run together."""
    longest = max(len(one) for one in ids)
    tokens = np.full((len(ids), longest), pad, np.int64)
    mask = np.zeros((len(ids), longest), np.int64)
    for row, one in enumerate(ids):
        tokens[row, : len(one)] = one
        mask[row, : len(one)] = 1
    known = dict(zip(_ENCODER, (tokens, mask, np.zeros_like(mask)), strict=True))
    states: Any = session.run({name: known[name] for name in names})[session.outputs[0].name]
    if states.ndim != 3:
        raise InputError(f"the model gives {states.shape}; expected [B, L, D] hidden states")
    weights = mask[..., None].astype(np.float32)
    vectors: Array = (states * weights).sum(1) / weights.sum(1)
    return vectors
