"""How parameters learn: which optimizer moves which parameter, and how large its steps are (chapter 5)."""

from course_lib.optim.muon import Muon
from course_lib.optim.recipes import adamw, muon_with_adamw
from course_lib.optim.schedules import constant, warmup_cosine

__all__ = ["Muon", "adamw", "constant", "muon_with_adamw", "warmup_cosine"]
