"""A client of Matchkeep servers, written from docs/PROTOCOL.md and docs/ARENA.md alone.

Read the modules in this order: `encoding` and `frames` (what streams carry), `bits` (what datagrams
are made of), `lobby` and `match` (the messages), `snapshot` and `datagrams` (the plain codec and
what surrounds it), `arena` (what is the game's own), then `connection`, `session` and `player`
(what a client does with all that).
"""
