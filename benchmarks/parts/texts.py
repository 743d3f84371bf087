"""Made-up posts of about 300 characters: four sentences each, from a pool, no two posts alike but by chance."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_SYLLABLES = """
ba be bi co da de du en er fa ga ha in ka la le li lo ma me mi na ne no or pa ra re ri ro sa se si ta te ti to un va ve
"""
_WORDS, _SENTENCES, _EACH = 3_000, 1_500, 4


def sentences(generator: np.random.Generator) -> pa.Array:
    """Return a pool of sentences of about 75 characters; few words are used often, as in any language."""
    syllables = _SYLLABLES.split()
    sizes = generator.integers(1, 5, _WORDS)
    words = ["".join(generator.choice(syllables, size)) for size in sizes]
    drawn = np.minimum(generator.zipf(1.25, (_SENTENCES, 13)), _WORDS) - 1
    return pa.array([" ".join(words[index] for index in row).capitalize() + "." for row in drawn.tolist()])


def texts(pool: pa.Array, generator: np.random.Generator, *, rows: int) -> pa.Array:
    """Return the texts of `rows` posts."""
    parts = [pool.take(pa.array(generator.integers(0, len(pool), rows, dtype=np.int32))) for _ in range(_EACH)]
    return pc.binary_join_element_wise(*parts, " ")
