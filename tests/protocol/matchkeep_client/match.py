"""The messages of a match's stream."""

from .encoding import (BYTE, BYTES, I64, NOTHING, TEXT, U16, U32, U64, Bytes, Choice, List,
                       Option, Structure, Text)
from .lobby import GAME_VERSION, IDENTITY

ALPN = "matchkeep-match/1"
PLAIN_CODEC = 1

CLIENT_MESSAGE = Choice(
    Join=Structure(game=GAME_VERSION, codecs=Bytes(8), credential=Choice(ticket=BYTES, token=BYTES)),
    Leave=NOTHING,
    Identity=IDENTITY,
)

OUTCOME = Structure(
    reason=TEXT,
    players=List(Structure(player=U64, name=TEXT, team=Option(BYTE), place=U32, score=I64,
                           stats=List(Structure(name=TEXT, value=I64)))),
)

SERVER_MESSAGE = Choice(
    Welcome=Structure(match=U64, player=U64, slot=BYTE, epoch=U32, tick=U64, resumed=U64, rate=U16,
                      codec=BYTE, hold=U32, token=BYTES, config=BYTES),
    Event=Structure(epoch=U32, tick=U64, event=BYTES),
    Ended=Structure(epoch=U32, tick=U64, outcome=OUTCOME),
    Token=BYTES,
    Resumed=Structure(epoch=U32, tick=U64),
    Notice=Structure(text=Text(512)),
)
