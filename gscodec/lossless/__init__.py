"""(11) The lossless profile: a PLY file that comes back byte for byte.

`description` is the section LPLY, `model` LPAR, `rows` LROW; `text` is for rows of ASCII files, `file` for
the whole.
"""

from gscodec.lossless.description import Column, Description
from gscodec.lossless.file import LosslessFile, is_lossless, read_lossless, write_lossless

__all__ = ["Column", "Description", "LosslessFile", "is_lossless", "read_lossless", "write_lossless"]
