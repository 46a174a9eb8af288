//! `matchkeep node`: the running server and its shards. There is one node for now.

use clap::{Args, Subcommand};

use super::CliError;
use super::admin_address::AdminAddress;
use super::place::Place;
use super::running::Running;
use super::table::{Align, table};
use super::watch::{Watch, show};
use crate::admin::node::{NodeDocument, ShardDocument};

#[derive(Debug, Args)]
pub(super) struct NodeArgs {
    #[command(subcommand)]
    verb: NodeVerb,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum NodeVerb {
    /// List the nodes: there is one
    Ls {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show the node: where it is reached, and each of its shards
    Show {
        #[command(flatten)]
        watch: Watch,
    },
}

pub(super) fn run(args: NodeArgs) -> Result<(), CliError> {
    let json = args.place.json;
    let server = Running::find(&args.place)?;
    let look = || server.get::<NodeDocument>("/v1/node");
    match args.verb {
        NodeVerb::Ls { watch } => show(watch.every, json, || Ok([look()?]), |nodes| list(nodes)),
        NodeVerb::Show { watch } => show(watch.every, json, look, describe),
    }
}

fn list(nodes: &[NodeDocument]) -> String {
    let head = [
        ("PID", Align::Right),
        ("GAME", Align::Left),
        ("READY", Align::Left),
        ("MATCHES", Align::Right),
        ("PLAYERS", Align::Right),
        ("SHARDS", Align::Right),
        ("UP", Align::Right),
        ("LOBBY", Align::Left),
        ("ADMIN", Align::Left),
    ];
    let row = |node: &NodeDocument| {
        vec![
            node.pid.to_string(),
            node.game.clone(),
            if node.ready { "yes" } else { "no" }.to_owned(),
            node.matches.to_string(),
            node.players.to_string(),
            node.shards.len().to_string(),
            up(node.running_ms),
            node.lobby.to_string(),
            node.admin.to_string(),
        ]
    };
    table(&head, &nodes.iter().map(row).collect::<Vec<_>>())
}

fn describe(node: &NodeDocument) -> String {
    let head = [
        ("SHARD", Align::Right),
        ("ADDRESS", Align::Left),
        ("MATCHES", Align::Right),
        ("STANDING", Align::Right),
        ("PLAYERS", Align::Right),
        ("ENTITIES", Align::Right),
        ("TICKS", Align::Right),
        ("SKIPPED", Align::Right),
        ("LATE P50 US", Align::Right),
        ("P99", Align::Right),
        ("WORK P50 US", Align::Right),
        ("P99", Align::Right),
        ("DROPPED", Align::Right),
    ];
    let row = |shard: &ShardDocument| {
        vec![
            shard.shard.to_string(),
            shard.address.to_string(),
            shard.matches.to_string(),
            shard.matches_standing.to_string(),
            shard.players.to_string(),
            shard.entities.to_string(),
            shard.ticks.to_string(),
            shard.ticks_skipped.to_string(),
            shard.tick_lateness_us.p50.to_string(),
            shard.tick_lateness_us.p99.to_string(),
            shard.tick_work_us.p50.to_string(),
            shard.tick_work_us.p99.to_string(),
            shard.udp_dropped.to_string(),
        ]
    };
    let shards = table(&head, &node.shards.iter().map(row).collect::<Vec<_>>());
    format!(
        "node     pid {}, {} (rules {})\nup       {}, {}\nlobby    {}, SHA-256 {}\nadmin    {}\n\
         matches  {}\nplayers  {}\n\n{shards}",
        node.pid,
        node.game,
        node.rules_version,
        up(node.running_ms),
        if node.ready { "players may come" } else { "matches are being brought back" },
        node.lobby,
        node.lobby_fingerprint,
        AdminAddress { authority: node.admin.to_string(), is_tls: node.admin_tls }.url(),
        node.matches,
        node.players,
    )
}

/// For how long, in the two largest units.
pub(super) fn up(ms: u64) -> String {
    let (seconds, minutes, hours) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    match (minutes, hours) {
        (0, _) => format!("{seconds}s"),
        (_, 0) => format!("{minutes}m {}s", seconds % 60),
        (_, 1..=47) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{}d {}h", hours / 24, hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_two_largest_units() {
        assert_eq!(up(59_999), "59s");
        assert_eq!(up(61_000), "1m 1s");
        assert_eq!(up(7_260_000), "2h 1m");
        assert_eq!(up(49 * 3_600_000), "2d 1h");
    }
}
