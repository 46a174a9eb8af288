//! The node: where it is reached, how its shards are.

use std::net::SocketAddr;

use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use matchkeep_shared::ids::ShardId;
use serde::{Deserialize, Serialize};

use super::openapi::Refused;
use super::{Admin, unanswered};
use crate::control::questions::{NodeView, Question, ShardView, Unanswered};
use crate::node::Endpoints;
use crate::shard::stats::Summary;

/// A node as programs read it; units are in the names.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) struct NodeDocument {
    pub(crate) pid: u32,
    pub(crate) game: String,
    pub(crate) rules_version: u32,
    pub(crate) ready: bool,
    pub(crate) running_ms: u64,
    #[schema(value_type = String)]
    pub(crate) lobby: SocketAddr,
    pub(crate) lobby_fingerprint: String,
    #[schema(value_type = String)]
    pub(crate) admin: SocketAddr,
    #[serde(default)]
    pub(crate) admin_tls: bool,
    pub(crate) matches: u64,
    pub(crate) players: u64,
    pub(crate) shards: Vec<ShardDocument>,
}

/// A shard as programs read it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct ShardDocument {
    pub(crate) shard: ShardId,
    #[schema(value_type = String)]
    pub(crate) address: SocketAddr,
    pub(crate) matches: u64,
    pub(crate) matches_standing: u64,
    pub(crate) players: u64,
    pub(crate) connections: u64,
    pub(crate) entities: u64,
    pub(crate) ticks: u64,
    pub(crate) ticks_skipped: u64,
    pub(crate) tick_lateness_us: Summary,
    pub(crate) tick_work_us: Summary,
    /// What receiving costs for each tick.
    pub(crate) receive_us: f64,
    pub(crate) udp_received_bytes: u64,
    pub(crate) udp_sent_bytes: u64,
    pub(crate) udp_dropped: u64,
    pub(crate) receive_buffer_bytes: u64,
}

impl From<ShardView> for ShardDocument {
    fn from(view: ShardView) -> Self {
        let stats = view.stats;
        Self {
            shard: view.shard,
            address: view.address,
            matches: stats.matches,
            matches_standing: stats.matches_standing,
            players: stats.players,
            connections: stats.connections,
            entities: stats.entities,
            ticks: stats.ticks,
            ticks_skipped: stats.ticks_skipped,
            tick_lateness_us: stats.tick_lateness.summary(),
            tick_work_us: stats.tick_work.summary(),
            receive_us: stats.receive_for_each_tick().as_secs_f64() * 1e6,
            udp_received_bytes: stats.udp_received_bytes,
            udp_sent_bytes: stats.udp_sent_bytes,
            udp_dropped: stats.udp_dropped,
            receive_buffer_bytes: view.receive_buffer_bytes as u64,
        }
    }
}

impl NodeDocument {
    fn new(view: NodeView, endpoints: &Endpoints) -> Self {
        let shards: Vec<ShardDocument> = view.shards.into_iter().map(ShardDocument::from).collect();
        Self {
            pid: endpoints.pid,
            game: view.game.to_owned(),
            rules_version: view.rules_version,
            ready: view.is_ready,
            running_ms: view.running.as_millis() as u64,
            lobby: endpoints.lobby,
            lobby_fingerprint: endpoints.lobby_fingerprint.clone(),
            admin: endpoints.admin,
            admin_tls: endpoints.admin_tls,
            matches: shards.iter().map(|shard| shard.matches).sum(),
            players: shards.iter().map(|shard| shard.players).sum(),
            shards,
        }
    }
}

/// The running server and its shards.
#[utoipa::path(
    get,
    path = "/v1/node",
    tag = "node",
    responses((status = 200, description = "The node", body = NodeDocument), Refused),
)]
pub(super) async fn show(State(admin): State<Admin>) -> Response {
    match look(admin).await {
        Ok(document) => Json(document).into_response(),
        Err(why) => unanswered(&why),
    }
}

/// The node as it is now.
pub(super) async fn look(admin: Admin) -> Result<NodeDocument, Unanswered> {
    let view = admin.ask(Question::Node).await?;
    Ok(NodeDocument::new(view, &admin.endpoints.borrow()))
}
