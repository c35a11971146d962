"""Everything that can go wrong, as one small tree, drawn.

CtiqaError          one sentence: what, where, how to mend it
├── ReadError       a file or folder holds no readable CT slice
├── RecipeError     a recipe holds an unknown key or an impossible value
├── CorpusError     a corpus is missing, incomplete or not what was asked for
├── ModelError      a model file is missing, damaged or of another kind
├── TableError      a table of scores lacks a column or holds no usable row
├── StoreError      a store of results is missing, newer than this program or no store
└── WriteError      a result could not be written whole, so nothing was written
"""

__all__ = [
    "CorpusError",
    "CtiqaError",
    "ModelError",
    "ReadError",
    "RecipeError",
    "StoreError",
    "TableError",
    "WriteError",
]


class CtiqaError(Exception):
    """One sentence for a person: what is wrong, where, and how to mend it."""


class ReadError(CtiqaError):
    """A file or folder holds no readable CT slice."""


class RecipeError(CtiqaError):
    """A recipe holds an unknown key or an impossible value."""


class CorpusError(CtiqaError):
    """A corpus is missing, incomplete or not what was asked for."""


class ModelError(CtiqaError):
    """A model file is missing, damaged or of another kind."""


class TableError(CtiqaError):
    """A table of scores lacks a column or holds no usable row."""


class StoreError(CtiqaError):
    """A store of results is missing, newer than this program or no store."""


class WriteError(CtiqaError):
    """A result could not be written whole, so nothing was written."""
