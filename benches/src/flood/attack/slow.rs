//! Who reads nothing: players whose windows are too small for the welcome, some of whom do not even acknowledge; and
//! others who ask the lobby again and again and take no answer.

use std::sync::Arc;
use std::time::Instant;

use matchkeep_shared::arena::Arena;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{KEEP_ALIVE, LOBBY_MESSAGE_BYTES_MAX};
use matchkeep_shared::wire::ALPN_LOBBY;
use matchkeep_shared::wire::frame::write_frame;
use matchkeep_shared::wire::lobby::LobbyRequest;
use matchkeep_shared::wire::message::GameVersion;
use quinn_proto::{TransportConfig, VarInt};

use super::player::ask_to_join;
use super::{Attacker, Outcome, Target};
use crate::flood::pace::Pace;
use crate::flood::puppet::Puppet;

/// Players in matches.
const PLAYERS: usize = 24;
/// Of these, every so-many-th falls silent altogether.
const SILENT_EVERY: usize = 2;
/// At the lobby.
const VISITORS: usize = 24;
/// Requests of each a second: fewer than would be a flood.
const REQUESTS_PER_SECOND: u64 = 8;
/// What they have room for: less than a handful of the lobby's answers, in bytes.
const WINDOW_BYTES: u32 = 24;

pub(super) struct SlowReaders {
    players: Vec<Puppet>,
    visitors: Vec<Puppet>,
}

impl SlowReaders {
    pub(super) fn prepare(target: &Target) -> anyhow::Result<Self> {
        let player = |number| ask_to_join(target, number, narrow(), &|keys| Arc::new(keys));
        let visitor = |number: usize| {
            let mut puppet =
                Puppet::connect(target.lobby, target.fingerprint, ALPN_LOBBY, narrow())?;
            let who = format!("{}v{number}", target.name).as_str().into();
            let game = GameVersion::of::<Arena>();
            puppet.write(&framed(&LobbyRequest::Authenticate { game, who, binding: [0; 32] })?)?;
            puppet.drive()?;
            Ok(puppet)
        };
        Ok(Self {
            players: (0..PLAYERS).map(player).collect::<anyhow::Result<_>>()?,
            visitors: (0..VISITORS).map(visitor).collect::<anyhow::Result<_>>()?,
        })
    }
}

/// A client that has hardly any room for what streams bring.
fn narrow() -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config
        .keep_alive_interval(Some(KEEP_ALIVE))
        .stream_receive_window(VarInt::from_u32(WINDOW_BYTES))
        .receive_window(VarInt::from_u32(WINDOW_BYTES));
    Arc::new(config)
}

fn framed(request: &LobbyRequest) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_frame(request, LOBBY_MESSAGE_BYTES_MAX, &mut bytes)?;
    Ok(bytes)
}

impl Attacker for SlowReaders {
    fn attack(&mut self, until: Instant, outcome: &mut Outcome) -> anyhow::Result<()> {
        let request = framed(&LobbyRequest::Locate { match_id: MatchId(1) })?;
        let mut requests = Pace::new(REQUESTS_PER_SECOND);
        outcome.connections += (self.players.len() + self.visitors.len()) as u64;
        while Instant::now() < until {
            for _ in 0..requests.wait() {
                for visitor in &mut self.visitors {
                    // Where the server takes no more, that is its answer.
                    outcome.count("requests", u64::from(visitor.write(&request).is_ok()));
                }
            }
            let awake = self.players.iter_mut().step_by(SILENT_EVERY);
            for puppet in awake.chain(&mut self.visitors) {
                puppet.drive()?;
            }
        }
        for puppet in self.players.iter_mut().chain(&mut self.visitors) {
            puppet.drive()?;
            outcome.datagrams_sent += puppet.sent;
            outcome.end(puppet.end().unwrap_or_else(|| "still there".into()));
        }
        Ok(())
    }
}
