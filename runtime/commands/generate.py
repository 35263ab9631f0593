"""``linnet generate``: text from a decoder."""

from __future__ import annotations

import argparse

from .text import pieces, read_tokenizer

NAME = "generate"
HELP = "Generate text with a decoder and its Hugging Face tokenizer."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet generate``."""
    parser.add_argument("model", help=".linnet file of a decoder that keeps its keys and values")
    parser.add_argument("prompt", help="text to continue")
    parser.add_argument("--tokenizer", required=True, help="tokenizer.json of the model")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--temperature", type=float, default=0.0, help="0: the likeliest token")
    parser.add_argument("--top-k", type=int, default=0)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--min-p", type=float, default=0.0)
    parser.add_argument("--repetition-penalty", type=float, default=1.0)
    parser.add_argument(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help="text or special token that ends the output; repeat for more",
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--threads", type=int)


def run(options: argparse.Namespace) -> int:
    """Print the text as it comes."""
    import linnet

    tokenizer = read_tokenizer(options.tokenizer)
    session = linnet.load(options.model, threads=options.threads)
    special = {name: tokenizer.token_to_id(name) for name in options.stop}
    tokens = linnet.generate(
        session,
        tokenizer.encode(options.prompt).ids,
        options.max_tokens,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        min_p=options.min_p,
        repetition_penalty=options.repetition_penalty,
        stop=[token for token in special.values() if token is not None],
        seed=options.seed,
    )
    stops = [text for text, token in special.items() if token is None]
    for piece in pieces(tokens, tokenizer.decode, stops):
        print(piece, end="", flush=True)
    print()
    return 0
