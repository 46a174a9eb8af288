"""The lobby's messages: who am I, which match, where is it."""

from .encoding import (BYTES, NOTHING, TEXT, U16, U32, U64, Choice, FixedBytes, IpAddress, List,
                       Names, Option, Structure, Text)
from .reasons import REASONS

ALPN = "matchkeep-lobby/1"

# A token of an identity provider.
IDENTITY = Text(3072)
GAME_VERSION = Structure(name=TEXT, rules=U32, schema=U64)

REQUEST = Choice(
    Authenticate=Structure(game=GAME_VERSION, who=Choice(name=TEXT, identity=IDENTITY),
                           binding=FixedBytes(32)),
    FindMatch=Structure(mode=TEXT),
    Locate=Structure(match=U64),
    Leave=Structure(match=U64),
    CreatePrivate=Structure(request=U64, mode=TEXT),
    JoinPrivate=Structure(code=Text(16)),
    Cancel=NOTHING,
    OpenParty=NOTHING,
    JoinParty=Structure(code=Text(16)),
    LeaveParty=NOTHING,
)

REASON = Names(*REASONS)

# The leader is the first of the members.
PARTY = Structure(code=TEXT, members=List(Structure(player=U64, name=TEXT)))

MESSAGE = Choice(
    Authenticated=Structure(player=U64),
    Assigned=Structure(match=U64, address=Option(IpAddress()), port=U16,
                       fingerprint=FixedBytes(32), code=Option(TEXT), ticket=BYTES),
    Left=NOTHING,
    Refused=Structure(reason=REASON),
    Queued=Structure(mode=TEXT, waited=U64, limit=U64),
    Unqueued=Structure(reason=REASON),
    Party=Option(PARTY),
)

# An answer is to the oldest request that has none yet; nobody asked for news.
REPLY = Choice(answer=MESSAGE, news=MESSAGE)
