//! What tests of the core begin with: a shard without players, and a small match.

use std::sync::Arc;
use std::time::Instant;

use matchkeep_shared::Game;
use matchkeep_shared::arena::Arena;
use matchkeep_shared::game::{MapSource, ModeSpec};
use matchkeep_shared::ids::{MatchId, ShardId};
use matchkeep_shared::time::TickRate;
use matchkeep_shared::wire::ALPN_MATCH;

use super::CoreConfig;
use crate::identity::{EndpointRole, ServerIdentity};
use crate::matches::{MatchOptions, MatchSpec};
use crate::rates::Rate;

/// For a shard that lets everybody in, and is as old as the test.
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
pub(super) fn core_config() -> CoreConfig {
    let identity = ServerIdentity::ephemeral().expect("keys are made");
    let role = EndpointRole::Shard(ShardId(0));
    CoreConfig {
        shard: ShardId(0),
        endpoint: Arc::new(identity.quic_endpoint(role)),
        ids: Box::new(identity.connection_ids(role)),
        server: Arc::new(identity.quic_server(role, &[ALPN_MATCH]).expect("a certificate")),
        keys: identity.ticket_keys(),
        options: MatchOptions::default(),
        connections: Rate::ANY,
        identities: Rate::ANY,
        now: Instant::now(),
    }
}

/// A duel.
pub(super) fn spec(id: MatchId, mode: &str) -> MatchSpec<<Arena as Game>::Config> {
    let rules = Default::default();
    let map = Some(MapSource::Named("duel"));
    let config = ModeSpec { players_max: 2, players_min: 2, teams: 0, map, rules: &rules };
    MatchSpec {
        id,
        mode: mode.into(),
        places: 2,
        rate: TickRate::default(),
        hold_ticks: 60,
        config: Arena::configure(&config).expect("a mode as it should be"),
        seed: 1,
    }
}
