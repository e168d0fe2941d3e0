"""For torch: dictionaries of tensors to files and back, and data sets that read such files."""

from .tensors import load as load
from .tensors import load_file as load_file
from .tensors import save as save
from .tensors import save_file as save_file

from ..recording import record as record  # isort: skip - .tensors says what is missing
from ..sensitivity import sensitivity as sensitivity  # isort: skip
from .dataset import FeatureDataset as FeatureDataset
from .sampler import RowGroupSampler as RowGroupSampler
from .stream import FeatureStream as FeatureStream
