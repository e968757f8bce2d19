"""All that is used of langchain-community, behind two functions: `load` reads a file, `bm25` ranks texts.

The package is sunset (its issue 674) and says so in a warning, which this file alone silences. What would replace it:
`load` calls one loader for each kind of file, thin covers over pypdfium2, docx2txt, csv and beautifulsoup4; `bm25` is
a cover over rank_bm25. Each could be called without it, and no other file would change.
"""

import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

MESSAGE = "`langchain-community` is being sunset"
ENCODING = "utf-8-sig"
FEW, PAUSE = 8, 1e-3  # texts (half a millisecond of work) between two pauses, and seconds of one


def load(path: Path, kind: str, encoding: str = ENCODING) -> Iterator[Document]:
    """The texts of a file: of a PDF page by page (`page` counts from 0, `total_pages`), of a CSV row by row.

    Raises what the reader of that kind raises.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", MESSAGE, DeprecationWarning)
        from langchain_community import document_loaders as loaders
    loaders_by_kind: dict[str, Callable[[], Any]] = {
        "pdf": lambda: loaders.PyPDFium2Loader(str(path)),
        "docx": lambda: loaders.Docx2txtLoader(str(path)),
        "text": lambda: loaders.TextLoader(str(path), encoding=encoding),
        "csv": lambda: loaders.CSVLoader(str(path), encoding=encoding),
        "html": lambda: loaders.BSHTMLLoader(
            str(path), open_encoding=encoding, bs_kwargs={"features": "html.parser"}, get_text_separator="\n"
        ),
    }
    yield from loaders_by_kind[kind]().lazy_load()


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


def bm25(texts: Sequence[str], tokenize: Callable[[str], list[str]]) -> Callable[[str], Any]:
    """A function from a question to the score of each text, an array; 0 where they have no word in common.

    Okapi's own weight of a word that stands in most texts is negative, which turns the order round in short
    documents; Lucene's (BM25Similarity.idf) is not.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", MESSAGE, DeprecationWarning)
        from langchain_community.retrievers import BM25Retriever
    retriever = BM25Retriever.from_texts(list(texts), preprocess_func=with_pauses(tokenize))
    retriever.preprocess_func, ranks = tokenize, retriever.vectorizer
    document_counts = Counter(word for counts in ranks.doc_freqs for word in counts)
    ranks.idf = {word: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for word, n in document_counts.items()}
    return lambda question: ranks.get_scores(retriever.preprocess_func(question))
