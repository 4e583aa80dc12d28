"""Who may connect, who may call what, and how much at once.

`tls` has the certificates and `tokens` the bearer tokens, both read again by `watched` when their
files change; `roles` says which role a method needs, `access` whether a call has it, `streams` how
many may be open; `gate` puts these before every method, and `audit` tells of what it refused.
`graphs` looks into models.
"""
