//! `matchkeep match show` and `watch`: a running match and its players.

use std::time::Duration;

use matchkeep_shared::ids::MatchId;

use crate::cli::CliError;
use crate::cli::place::Place;
use crate::cli::running::Running;
use crate::cli::table::{Align, table};
use crate::cli::watch;
use crate::shard::view::{MatchView, PlayerView};

pub(super) fn run(id: MatchId, every: Option<Duration>, place: &Place) -> Result<(), CliError> {
    let server = Running::find(place)?;
    watch::show(every, place.json, || server.view(id), describe)
}

fn describe(view: &MatchView) -> String {
    if view.players_seen.is_empty() {
        return head(view);
    }
    let row = |player: &PlayerView| brief(player).to_vec();
    let rows: Vec<_> = view.players_seen.iter().map(row).collect();
    format!("{}\n{}", head(view), table(&BRIEF, &rows))
}

/// The match itself, a line for each thing.
pub(super) fn head(view: &MatchView) -> String {
    let row = &view.row;
    let period_us = 1e6 / f64::from(row.tick_rate_hz.max(1));
    let lag = row.durable_lag_ticks;
    let lag =
        lag.map_or_else(|| "not journaled".to_owned(), |lag| format!("durable {lag} ticks behind"));
    format!(
        "match     {}\nmode      {}, {} Hz, shard {}, epoch {}\nstage     {}, after tick {}\n\
         players   {} connected, {} held, of {} places\nentities  {}\n\
         tick      costs {:.0} us of {period_us:.0} us, late by {:.0} us, on average; {lag}\n",
        row.id,
        row.mode,
        row.tick_rate_hz,
        row.shard,
        row.epoch,
        row.stage.label(),
        row.tick,
        row.players,
        row.held,
        row.places,
        row.entities,
        row.tick_cost_us,
        row.tick_late_us,
    )
}

/// The first columns of a table of players.
pub(super) const BRIEF: [(&str, Align); 7] = [
    ("PLAYER", Align::Left),
    ("ID", Align::Right),
    ("SLOT", Align::Right),
    ("IS", Align::Left),
    ("RTT MS", Align::Right),
    ("LOSS %", Align::Right),
    ("MARGIN MS", Align::Right),
];

/// What a player has in [`BRIEF`].
pub(super) fn brief(player: &PlayerView) -> [String; BRIEF.len()] {
    let link = player.link.as_ref();
    let of_link = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        player.name.clone().unwrap_or_else(|| "?".to_owned()),
        player.player.0.to_string(),
        player.slot.0.to_string(),
        if player.connected { "connected" } else { "held" }.to_owned(),
        of_link(link.map(|link| format!("{:.1}", link.rtt_us as f64 / 1e3))),
        of_link(link.map(|link| format!("{:.1}", link.loss() * 100.0))),
        of_link(player.input_margin_us.map(|us| format!("{:.1}", f64::from(us) / 1e3))),
    ]
}
