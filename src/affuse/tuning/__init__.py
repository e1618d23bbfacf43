"""Search of settings on the validation part: the space, the shared study, its workers and report.

Importing this package needs torch and Optuna; `affuse.tuning.request` says so in one line where
they are absent.
"""
