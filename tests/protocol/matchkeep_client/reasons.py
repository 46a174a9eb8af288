"""Why something was refused, or a connection ended: the table of reasons."""

# In the order of the table: a position in it is what Refused carries.
REASONS = {
    "left": 0,
    "match_ended": 1,
    "server_shutdown": 2,
    "replaced": 3,
    "kicked": 4,
    "idle_timeout": 5,
    "join_timeout": 6,
    "connection_lost": 7,
    "storage_failed": 8,
    "join_undone": 9,
    "ticket_invalid": 16,
    "ticket_expired": 17,
    "ticket_used": 18,
    "match_unknown": 19,
    "match_full": 20,
    "match_over": 21,
    "token_invalid": 22,
    "token_expired": 23,
    "match_quarantined": 24,
    "game_mismatch": 32,
    "codec_unknown": 33,
    "malformed_datagram": 34,
    "oversized_datagram": 35,
    "malformed_message": 36,
    "oversized_message": 37,
    "unexpected_message": 38,
    "datagram_flood": 39,
    "input_too_far_ahead": 40,
    "slow_reader": 41,
    "path_too_small": 42,
    "request_flood": 43,
    "server_full": 48,
    "name_invalid": 49,
    "mode_unknown": 50,
    "storage_full": 51,
    "internal": 63,
    "code_unknown": 64,
}


def name_of(code):
    """The name of a close code; of one that the table does not have, its number."""
    return next((name for name, number in REASONS.items() if number == code), f"code {code}")
