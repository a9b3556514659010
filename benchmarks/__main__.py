"""`python -m benchmarks [training] [generation]`: both if none is named."""

import argparse

import torch
from transformers.utils import logging

from benchmarks import generation, training

MEASUREMENTS = {"training": training.run, "generation": generation.run}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[[], *MEASUREMENTS], help="what to measure (default: everything)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each contender is measured (default: 7)")
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print("One thread, CPU time, contenders taking turns in one process, medians of the ratios.")
    for what in arguments.what or MEASUREMENTS:
        MEASUREMENTS[what](arguments.rounds)
