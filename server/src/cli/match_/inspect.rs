//! `matchkeep match inspect`: everything of a running match.

use clap::Args;
use matchkeep_shared::ids::MatchId;
use serde::Serialize;
use serde_json::{Value, json};

use super::show::{BRIEF, brief, head};
use super::state::entities;
use super::tree::tree;
use crate::cli::place::Place;
use crate::cli::running::Running;
use crate::cli::table::{Align, fitted, table};
use crate::cli::{CliError, emit, print_json};
use crate::shard::view::{MatchView, PlayerView};
use crate::travel::select;

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The match's ID
    id: MatchId,
    /// Only this field of the state: `state.game.players[0].health`, `entities.12.fields.x`
    #[arg(long, value_name = "PATH")]
    field: Option<String>,
}

/// A match as programs read it.
#[derive(Serialize)]
struct Inspection {
    #[serde(rename = "match")]
    view: MatchView,
    /// The match after its newest tick; that is later than what stands above.
    state: Value,
}

pub(super) fn run(args: &InspectArgs, place: &Place) -> Result<(), CliError> {
    let server = Running::find(place)?;
    let Some(path) = &args.field else {
        let seen = Inspection { view: server.view(args.id)?, state: server.state(args.id)? };
        return if place.json { print_json(&seen) } else { emit(&fitted(&describe(&seen))) };
    };
    let document = server.state(args.id)?;
    let value = select(&document, path).map_err(|error| CliError::flag("field", path, error))?;
    if place.json {
        let (id, tick, hash) = (&document["match"], &document["tick"], &document["hash"]);
        return print_json(
            &json!({ "match": id, "tick": tick, "hash": hash, "field": path, "value": value }),
        );
    }
    emit(&tree(value))
}

fn describe(seen: &Inspection) -> String {
    let mut text = head(&seen.view);
    text += &phases(&seen.view);
    if !seen.view.players_seen.is_empty() {
        text += &format!("\n{}", players(&seen.view.players_seen));
    }
    let entities = entities(&seen.state["entities"]);
    text + &format!("\nentities after tick {}\n\n{entities}", seen.state["tick"])
}

/// The tick budget: what each phase takes of it.
fn phases(view: &MatchView) -> String {
    let Some(phases) = &view.phases else {
        return "phases    none was looked at yet\n".to_owned();
    };
    let period_us = 1e6 / f64::from(view.row.tick_rate_hz.max(1));
    let parts = [
        ("receive", phases.receive_us),
        ("inputs", phases.inputs_us),
        ("step", phases.step_us),
        ("replicate", phases.replicate_us),
        ("journal", phases.journal_us),
        ("send", phases.send_us),
    ];
    let columns = [("PHASE", Align::Left), ("US", Align::Right), ("% OF TICK", Align::Right)];
    let row = |(name, us): (&str, f64)| {
        vec![name.to_owned(), format!("{us:.1}"), format!("{:.2}", us / period_us * 100.0)]
    };
    let rows: Vec<_> = parts.into_iter().map(row).collect();
    let seen = phases.ticks_seen;
    format!("phases    on average, from {seen} ticks\n\n{}", table(&columns, &rows))
}

fn players(players: &[PlayerView]) -> String {
    let more = [
        ("OUT KB", Align::Right),
        ("IN KB", Align::Right),
        ("DATAGRAMS OUT", Align::Right),
        ("IN", Align::Right),
        ("APPLIED", Align::Right),
        ("SUBSTITUTED", Align::Right),
        ("LATE", Align::Right),
        ("REFUSED", Align::Right),
        ("LAST END", Align::Left),
    ];
    let row = |player: &PlayerView| {
        let link = player.link.as_ref();
        let of_link =
            |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let mut cells = brief(player).to_vec();
        cells.extend([
            of_link(link.map(|link| link.udp_sent_bytes / 1000)),
            of_link(link.map(|link| link.udp_received_bytes / 1000)),
            of_link(link.map(|link| link.datagrams_sent)),
            of_link(link.map(|link| link.datagrams_received)),
            player.inputs.applied.to_string(),
            player.inputs.substituted.to_string(),
            player.inputs.late.to_string(),
            player.inputs.refused.to_string(),
            player.last_disconnect.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
        cells
    };
    table(&[&BRIEF[..], &more].concat(), &players.iter().map(row).collect::<Vec<_>>())
}
