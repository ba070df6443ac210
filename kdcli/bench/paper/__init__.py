"""The paper's tables and figures from our own runs: ``python -m kdcli.bench.paper --help``.

Sanghvi, Chi and Chan, *Kernel Diffusion: An Alternate Approach to Blind Deconvolution*, ECCV 2024.
"""
