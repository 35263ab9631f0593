"""Semantic search in ten lines: rank sentences by meaning.

python search.py encoder.linnet tokenizer.json "query" "sentence" "sentence" ...
"""

import sys

import linnet
from linnet.commands.text import read_tokenizer

model, tokenizer_file, *texts = sys.argv[1:]
tokenizer = read_tokenizer(tokenizer_file)
session = linnet.load(model)
vectors = linnet.embed(session, [one.ids for one in tokenizer.encode_batch(texts)])
scores = vectors[1:] @ vectors[0]
for index in scores.argsort()[::-1]:
    print(f"{scores[index]:.3f}  {texts[1 + index]}")
