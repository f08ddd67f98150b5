"""The one place where files of unknown origin are opened: pickles, numpy, HDF5, XML, zip, gzip and torch files.

Nothing that a file contains is run, no link out of it is followed, and the memory that its parts need together is
bounded (`memory_limit`) before they are unpacked. Whatever is wrong becomes a `DamagedFileError`.
"""

from mvlift.safe_reading.archives import list_zip, read_zip, unpack_gzip
from mvlift.safe_reading.hdf5 import Hdf5
from mvlift.safe_reading.json_files import checked, decode_json, read_json, read_text
from mvlift.safe_reading.limits import TEXT_FACTOR, MemoryBudget, memory_limit
from mvlift.safe_reading.numpy_files import load_npy, load_npz, unpickle
from mvlift.safe_reading.plain_values import named_arrays, plain_document
from mvlift.safe_reading.rational import parse_fraction
from mvlift.safe_reading.torch_files import load_torch
from mvlift.safe_reading.xml_files import parse_xml

__all__ = [
    "TEXT_FACTOR",
    "Hdf5",
    "MemoryBudget",
    "checked",
    "decode_json",
    "list_zip",
    "load_npy",
    "load_npz",
    "load_torch",
    "memory_limit",
    "named_arrays",
    "parse_fraction",
    "parse_xml",
    "plain_document",
    "read_json",
    "read_text",
    "read_zip",
    "unpack_gzip",
    "unpickle",
]
