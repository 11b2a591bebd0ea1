"""The part of conda that plugins see. conda itself is in no registry that tests can install it from.

It finds, loads and calls plugins as conda 26 does: conda/plugins/manager.py, conda/cli/conda_argparse.py.
"""
