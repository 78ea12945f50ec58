"""Data: loaders, splits, and preprocessing that is fitted on the training part only."""

from .dataset import Dataset
from .errors import DataError, DataWarning
from .loading import load
from .preprocessing import ZCA, NormalizeImages, Standardize
from .splitting import random_split, stratified_split, stratified_subset

__all__ = [
    "ZCA",
    "DataError",
    "DataWarning",
    "Dataset",
    "NormalizeImages",
    "Standardize",
    "load",
    "random_split",
    "stratified_split",
    "stratified_subset",
]
