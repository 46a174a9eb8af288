//! `matchkeep history verify`: matches played again, and everything that is stored of them compared.
//!
//! Exit codes: 0 all is as it was stored; 1 something is not; 2 a match cannot be played by this build.

use clap::Args;
use matchkeep_shared::Game;
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;
use serde::Serialize;
use serde_json::json;

use crate::cli::journals::Journals;
use crate::cli::place::Place;
use crate::cli::progress::Progress;
use crate::cli::table::{Align, table};
use crate::cli::{CliError, print_json};
use crate::journal::{JournalEntry, JournalState};
use crate::store::{MatchRecord, MatchState, PlayerRecord};
use crate::travel::{Checked, Problem, TravelError, Verdict, verify};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The match's ID
    id: Option<MatchId>,
    /// Every match that has a journal
    #[arg(long, conflicts_with = "id")]
    all: bool,
}

/// What came of one match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    /// All is as it was stored.
    Verified,
    /// It comes to something else than was stored.
    Differs,
    /// Records are not those that were written.
    Damaged,
    /// Another game's, or another version's of the rules.
    Refused,
    /// Retention deleted its journal.
    Retired,
}

/// One match in the report.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(rename = "match")]
    match_id: String,
    state: &'static str,
    verdict: Mark,
    ticks: u64,
    records: u64,
    hashes: u64,
    checkpoints: u64,
    epochs: u64,
    incidents: u64,
    results: u64,
    /// The first tick that is not as it was stored.
    first_tick: Option<u64>,
    /// The newest tick of which something stored was compared and agreed.
    agreed_tick: u64,
    problem: Option<String>,
    lost: Vec<String>,
}

pub(super) fn run<G: Game>(args: VerifyArgs, place: Place) -> Result<(), CliError> {
    if args.id.is_none() && !args.all {
        return Err(CliError::Usage("name a match's ID, or --all for every match".to_owned()));
    }
    let journals = Journals::open(&place)?;
    let mut entries = Vec::new();
    match args.id {
        Some(id) => {
            let entry = journals.reader().entry(id).map_err(TravelError::from)?;
            entries.push(entry.ok_or(TravelError::Unknown(id))?);
        }
        None => {
            let mut each = |entry| entries.push(entry);
            journals.reader().list(None, &mut each).map_err(TravelError::from)?;
        }
    }
    let is_there = |entry: &&JournalEntry| entry.state != JournalState::Retired;
    let ticks = entries.iter().filter(is_there).map(|entry| entry.tick.0).sum();
    let count = entries.len();
    let what = if count == 1 { "1 match".to_owned() } else { format!("{count} matches") };
    let mut progress = Progress::new(what, ticks);
    let verdicts = verify::<G>(journals.reader(), &entries, &mut || progress.step());
    let rows: Result<Vec<Row>, CliError> = entries
        .iter()
        .zip(verdicts)
        .map(|(entry, verdict)| Ok(row(entry, with_record(verdict, &journals)?)))
        .collect();
    let rows = rows?;
    drop(progress);
    report(&rows, place.json)
}

/// What is in the directory of a match must be its result too.
fn with_record(mut verdict: Verdict, journals: &Journals) -> Result<Verdict, CliError> {
    if let (None, Some(outcome)) = (&verdict.problem, &verdict.outcome)
        && verdict.checked.results > 0
        && let Some(record) = journals.record(verdict.match_id)?
        && record.summary.state == MatchState::Finished
        && !is_of(&record, outcome, verdict.tick)
    {
        let (tick, agreed) = (Some(verdict.tick), verdict.checked.agreed);
        let error = TravelError::StoredResultDiffers;
        verdict.problem = Some(Problem { error, tick, agreed, lost: Vec::new() });
    }
    Ok(verdict)
}

fn is_of(record: &MatchRecord, outcome: &Outcome, tick: Tick) -> bool {
    record.summary.ticks == Some(tick.0)
        && record.summary.reason.as_ref() == Some(&outcome.reason)
        && record.players == PlayerRecord::list(outcome)
}

fn row(entry: &JournalEntry, verdict: Verdict) -> Row {
    let Checked { records, hashes, checkpoints, epochs, incidents, results, agreed } =
        verdict.checked;
    let mark = match verdict.problem.as_ref().map(|problem| &problem.error) {
        None => Mark::Verified,
        Some(TravelError::Retired(_)) => Mark::Retired,
        Some(error) if error.is_misplaced() => Mark::Refused,
        Some(TravelError::Damaged(_)) => Mark::Damaged,
        Some(_) => Mark::Differs,
    };
    let first_tick = verdict.problem.as_ref().and_then(|problem| problem.tick);
    Row {
        match_id: entry.match_id.to_string(),
        state: entry.state.label(),
        verdict: mark,
        ticks: verdict.tick.0,
        records,
        hashes,
        checkpoints,
        epochs,
        incidents,
        results,
        first_tick: first_tick.map(|tick| tick.0),
        agreed_tick: agreed.0,
        problem: verdict.problem.as_ref().map(|problem| problem.error.to_string()),
        lost: verdict.problem.map_or_else(Vec::new, |problem| problem.lost),
    }
}

fn report(rows: &[Row], json: bool) -> Result<(), CliError> {
    let count = |mark: Mark| rows.iter().filter(|row| row.verdict == mark).count();
    let (verified, refused) = (count(Mark::Verified), count(Mark::Refused));
    let (differ, damaged) = (count(Mark::Differs), count(Mark::Damaged));
    let retired = count(Mark::Retired);
    if json {
        print_json(&json!({
            "matches": rows,
            "verified": verified,
            "differ": differ,
            "damaged": damaged,
            "refused": refused,
            "retired": retired,
        }))?;
    } else {
        print!("{}", describe(rows));
        println!("{verified} of {} verified", rows.len() - retired);
    }
    let problems = rows.iter().filter(|row| row.verdict != Mark::Verified);
    let mut problems = problems.filter_map(|row| Some((row, row.problem.as_ref()?)));
    if differ + damaged > 0 {
        let bad = |row: &Row| matches!(row.verdict, Mark::Differs | Mark::Damaged);
        let first = problems.find(|(row, _)| bad(row));
        let (row, problem) = first.expect("there is one");
        return Err(CliError::Failed(format!("match {}: {problem}", row.match_id)));
    }
    // A retired match is no failure among others; asked for alone, there is nothing to verify.
    match problems.find(|(row, _)| row.verdict == Mark::Refused || rows.len() == 1) {
        Some((row, problem)) => Err(CliError::Usage(format!("match {}: {problem}", row.match_id))),
        None => Ok(()),
    }
}

fn describe(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no journals\n".to_owned();
    }
    let head = [
        ("MATCH", Align::Left),
        ("JOURNAL", Align::Left),
        ("TICKS", Align::Right),
        ("RECORDS", Align::Right),
        ("HASHES", Align::Right),
        ("CHECKPOINTS", Align::Right),
        ("EPOCHS", Align::Right),
        ("VERDICT", Align::Left),
    ];
    let cells = |row: &Row| {
        let verdict = match (row.verdict, row.first_tick) {
            (Mark::Verified, _) => "verified".to_owned(),
            (Mark::Differs, Some(tick)) => format!("differs at tick {tick}"),
            (Mark::Differs, None) => "differs".to_owned(),
            (Mark::Damaged, Some(tick)) => format!("damaged at tick {tick}"),
            (Mark::Damaged, None) => "damaged".to_owned(),
            (Mark::Refused, _) => "refused: not this build's".to_owned(),
            (Mark::Retired, _) => "deleted by retention".to_owned(),
        };
        vec![
            row.match_id.clone(),
            row.state.to_owned(),
            row.ticks.to_string(),
            row.records.to_string(),
            row.hashes.to_string(),
            row.checkpoints.to_string(),
            row.epochs.to_string(),
            verdict,
        ]
    };
    let mut text = table(&head, &rows.iter().map(cells).collect::<Vec<_>>());
    text.push('\n');
    for row in rows {
        let Some(problem) = &row.problem else { continue };
        text += &format!("match {}: {problem}\n", row.match_id);
        if matches!(row.verdict, Mark::Differs | Mark::Damaged) {
            text += &format!("  up to tick {} all agrees\n", row.agreed_tick);
        }
    }
    text
}
