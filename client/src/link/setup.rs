//! QUIC's settings for a client: the endpoint, and the connections to each server.

use std::sync::{Arc, Mutex, PoisonError};

use matchkeep_shared::rng::Rng;
use matchkeep_shared::wire::ALPN_MATCH;
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::{
    ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, HashedConnectionIdGenerator,
};
use ring::hmac;
use ring::rand::SystemRandom;

use crate::transport::Fingerprint;
use crate::transport::tls::client_config;
use crate::transport::tuning::{Side, return_config, transport_config};

/// Servers whose settings are kept, so that each connection does not cost a set of them.
const SERVERS_KEPT_MAX: usize = 16;
/// Bytes of a connection ID of ours.
const ID_BYTES: usize = 8;
/// Bytes of the ID that a connection's first packet is addressed to; the most there can be.
const FIRST_ID_BYTES: usize = 20;
const KEY_BYTES: usize = 32;

/// An endpoint for clients, QUIC version 1 only. With a seed everything that QUIC draws comes from it, for
/// simulations.
pub fn endpoint_config(seed: Option<u64>) -> EndpointConfig {
    let key = match seed {
        Some(seed) => hmac::Key::new(hmac::HMAC_SHA256, &drawn::<KEY_BYTES>(&mut Rng::new(seed))),
        None => hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .expect("the system has random numbers"),
    };
    let mut config = EndpointConfig::new(Arc::new(key));
    config.supported_versions(vec![1]);
    match seed {
        Some(seed) => {
            let mut rng = Rng::new(!seed);
            config.rng_seed(Some(drawn(&mut rng)));
            config.cid_generator(move || Box::new(SeededIds(rng.clone())));
        }
        None => {
            config.cid_generator(|| Box::new(HashedConnectionIdGenerator::new()));
        }
    }
    config
}

fn drawn<const BYTES: usize>(rng: &mut Rng) -> [u8; BYTES] {
    std::array::from_fn(|_| rng.next_u32() as u8)
}

/// Connection IDs that repeat with their seed.
struct SeededIds(Rng);

impl ConnectionIdGenerator for SeededIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&drawn::<ID_BYTES>(&mut self.0))
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

/// The settings of connections, by the server they lead to.
pub(super) struct Configs {
    kept: Vec<(Fingerprint, ClientConfig)>,
    ids: Option<Arc<Mutex<Rng>>>,
}

impl Configs {
    /// Where there is a seed the first IDs of connections come from it.
    pub(super) fn new(seed: Option<u64>) -> Self {
        let ids = seed.map(|seed| Arc::new(Mutex::new(Rng::new(seed ^ 1))));
        Self { kept: Vec::new(), ids }
    }

    /// For a connection to the server with this certificate: a first one, or one that brings a player back.
    pub(super) fn of(&mut self, fingerprint: Fingerprint, comes_back: bool) -> ClientConfig {
        let kept = self.kept.iter().find(|(known, _)| *known == fingerprint);
        let mut config = match kept {
            Some((_, config)) => config.clone(),
            None => {
                let config = self.made(fingerprint);
                if self.kept.len() == SERVERS_KEPT_MAX {
                    self.kept.remove(0);
                }
                self.kept.push((fingerprint, config.clone()));
                config
            }
        };
        if comes_back {
            config.transport_config(return_config());
        }
        config
    }

    fn made(&self, fingerprint: Fingerprint) -> ClientConfig {
        let crypto = QuicClientConfig::try_from(client_config(&fingerprint.into(), ALPN_MATCH))
            .expect("the cipher of QUIC's first packets is among ours");
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(transport_config(Side::Client));
        if let Some(ids) = &self.ids {
            let ids = Arc::clone(ids);
            config.initial_dst_cid_provider(Arc::new(move || {
                let mut rng = ids.lock().unwrap_or_else(PoisonError::into_inner);
                ConnectionId::new(&drawn::<FIRST_ID_BYTES>(&mut rng))
            }));
        }
        config
    }
}
