//! QUIC for a shard that is played: keys that need not be made anew, and no chance but the seed's.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use matchkeep_client::transport::tuning::{Side, transport_config};
use matchkeep_server::identity::{EndpointRole, ServerIdentity};
use matchkeep_server::matches::{Hashes, MatchOptions};
use matchkeep_server::rates::Rate;
use matchkeep_server::shard::core::CoreConfig;
use matchkeep_shared::ids::ShardId;
use matchkeep_shared::limits::{INCOMING_BUFFER_BYTES, INCOMING_BUFFER_TOTAL_BYTES, INCOMING_MAX};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::wire::ALPN_MATCH;
use quinn_proto::{ConnectionId, ConnectionIdGenerator, TimeSource};

use super::node::wide;

/// Keys are the same for all processes of all seeds: they are slow to make, and nothing depends on them.
pub fn identity() -> &'static ServerIdentity {
    static IDENTITY: OnceLock<ServerIdentity> = OnceLock::new();
    IDENTITY.get_or_init(|| ServerIdentity::ephemeral().expect("the system has random numbers"))
}

struct SeededIds(Rng);

impl ConnectionIdGenerator for SeededIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&std::array::from_fn::<u8, 8, _>(|_| self.0.next_u32() as u8))
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The time that QUIC's address tokens go by: they are good for weeks, and no seed lasts so long.
struct StillTime;

impl TimeSource for StillTime {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }
}

/// What a shard needs to begin, its chances drawn from `rng`.
pub(super) fn core_config(now: Instant, shard: ShardId, rng: &mut Rng) -> CoreConfig {
    let role = EndpointRole::Shard(shard);
    let mut server = identity().quic_server(role, &[ALPN_MATCH]).expect("the keys are good");
    server
        .transport_config(transport_config(Side::Server))
        .time_source(Arc::new(StillTime))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER_BYTES)
        .incoming_buffer_size_total(INCOMING_BUFFER_TOTAL_BYTES);
    let mut endpoint = identity().quic_endpoint(role);
    endpoint.rng_seed(Some(std::array::from_fn(|_| rng.next_u32() as u8)));
    let ids = Rng::new(wide(rng));
    let own = Box::new(SeededIds(ids.clone()));
    endpoint.cid_generator(move || Box::new(SeededIds(ids.clone())));
    CoreConfig {
        shard,
        endpoint: Arc::new(endpoint),
        ids: own,
        server: Arc::new(server),
        keys: identity().ticket_keys(),
        options: MatchOptions {
            journaled: true,
            hashes: Hashes::EveryTick,
            ..MatchOptions::default()
        },
        connections: Rate::ANY,
        identities: Rate::ANY,
        now,
    }
}
