//! A link that can be cut: a UDP relay between a client and a server. Cut, it is the silence of a pulled
//! cable; nobody says goodbye.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// The largest UDP payload there is.
const UDP_BYTES_MAX: usize = 65_535;

/// A relay for one client.
pub struct Link {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Link {
    /// A link to a server.
    ///
    /// # Panics
    /// Where the system has no sockets.
    pub async fn to(server: SocketAddr) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let near = UdpSocket::bind(any).await.expect("a socket");
        let far = UdpSocket::bind(any).await.expect("a socket");
        far.connect(server).await.expect("loopback");
        let address = near.local_addr().expect("it is bound");
        let is_cut = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(relay(near, far, Arc::clone(&is_cut)));
        Self { address, is_cut, task }
    }

    /// Where the client connects to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets nothing through any more, either way.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// Lets everything through again.
    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(near: UdpSocket, far: UdpSocket, is_cut: Arc<AtomicBool>) {
    let (mut there, mut back) = (vec![0; UDP_BYTES_MAX], vec![0; UDP_BYTES_MAX]);
    let mut client = None;
    loop {
        tokio::select! {
            Ok((length, from)) = near.recv_from(&mut there) => {
                client = Some(from);
                if !is_cut.load(Ordering::Relaxed) {
                    // What does not arrive is a lost packet.
                    let _ = far.send(&there[..length]).await;
                }
            }
            Ok(length) = far.recv(&mut back) => {
                if let Some(client) = client.filter(|_| !is_cut.load(Ordering::Relaxed)) {
                    let _ = near.send_to(&back[..length], client).await;
                }
            }
        }
    }
}
