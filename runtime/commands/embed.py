"""``linnet embed``: vectors of texts from an encoder."""

from __future__ import annotations

import argparse
import json

from .text import read_tokenizer

NAME = "embed"
HELP = "Turn texts into vectors with an encoder and its Hugging Face tokenizer."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``linnet embed``."""
    parser.add_argument("model", help=".linnet file of an encoder")
    parser.add_argument("text", nargs="+")
    parser.add_argument("--tokenizer", required=True, help="tokenizer.json of the model")
    parser.add_argument("--output", help=".npy file to write; otherwise JSON lines are printed")
    parser.add_argument("--no-normalize", action="store_true", help="keep the vectors' lengths")
    parser.add_argument("--threads", type=int)


def run(options: argparse.Namespace) -> int:
    """Embed, then write or print."""
    import numpy as np

    import linnet

    tokenizer = read_tokenizer(options.tokenizer)
    session = linnet.load(options.model, threads=options.threads)
    ids = [one.ids for one in tokenizer.encode_batch(options.text)]
    vectors = linnet.embed(session, ids, normalize=not options.no_normalize)
    if options.output:
        np.save(options.output, vectors)
        print(f"{options.output}: {vectors.shape[0]} vectors of {vectors.shape[1]}")
        return 0
    for text, vector in zip(options.text, vectors, strict=True):
        print(json.dumps({"text": text, "vector": [round(float(x), 6) for x in vector]}))
    return 0
