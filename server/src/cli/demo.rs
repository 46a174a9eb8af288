//! `matchkeep demo`: a server as a child process, bots against it, and the stored result.

mod chaos;
mod child;
mod display;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use matchkeep_client::bots::swarm::{self, SwarmEvent, SwarmPlan, SwarmProgress, SwarmReport};
use matchkeep_client::bots::{BotKind, Playable};
use matchkeep_client::transport::Fingerprint;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::PLAYERS_PER_MATCH_MAX;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::admin_address::AdminAddress;
use super::bots::{BOTS_MAX, read_recording, trace_bots};
use super::credentials::Credentials;
use super::history::describe;
use super::history::source::Source;
use super::{CliError, http, runtime};
use crate::admin::stats::StatsDocument;
use crate::store::{MatchRecord, MatchState};
use chaos::Chaos;
use child::Server;
use display::Display;

/// The demo's own mode.
const MODE: &str = "demo";
/// Bots without another word.
const BOTS: usize = 8;
/// The longest demo, in seconds of play.
const SECONDS_MAX: u32 = 3600;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Bots in all; a multiple of --matches [default: 8, with --trace one per recorded player]
    #[arg(long, value_name = "N")]
    bots: Option<usize>,
    /// Matches at the same time
    #[arg(long, value_name = "M", default_value_t = 1)]
    matches: usize,
    /// Seconds of play in each match; warm-up and countdown are extra
    #[arg(long, value_name = "S", default_value_t = 30)]
    seconds: u32,
    /// Recording whose players the bots follow
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Data folder of the server
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    data: PathBuf,
    /// Kill the server process every few seconds while the bots play, up to the last second of play
    #[arg(long)]
    chaos: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A demo whose numbers make sense.
struct Plan {
    kinds: Vec<BotKind>,
    per_match: usize,
    matches: usize,
    seconds: u32,
    data: PathBuf,
    chaos: bool,
}

impl DemoArgs {
    fn plan(&self) -> Result<Plan, CliError> {
        let least = if self.chaos { chaos::SECONDS_MIN } else { 1 };
        if !(least..=SECONDS_MAX).contains(&self.seconds) {
            let with = if self.chaos { "with --chaos " } else { "" };
            let allowed = format!("{with}allowed are {least} to {SECONDS_MAX}");
            return Err(CliError::flag("seconds", self.seconds, allowed));
        }
        if !(1..=BOTS_MAX).contains(&self.matches) {
            let allowed = format!("allowed are 1 to {BOTS_MAX}");
            return Err(CliError::flag("matches", self.matches, allowed));
        }
        let recording = self.trace.as_deref().map(read_recording).transpose()?;
        let recorded = recording.as_ref().map(|recording| recording.players() * self.matches);
        let bots = self.bots.or(recorded).unwrap_or(BOTS);
        if !(1..=BOTS_MAX).contains(&bots) {
            return Err(CliError::flag("bots", bots, format!("allowed are 1 to {BOTS_MAX}")));
        }
        if !bots.is_multiple_of(self.matches) {
            let allowed = format!("must be a multiple of --matches, which is {}", self.matches);
            return Err(CliError::flag("bots", bots, allowed));
        }
        let per_match = bots / self.matches;
        if per_match > PLAYERS_PER_MATCH_MAX {
            let allowed = format!(
                "a match has at most {PLAYERS_PER_MATCH_MAX} places: set --matches to {} or more",
                bots.div_ceil(PLAYERS_PER_MATCH_MAX)
            );
            return Err(CliError::flag("bots", bots, allowed));
        }
        let kinds = match &recording {
            Some(recording) => trace_bots(recording, bots),
            None => vec![BotKind::Fight; bots],
        };
        let (matches, seconds, data) = (self.matches, self.seconds, self.data.clone());
        Ok(Plan { kinds, per_match, matches, seconds, data, chaos: self.chaos })
    }
}

pub(super) fn run<G: Playable>(args: DemoArgs) -> Result<(), CliError> {
    let plan = args.plan()?;
    let mut server = Server::start(&plan.data, &config::<G>(&plan)?)?;
    if !args.json {
        println!("server    pid {}, lobby {}", server.pid(), server.endpoints().lobby);
        println!("data      {}", plan.data.display());
        let (bots, matches) = (plan.kinds.len(), plan.matches);
        println!("playing   {bots} bots in {matches} {}", plural(matches, "match", "matches"));
        if plan.chaos {
            println!("chaos     the server is killed every few seconds");
        }
        println!();
    }
    let played = runtime()?.block_on(play::<G>(&plan, &mut server))?;
    let admin = AdminAddress::of(server.endpoints());
    let admin = http::Server::new(&admin, &Credentials::find(None, None)?);
    let stats: StatsDocument = admin.get("/v1/stats").map_err(CliError::failed)?;
    // Read back from the store, through the server that still runs.
    let source = Source::Server(admin);
    let records: Vec<MatchRecord> =
        played.matches.iter().map(|id| source.show(*id)).collect::<Result<_, _>>()?;
    server.stop()?;

    if args.json {
        let mut document = document(&played.report, &stats, &records);
        if plan.chaos {
            chaos::add_to(&mut document, played.kills, &played.report);
        }
        println!("{document}");
    } else {
        for record in &records {
            println!("{}", describe(record));
        }
        if plan.chaos {
            print!("{}", chaos::table(played.kills, &played.report));
        } else {
            print!("{}", summary(&played.report, &stats));
        }
        print!("{}", next_steps(&plan, &records));
    }
    match played.report.failures.first() {
        None => Ok(()),
        Some(first) => {
            let failures = played.report.failures.len();
            Err(CliError::Failed(format!("{failures} bots did not finish; the first: {first}")))
        }
    }
}

/// The configuration file of the demo's server.
fn config<G: Playable>(plan: &Plan) -> Result<String, CliError> {
    let mut mode = toml::Table::new();
    mode.insert("players_max".into(), (plan.per_match as i64).into());
    mode.insert("players_min".into(), (plan.per_match as i64).into());
    mode.insert("rules".into(), G::demo_rules(plan.seconds).into());
    let mut modes = toml::Table::new();
    modes.insert(MODE.into(), mode.into());
    let mut config = toml::Table::new();
    config.insert("modes".into(), modes.into());
    toml::to_string(&config).map_err(CliError::failed)
}

struct Played {
    report: SwarmReport,
    matches: BTreeSet<MatchId>,
    kills: u32,
}

async fn play<G: Playable>(plan: &Plan, server: &mut Server) -> Result<Played, CliError> {
    let endpoints = server.endpoints();
    let fingerprint = endpoints.lobby_fingerprint.parse::<Fingerprint>();
    let swarm_plan = SwarmPlan {
        lobby: endpoints.lobby,
        trust: fingerprint.map_err(CliError::failed)?.into(),
        mode: MODE.into(),
        kinds: plan.kinds.clone(),
        name: "bot".into(),
        seed: 1,
        play_for: None,
        come_back: true,
        observer: None,
    };
    let (events, mut happened) = mpsc::unbounded_channel();
    let progress = Arc::new(SwarmProgress::default());
    let swarm = swarm::run::<G>(swarm_plan, Arc::clone(&progress), events);
    let mut display = Display::new(plan.seconds, plan.kinds.len());
    let mut matches = BTreeSet::new();
    let mut refresh = tokio::time::interval(display::REFRESH);
    let mut swarm = std::pin::pin!(swarm);
    let mut chaos = Chaos::new(plan.chaos, plan.seconds);
    let report = loop {
        tokio::select! {
            report = &mut swarm => break report.map_err(CliError::failed)?,
            () = chaos.strikes() => {
                let killed = Instant::now();
                // The swarm and its bots play on meanwhile, on the other threads.
                tokio::task::block_in_place(|| server.kill_and_restart())?;
                chaos.struck(killed.elapsed());
                display.struck(chaos.kills());
            }
            Some(event) = happened.recv() => match event {
                SwarmEvent::Joined { name, match_id, slot, .. } => {
                    matches.insert(match_id);
                    display.joined(match_id, slot, name);
                    if display.is_complete() {
                        chaos.begin();
                    }
                }
                SwarmEvent::Ended { match_id, .. } => display.ended(match_id),
            },
            _ = refresh.tick() => display.refresh(&progress),
        }
    };
    display.finish();
    Ok(Played { report, matches, kills: chaos.kills() })
}

/// The sum of one of the game's counters over all players of all matches.
fn sum(records: &[MatchRecord], name: &str) -> i64 {
    let players = records.iter().flat_map(|record| &record.players);
    let stats = players.flat_map(|player| &player.stats);
    stats.filter(|stat| stat.name == name).map(|stat| stat.value).sum()
}

fn stored(records: &[MatchRecord]) -> usize {
    records.iter().filter(|record| record.summary.state == MatchState::Finished).count()
}

fn document(report: &SwarmReport, stats: &StatsDocument, records: &[MatchRecord]) -> Value {
    let players: usize = records.iter().map(|record| record.players.len()).sum();
    let ticks: u64 = records.iter().filter_map(|record| record.summary.ticks).sum();
    let mut document = json!({
        "matches_completed": stored(records),
        "players": players,
        "ticks": ticks,
        "ticks_skipped": stats.ticks_skipped,
        "tick_lateness_us": stats.tick_lateness_us,
        "tick_sent_us": stats.tick_sent_us,
        "tick_work_us": stats.tick_work_us,
        "inputs_sent": report.counts.inputs_sent,
        "inputs_applied": stats.inputs.applied,
        "inputs_substituted": stats.inputs.substituted,
        "inputs_late": stats.inputs.late,
        "inputs_refused": stats.inputs.refused,
        "snapshots_received": report.counts.snapshots_received,
        "snapshot_bytes": report.counts.snapshot_bytes,
        "shots": sum(records, "shots"),
        "hits": sum(records, "hits"),
        "frags": sum(records, "frags"),
        "results_stored": stats.results_stored,
        "bots_told_result": report.told_result,
        "matches": records.iter().map(|r| r.summary.id.to_string()).collect::<Vec<_>>(),
    });
    for (name, finding) in &report.findings {
        // Extremes are told as they are, counts added up.
        let is_extreme = name.contains("max") || name.contains("quantum");
        document[*name] = if is_extreme { finding.max } else { finding.sum }.into();
    }
    document
}

fn summary(report: &SwarmReport, stats: &StatsDocument) -> String {
    let counts = &report.counts;
    let lateness = &stats.tick_lateness_us;
    let per_snapshot = counts.snapshot_bytes as f64 / counts.snapshots_received.max(1) as f64;
    let mut text = format!(
        "ticks        {} run, {} skipped; late by p50 {} us, p99 {} us, at most {} us\n\
         inputs       {} sent, {} applied at their tick, {} refused\n\
         snapshots    {} received, {per_snapshot:.0} bytes each\n\
         results      {} stored, {} players told\n",
        stats.ticks,
        stats.ticks_skipped,
        lateness.p50,
        lateness.p99,
        lateness.max,
        counts.inputs_sent,
        stats.inputs.applied,
        stats.inputs.refused,
        counts.snapshots_received,
        stats.results_stored,
        report.told_result,
    );
    for (name, finding) in &report.findings {
        text += &format!(
            "{:<12} {:.3} at most, {:.3} on average\n",
            name.replace('_', " "),
            finding.max,
            finding.sum / finding.bots as f64
        );
    }
    text
}

/// Commands that work as printed.
fn next_steps(plan: &Plan, records: &[MatchRecord]) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "matchkeep".into());
    let data = plan.data.display();
    let mut text = format!("\nTry next:\n  {program} history ls --data {data}\n");
    if let Some(record) = records.first() {
        text += &format!("  {program} history show {} --data {data}\n", record.summary.id);
    }
    text += &format!("  {program} demo --bots 32 --matches 4 --data {data}\n");
    text
}

fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}
