"""What the people who run a server see of it: calls, answers, metrics and the log.

`calls` counts and names every call, `assets` remembers the newest answer about each asset, `models`
says what the engine has done, `metrics` shows all of that to Prometheus; `logs` writes the log.
"""
