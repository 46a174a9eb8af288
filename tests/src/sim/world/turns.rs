//! Whose turn it is, and what is carried between them.

use std::collections::VecDeque;
use std::net::SocketAddr;

use matchkeep_server::control::LobbySaid;

use super::{Event, SERVER_IP, World};
use crate::sim::clients::ClientTurn;
use crate::sim::node::{Fate, SHARD_PORT};
use crate::sim::shard::Turn;

impl World {
    pub(super) fn turn_node(&mut self) {
        let (now, at) = (self.now, self.now - self.begun);
        let Some(node) = &mut self.node else { return };
        let mut sent = Vec::new();
        let mut turn = Turn {
            now,
            unix_ms: 0,
            at,
            process: self.process,
            witness: &mut self.witness,
            trace: &mut self.trace,
            sent: &mut sent,
        };
        let fate = node.turn(&mut turn);
        let answers = std::mem::take(&mut node.answers);
        if !node.has_note {
            self.machine.hung.clear();
            node.has_note = true;
        }
        for (shard, to, bytes) in sent {
            self.send_down(shard, to, bytes);
        }
        for (to, answer) in answers {
            if let Some(at) = self.network.carry_lobby(now, &mut self.tally) {
                self.at(at, Event::LobbyTell { connection: to.0, answer });
            }
        }
        match fate {
            Fate::Running => self.end_early(),
            Fate::Dead => {
                self.tally.count("crash_in_flush");
                self.end_process();
            }
            Fate::Ended { is_clean } => {
                let had_trouble = self.node.as_ref().is_some_and(|node| node.had_trouble);
                if self.machine.disk.is_off() {
                    self.tally.count("fsync_failed");
                }
                self.stopped_cleanly = is_clean && !had_trouble;
                self.end_process();
            }
        }
    }

    pub(super) fn turn_clients(&mut self) {
        for index in 0..self.clients.len() {
            self.turn_client(index, None);
        }
    }

    pub(super) fn tell(&mut self, connection: u64, answer: LobbySaid) {
        if let Some(client) = self.connections.get(&connection).copied() {
            self.turn_client(client, Some((connection, answer)));
        }
    }

    pub(super) fn turn_client(&mut self, index: usize, told: Option<(u64, LobbySaid)>) {
        let (now, at) = (self.now, self.now - self.begun);
        let mut packets = Vec::new();
        let mut requests = Vec::new();
        let mut turn = ClientTurn {
            now,
            at,
            witness: &mut self.witness,
            trace: &mut self.trace,
            machine: &self.machine,
            inputs: &mut self.inputs,
            connections: &mut self.connection_count,
            packets: &mut packets,
            requests: &mut requests,
        };
        let client = &mut self.clients[index];
        if let Some((connection, answer)) = told {
            client.hear_lobby(&mut turn, connection, answer);
        }
        client.turn(&mut turn);
        for (to, bytes) in packets {
            self.send_up(index, to, bytes);
        }
        for (connection, request) in requests {
            self.connections.insert(connection, index);
            if let Some(at) = self.network.carry_lobby(now, &mut self.tally) {
                self.at(at, Event::LobbyAsk { connection, request });
            }
        }
    }

    pub(super) fn send_up(&mut self, client: usize, to: SocketAddr, bytes: Vec<u8>) {
        let now = self.now;
        self.note(format_args!("> {client} {} {}", to.port(), bytes.len()));
        let from = self.clients[client].address;
        if self.clients[client].cut_up.is_some_and(|until| until > now) {
            self.tally.count("partition_to_server");
            return;
        }
        let shard = usize::from(to.port() - SHARD_PORT);
        let mut arrivals = VecDeque::new();
        self.network
            .carry(now, bytes, &mut self.tally, |at, bytes| arrivals.push_back((at, bytes)));
        for (at, bytes) in arrivals {
            self.at(at, Event::ToShard { shard, from, bytes });
        }
    }

    pub(super) fn send_down(&mut self, shard: usize, to: SocketAddr, bytes: Vec<u8>) {
        let now = self.now;
        self.note(format_args!("< {shard} {to} {}", bytes.len()));
        let from = SocketAddr::new(SERVER_IP, SHARD_PORT + shard as u16);
        let Some(client) = self.clients.iter().position(|client| client.address == to) else {
            return;
        };
        let mut arrivals = VecDeque::new();
        self.network
            .carry(now, bytes, &mut self.tally, |at, bytes| arrivals.push_back((at, bytes)));
        for (at, bytes) in arrivals {
            self.at(at, Event::ToClient { client, from, bytes });
        }
    }
}
