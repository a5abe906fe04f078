"""(12.5-12.8, 12.11) MOTN: how the splats of the chunk before it move and change.

Each model has a module with its fields, read and written side by side, its integers, and their values at a
moment. `read_motion` reads any of them.
"""

from gscodec.motion.bases import Bases, TimeFunctions, read_bases
from gscodec.motion.reading import Motion, read_motion
from gscodec.motion.shown import Shown

__all__ = ["Bases", "Motion", "Shown", "TimeFunctions", "read_bases", "read_motion"]
