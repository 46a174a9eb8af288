//! `matchkeep audit`: who changed what, from the running server or from a data folder alone.

use clap::{Args, Subcommand};
use matchkeep_shared::limits::LIST_ROWS_MAX;

use super::history::source::Source;
use super::place::Place;
use super::table::{Align, fitted, table};
use super::{CliError, emit, print_json};
use crate::date::utc;
use crate::store::{AuditFilter, AuditRow};

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    verb: AuditVerb,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum AuditVerb {
    /// List changes that were asked for, newest first: orders, tokens made and revoked, refused ones too
    Ls {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        /// Only those before the one of this number
        #[arg(long, value_name = "NUMBER")]
        before: Option<u64>,
    },
}

pub(super) fn run(args: AuditArgs) -> Result<(), CliError> {
    let AuditVerb::Ls { limit, before } = args.verb;
    if !(1..=LIST_ROWS_MAX).contains(&limit) {
        let allowed = format!("allowed are 1 to {LIST_ROWS_MAX}");
        return Err(CliError::flag("limit", limit, allowed));
    }
    let rows = Source::open(&args.place)?.audit(&AuditFilter { limit, before })?;
    if args.place.json {
        return print_json(&rows);
    }
    if rows.is_empty() {
        return emit("no changes\n");
    }
    let head = [
        ("NUMBER", Align::Right),
        ("WHEN (UTC)", Align::Left),
        ("WHO", Align::Left),
        ("WHAT", Align::Left),
        ("MATCH", Align::Left),
        ("OUTCOME", Align::Left),
        ("ARGUMENTS", Align::Left),
        ("WHY", Align::Left),
    ];
    emit(&fitted(&table(&head, &rows.iter().map(cells).collect::<Vec<_>>())))
}

fn cells(row: &AuditRow) -> Vec<String> {
    let entry = &row.entry;
    vec![
        row.number.to_string(),
        utc(entry.unix_ms),
        entry.who.clone(),
        entry.what.clone(),
        entry.match_id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
        entry.outcome.label().to_owned(),
        entry.arguments.to_string(),
        entry.why.clone().unwrap_or_default(),
    ]
}
