"""The library under the book and the exercises of "Train your own mini GPT".

Rooms, from the ground floor up: `text` → `gpt` → `optim` → `train`; `grading` stands apart, for instructors.
A room imports only from the floors below it. Importing this package loads nothing heavy.
"""

__version__ = "0.1.0"
