//! `matchkeep match say`, `kick`, `pause`, `resume` and `end`: what is done to a running match.

use clap::Args;
use matchkeep_shared::ids::{MatchId, PlayerId};
use serde_json::{Value, json};

use crate::admin::matches::OrderedDocument;
use crate::cli::place::Place;
use crate::cli::running::Running;
use crate::cli::{CliError, emit, print_json};
use crate::shard::order::Order;
use crate::shard::view::PlayerView;

#[derive(Debug, Args)]
pub(super) struct OrderArgs {
    /// The match's ID
    id: MatchId,
}

#[derive(Debug, Args)]
pub(super) struct SayArgs {
    /// The match's ID
    id: MatchId,
    /// What, in quotes: up to 512 bytes
    text: String,
}

#[derive(Debug, Args)]
pub(super) struct KickArgs {
    /// The match's ID
    id: MatchId,
    /// The player's name, or the account's ID, as `match show` lists them
    player: String,
}

#[derive(Debug, Args)]
pub(super) struct EndArgs {
    /// The match's ID
    id: MatchId,
    /// Why, for the result: up to 128 bytes
    #[arg(long, value_name = "TEXT", default_value = "ended by an operator")]
    reason: String,
}

pub(super) fn say(args: &SayArgs, place: &Place) -> Result<(), CliError> {
    check(&Order::Say { text: args.text.clone() })?;
    let done = Running::find(place)?.order(args.id, "say", &json!({ "text": args.text }))?;
    tell(place, &done, |done| match done.told.unwrap_or_default() {
        1 => "told 1 player".to_owned(),
        told => format!("told {told} players"),
    })
}

pub(super) fn kick(args: &KickArgs, place: &Place) -> Result<(), CliError> {
    let server = Running::find(place)?;
    let view = server.view(args.id)?;
    let player = find(&view.players_seen, &args.player).ok_or_else(|| {
        let there = view.players_seen.iter().map(named).collect::<Vec<_>>().join(", ");
        let there = if there.is_empty() { "nobody".to_owned() } else { there };
        let (player, id) = (&args.player, args.id);
        CliError::Usage(format!("no player `{player}` has a place in match {id}: there is {there}"))
    })?;
    let done = server.order(args.id, "kick", &json!({ "player": player.0 }))?;
    tell(place, &done, |_| format!("sent `{}` away", args.player))
}

/// The player of that name, else of that ID.
fn find(players: &[PlayerView], wanted: &str) -> Option<PlayerId> {
    let by_name = players.iter().find(|seen| seen.name.as_deref() == Some(wanted));
    let id = wanted.parse::<u64>().ok().map(PlayerId);
    let by_id = || players.iter().find(|seen| Some(seen.player) == id);
    by_name.or_else(by_id).map(|seen| seen.player)
}

fn named(seen: &PlayerView) -> String {
    match &seen.name {
        Some(name) => format!("{name} ({})", seen.player.0),
        None => seen.player.0.to_string(),
    }
}

pub(super) fn pause(args: &OrderArgs, place: &Place) -> Result<(), CliError> {
    plain(args, "pause", place, |done| format!("stands still after tick {}", done.row.tick))
}

pub(super) fn resume(args: &OrderArgs, place: &Place) -> Result<(), CliError> {
    plain(args, "resume", place, |done| format!("goes on from tick {}", done.row.tick))
}

pub(super) fn end(args: &EndArgs, place: &Place) -> Result<(), CliError> {
    check(&Order::End { reason: args.reason.clone() })?;
    let done = Running::find(place)?.order(args.id, "end", &json!({ "reason": args.reason }))?;
    tell(place, &done, |done| {
        format!("ends with its next tick: `history show {}` has the result", done.row.id)
    })
}

fn plain(
    args: &OrderArgs,
    order: &str,
    place: &Place,
    words: impl Fn(&OrderedDocument) -> String,
) -> Result<(), CliError> {
    let done = Running::find(place)?.order(args.id, order, &Value::Object(Default::default()))?;
    tell(place, &done, words)
}

/// The server would say the same; so it is said before it is asked.
fn check(order: &Order) -> Result<(), CliError> {
    order.check().map_err(|unfit| CliError::Usage(unfit.to_string()))
}

fn tell(
    place: &Place,
    done: &OrderedDocument,
    words: impl Fn(&OrderedDocument) -> String,
) -> Result<(), CliError> {
    if place.json {
        return print_json(done);
    }
    emit(&format!("match {}: {}\n", done.row.id, words(done)))
}

#[cfg(test)]
mod tests {
    use matchkeep_shared::ids::Slot;

    use super::*;

    #[test]
    fn a_name_that_is_a_number_is_a_name_first() {
        let player = |id: u64, name: Option<&str>| PlayerView {
            player: PlayerId(id),
            name: name.map(str::to_owned),
            slot: Slot(0),
            connected: false,
            link: None,
            input_margin_us: None,
            inputs: Default::default(),
            last_disconnect: None,
        };
        let players = [player(1, Some("2")), player(2, Some("ada")), player(3, None)];
        assert_eq!(find(&players, "2"), Some(PlayerId(1)));
        assert_eq!(find(&players, "ada"), Some(PlayerId(2)));
        assert_eq!(find(&players, "3"), Some(PlayerId(3)));
        assert_eq!(find(&players, "ad"), None);
    }
}
