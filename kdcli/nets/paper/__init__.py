"""The two published networks, for the files that their authors offer; see ``kdcli/weights/published.py``.

``KernelUNet`` is Kernel-Diff's (Sanghvi, Chi and Chan, ECCV 2024), ``DWDN`` its non-blind solver (Dong, Roth
and Schiele, NeurIPS 2020). Their parameters bear the names of those files, and what they compute agrees
with the authors' public code within rounding.
"""
