//! Raw UDP, both sides: what no server can avoid. One thread, a shard's kind of wait; at each tick of a
//! group it reads what has come and sends one datagram to each of the group's clients.
//!
//! It does less than a server must on purpose. Nothing wakes it but its ticks, so that it makes no more
//! system calls than one for each datagram and three for each tick; and its clients read when they send,
//! so that no datagram has to wake a process on the other core. Sizes, rate, stagger, number of sockets and
//! pinning are those of the server's run.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use clap::Args;
use matchkeep_shared::limits::SOCKET_BUFFER_BYTES;
use matchkeep_shared::time::TickRate;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use serde::{Deserialize, Serialize};

use super::bots::BATCH;
use super::child::{end_with_parent, say};
use crate::machine::{pin_process, process_cpu};
use crate::metronome::Metronome;

/// The number of the client, in front of each datagram.
const NUMBER_BYTES: usize = 4;
/// Longer than any datagram.
const BUFFER_BYTES: usize = 2048;
/// Seconds of play before the window begins.
const WARM_SECONDS: u64 = 1;
/// How long the clients may take to show up.
const CLIENTS_WITHIN: Duration = Duration::from_secs(10);

/// What either side plays.
#[derive(Clone, Debug, Args)]
struct SideArgs {
    #[arg(long)]
    core: usize,
    #[arg(long)]
    players: usize,
    #[arg(long)]
    per_match: usize,
    #[arg(long)]
    hz: u16,
    /// Of each datagram sent.
    #[arg(long)]
    bytes: usize,
}

/// What the echo plays.
#[derive(Clone, Debug, Args)]
pub struct EchoArgs {
    #[command(flatten)]
    side: SideArgs,
    #[arg(long)]
    seconds: u64,
}

/// What the echo's clients play.
#[derive(Clone, Debug, Args)]
pub struct EchoClientsArgs {
    #[command(flatten)]
    side: SideArgs,
    #[arg(long)]
    to: SocketAddr,
}

/// The first thing the echo says.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Listening {
    /// Where.
    pub at: SocketAddr,
}

/// What the echo did in its window.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct EchoWindow {
    pub cpu_us: f64,
    pub received: u64,
    pub sent: u64,
    pub unsent: u64,
}

/// Plays the echo; it ends by itself.
///
/// # Errors
/// Where the system refuses a socket, or the clients do not come.
pub fn run(args: &EchoArgs) -> anyhow::Result<()> {
    let EchoArgs { side, seconds } = args;
    end_with_parent()?;
    pin_process(side.core)?;
    let socket = socket()?;
    say(&Listening { at: socket.local_addr()? })?;
    let rate = TickRate::try_from(side.hz)?;
    let groups = side.players / side.per_match;
    let mut echo = Echo {
        socket,
        clients: vec![None; side.players],
        buffer: [0; BUFFER_BYTES],
        payload: vec![0xa5; side.bytes],
        per_group: side.per_match,
        window: EchoWindow::default(),
    };
    let mut metronome = Metronome::new(rate, groups)?;
    let start = Instant::now();
    while echo.clients.contains(&None) {
        echo.tick(metronome.wait()?)?;
        anyhow::ensure!(start.elapsed() < CLIENTS_WITHIN, "not all clients of the echo came");
    }
    let ticks = |seconds: u64| seconds * rate.hz() * groups as u64;
    for _ in 0..ticks(WARM_SECONDS) {
        echo.tick(metronome.wait()?)?;
    }
    echo.window = EchoWindow::default();
    let before = process_cpu();
    for _ in 0..ticks(*seconds) {
        echo.tick(metronome.wait()?)?;
    }
    echo.window.cpu_us = (process_cpu() - before).as_secs_f64() * 1e6;
    say(&echo.window)
}

struct Echo {
    socket: UdpSocket,
    /// Where each client was heard from.
    clients: Vec<Option<SocketAddr>>,
    buffer: [u8; BUFFER_BYTES],
    payload: Vec<u8>,
    per_group: usize,
    window: EchoWindow,
}

impl Echo {
    fn tick(&mut self, group: usize) -> io::Result<()> {
        while let Some((bytes, from)) = receive(&self.socket, &mut self.buffer)? {
            self.window.received += 1;
            if let Some(number) = self.buffer[..bytes].first_chunk::<NUMBER_BYTES>() {
                let number = u32::from_le_bytes(*number) as usize;
                if let Some(client) = self.clients.get_mut(number) {
                    *client = Some(from);
                }
            }
        }
        let group = &self.clients[group * self.per_group..][..self.per_group];
        for client in group.iter().flatten() {
            match self.socket.send_to(&self.payload, client) {
                Ok(_) => self.window.sent += 1,
                Err(_) => self.window.unsent += 1,
            }
        }
        Ok(())
    }
}

/// Plays the clients, until the parent ends them.
///
/// # Errors
/// Where the system refuses a socket.
pub fn run_clients(args: &EchoClientsArgs) -> anyhow::Result<()> {
    let EchoClientsArgs { side, to } = args;
    end_with_parent()?;
    pin_process(side.core)?;
    let sockets = side.players.div_ceil(BATCH);
    let sockets: Vec<UdpSocket> = (0..sockets).map(|_| socket()).collect::<io::Result<_>>()?;
    let rate = TickRate::try_from(side.hz)?;
    let mut metronome = Metronome::new(rate, side.players / side.per_match)?;
    let mut buffer = [0; BUFFER_BYTES];
    let mut payload = vec![0x5a; side.bytes.max(NUMBER_BYTES)];
    loop {
        let group = metronome.wait()?;
        for client in group * side.per_match..(group + 1) * side.per_match {
            payload[..NUMBER_BYTES].copy_from_slice(&(client as u32).to_le_bytes());
            // What the kernel does not take is lost, as elsewhere.
            let _ = sockets[client / BATCH].send_to(&payload, to);
        }
        for socket in &sockets {
            while receive(socket, &mut buffer)?.is_some() {}
        }
    }
}

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    // A smaller buffer than asked for is no error; a shard asks for the same.
    let _ = set_socket_recv_buffer_size(&socket, SOCKET_BUFFER_BYTES);
    let _ = set_socket_send_buffer_size(&socket, SOCKET_BUFFER_BYTES);
    Ok(socket)
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
    match socket.recv_from(buffer) {
        Ok(received) => Ok(Some(received)),
        // The other side may be gone, or not there yet.
        Err(error)
            if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionRefused) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
