//! Connections with TLS, as axum takes them.
//!
//! Owns: handshakes side by side, how many connections there are at once, and how long a silent one stays. Must
//! not know: HTTP.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::serve::Listener;
use matchkeep_shared::limits::{ADMIN_CONNECTIONS_MAX, ADMIN_HANDSHAKE_MAX, ADMIN_SILENCE_MAX};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Certificate;

/// Connections whose handshake is done.
pub(in crate::admin) struct TlsListener {
    accepted: mpsc::Receiver<(Connection, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Listens with the certificate that is in force when somebody connects.
    pub(in crate::admin) fn new(
        listener: TcpListener,
        certificate: Certificate,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, accepted) = mpsc::channel(ADMIN_CONNECTIONS_MAX);
        tokio::spawn(accept(listener, certificate, sender));
        Ok(Self { accepted, address })
    }
}

impl Listener for TlsListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            // The task that accepts ends with the runtime.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Takes connections; one that is slow to greet holds up nobody else.
async fn accept(
    mut listener: TcpListener,
    certificate: Certificate,
    accepted: mpsc::Sender<(Connection, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, from) = Listener::accept(&mut listener).await;
        let acceptor = TlsAcceptor::from(Arc::clone(&certificate.borrow()));
        let accepted = accepted.clone();
        tokio::spawn(async move {
            match timeout(ADMIN_HANDSHAKE_MAX, acceptor.accept(stream)).await {
                // Nobody takes it any more when the server stops.
                Ok(Ok(stream)) => drop(accepted.send((Connection::new(stream, place), from)).await),
                Ok(Err(error)) => tracing::debug!(%from, %error, "no TLS on the admin interface"),
                Err(_) => tracing::debug!(%from, "a TLS handshake took too long"),
            }
        });
    }
}

/// A connection with TLS. It ends when nothing came for too long.
pub(in crate::admin) struct Connection {
    stream: TlsStream<TcpStream>,
    silence: Pin<Box<Sleep>>,
    // Given back with the connection.
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TlsStream<TcpStream>, place: OwnedSemaphorePermit) -> Self {
        Self { stream, silence: Box::pin(sleep(ADMIN_SILENCE_MAX)), _place: place }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending() {
            ready!(self.silence.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.silence.as_mut().reset(Instant::now() + ADMIN_SILENCE_MAX);
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        // Whoever takes what is sent, such as a live view, is not silent.
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.silence.as_mut().reset(Instant::now() + ADMIN_SILENCE_MAX);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
