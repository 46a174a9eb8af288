"""One QUIC connection to a server that is known by the fingerprint of its certificate."""

import asyncio
import hashlib
import ssl

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (ConnectionTerminated, DatagramFrameReceived, HandshakeCompleted,
                                 StreamDataReceived)
from aioquic.quic.packet import QuicProtocolVersion
from cryptography.hazmat.primitives.serialization import Encoding

from . import encoding, frames
from .reasons import name_of

# A close code that is no reason of the table: this client does not say why.
NO_REASON = 0x100
# How often something is sent where there is nothing to say, in seconds: a connection ends after
# 8 s of silence.
KEEP_ALIVE = 2


class Closed(ConnectionError):
    """The connection is over; `reason` is a name of the table of reasons, or says what happened."""

    def __init__(self, reason, phrase=""):
        super().__init__(f"{reason}: {phrase}" if phrase else reason)
        self.reason = reason


class Connection(QuicConnectionProtocol):
    """A connection with its one stream, framed, and its datagrams.

    `on_message` and `on_datagram` are called with what comes, `on_closed` once with a `Closed`.
    """

    def __init__(self, quic, fingerprint, limit):
        super().__init__(quic)
        self._fingerprint = fingerprint
        self._frames = frames.FrameReader(limit)
        self._stream = None
        self.closed = None
        self.on_message = self.on_datagram = self.on_closed = lambda _: None

    def send_message(self, message, limit):
        """Sends one message on the stream, which the first one opens."""
        if self.closed:
            raise self.closed
        if self._stream is None:
            self._stream = self._quic.get_next_available_stream_id()
        self._quic.send_stream_data(self._stream, frames.frame(message, limit))
        self.transmit()

    def send_datagram(self, data):
        """Sends a datagram: once, and perhaps in vain."""
        if not self.closed:
            self._quic.send_datagram_frame(data)
            self.transmit()

    def keep_alive(self):
        """Sends something from time to time, until the connection is over."""
        if not self.closed:
            self._quic.send_ping(0)
            self.transmit()
            asyncio.get_running_loop().call_later(KEEP_ALIVE, self.keep_alive)

    def end(self, reason="closed here", phrase=""):
        """Closes the connection. With the code 0, `left`, a place would be given up."""
        self.close(error_code=NO_REASON, reason_phrase=phrase)
        self._over(Closed(reason, phrase))

    def quic_event_received(self, event):
        if self.closed:
            return
        try:
            self._take(event)
        except encoding.DecodeError as error:
            self.end("undecodable", str(error))

    def _take(self, event):
        if isinstance(event, HandshakeCompleted):
            self._check_certificate()
        elif isinstance(event, StreamDataReceived):
            for message in self._frames.feed(event.data):
                self.on_message(message)
        elif isinstance(event, DatagramFrameReceived):
            self.on_datagram(event.data)
        elif isinstance(event, ConnectionTerminated):
            # A close of QUIC's own names the frame it is about, an application's names none.
            reason = name_of(event.error_code) if event.frame_type is None else "transport"
            self._over(Closed(reason, event.reason_phrase))

    def _check_certificate(self):
        # By now TLS has verified that the server has the key of this certificate (CertificateVerify);
        # whose certificate it is, only the fingerprint says. aioquic has no public way to ask for it.
        certificate = self._quic.tls._peer_certificate
        if hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest() != self._fingerprint:
            self.end("certificate", "the server shows another one than it should")

    def _over(self, closed):
        self.closed = closed
        self._transport.close()
        self.on_closed(closed)


async def connect(address, port, fingerprint, alpn, limit, timeout=1.5):
    """A connection to a server that has shown the certificate with this SHA-256."""
    configuration = QuicConfiguration(
        alpn_protocols=[alpn],
        is_client=True,
        server_name="matchkeep",
        supported_versions=[QuicProtocolVersion.VERSION_1],
        max_datagram_frame_size=65535,
        # No authority vouches for the certificate: the fingerprint does, once the handshake is done.
        verify_mode=ssl.CERT_NONE,
    )
    family_any = "::" if ":" in address else "0.0.0.0"
    _, connection = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Connection(QuicConnection(configuration=configuration), fingerprint, limit),
        local_addr=(family_any, 0))
    connection.connect((address, port))
    connected = False
    try:
        async with asyncio.timeout(timeout):
            await connection.wait_connected()
        connected = True
    except (ConnectionError, TimeoutError) as error:
        raise connection.closed or Closed("unreachable", "the handshake did not end in time") from error
    finally:
        # Also where whoever waited for it does not want it any more.
        if not connected and not connection.closed:
            connection.end()
    if connection.closed:
        raise connection.closed
    return connection
