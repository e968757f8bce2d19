"""All that is used of langchain-community, behind one function: `bm25` ranks texts.

The package is sunset (its issue 674) and says so in a warning, which this file alone silences. What would replace it:
`bm25` is a cover over rank_bm25, which could be called without it, and no other file would change.
"""

import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

MESSAGE = "`langchain-community` is being sunset"
FEW, PAUSE = 8, 1e-3  # texts (half a millisecond of work) between two pauses, and seconds of one


def with_pauses(tokenize: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """`words`, letting other threads go first every few texts: a running reply needs the interpreter's lock.

    Without a pause it is given up only every 5 ms (sys.getswitchinterval), which is several tokens.
    """
    done = count(1)

    def tokenize_and_pause(text: str) -> list[str]:
        if not next(done) % FEW:
            time.sleep(PAUSE)
        return tokenize(text)

    return tokenize_and_pause


def bm25(
    texts: Sequence[str], tokenize: Callable[[str], list[str]], tokenize_question: Callable[[str], list[str]]
) -> Callable[[str], Any]:
    """A function from a question to the score of each text, an array; 0 where they have no word in common.

    Okapi's own weight of a word that stands in most texts is negative, which turns the order round in short
    documents; Lucene's (BM25Similarity.idf) is not.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", MESSAGE, DeprecationWarning)
        from langchain_community.retrievers import BM25Retriever
    retriever = BM25Retriever.from_texts(list(texts), preprocess_func=with_pauses(tokenize))
    ranks = retriever.vectorizer
    document_counts = Counter(word for counts in ranks.doc_freqs for word in counts)
    ranks.idf = {word: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for word, n in document_counts.items()}
    return lambda question: ranks.get_scores(tokenize_question(question))
