"""Search of settings on the validation part: the space, the shared study, its workers and outcome.

Importing this package needs torch and Optuna; the command `affuse tune` says so in one line where
they are absent.
"""
