//! `matchkeep match state`: the match after a tick, played again from its journal.

use clap::Args;
use matchkeep_shared::Game;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;
use serde_json::{Value, json};

use super::tree::tree;
use crate::cli::journals::Journals;
use crate::cli::place::Place;
use crate::cli::table::{Align, table};
use crate::cli::{CliError, emit, print_json};
use crate::travel::{Rules, at, plain, select, view};

#[derive(Debug, Args)]
pub(super) struct StateArgs {
    /// The match's ID
    id: MatchId,
    /// After which tick; 0 is before the first step
    #[arg(long, value_name = "TICK")]
    at: u64,
    /// Only this field: `state.game.players[0].health`, `entities.12.fields.x`
    #[arg(long, value_name = "PATH")]
    field: Option<String>,
    /// Play by this build's rules from the first tick on, whatever rules the match was played by
    #[arg(long)]
    any_rules: bool,
}

pub(super) fn run<G: Game>(args: StateArgs, place: &Place) -> Result<(), CliError> {
    let journals = Journals::open(place)?;
    let rules = if args.any_rules { Rules::Any } else { Rules::Own };
    let document = seen::<G>(&journals, args.id, Tick(args.at), rules)?;
    let Some(path) = &args.field else {
        return if place.json { print_json(&document) } else { print_whole(&document) };
    };
    let value = select(&document, path).map_err(|error| CliError::flag("field", path, error))?;
    if place.json {
        let (id, tick, hash) = (&document["match"], &document["tick"], &document["hash"]);
        let field =
            json!({ "match": id, "tick": tick, "hash": hash, "field": path, "value": value });
        return print_json(&field);
    }
    emit(&tree(value))
}

/// The document of a match after a tick.
pub(super) fn seen<G: Game>(
    journals: &Journals,
    id: MatchId,
    tick: Tick,
    rules: Rules,
) -> Result<Value, CliError> {
    Ok(view(&mut at::<G>(journals.reader(), id, tick, rules)?)?)
}

fn print_whole(document: &Value) -> Result<(), CliError> {
    let text = |key: &str| document[key].as_str().unwrap_or_default();
    let (id, tick, hash) = (text("match"), &document["tick"], text("hash"));
    let (entities, state) = (entities(&document["entities"]), tree(&document["state"]));
    emit(&format!(
        "match  {id}\ntick   {tick}\nhash   {hash}\n\nentities\n\n{entities}\nstate\n\n{state}"
    ))
}

/// What is replicated: a row for each entity.
pub(super) fn entities(entities: &Value) -> String {
    let head = [
        ("ID", Align::Right),
        ("KIND", Align::Left),
        ("SEEN BY", Align::Left),
        ("FIELDS", Align::Left),
    ];
    let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
    for (id, entity) in entities.as_object().into_iter().flatten() {
        let seen_by = match &entity["seen_by"] {
            Value::String(text) => text.clone(),
            place if place["at"].is_array() => "those near".to_owned(),
            slots => format!("slots {}", slots["slots"]),
        };
        let fields = entity["fields"].as_object().into_iter().flatten();
        let fields: Vec<String> =
            fields.map(|(name, value)| format!("{name} {}", plain(value))).collect();
        let kind = entity["kind"].as_str().unwrap_or_default().to_owned();
        let row = vec![id.clone(), kind, seen_by, fields.join(", ")];
        rows.push((id.parse().unwrap_or(u64::MAX), row));
    }
    rows.sort();
    table(&head, &rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>())
}
