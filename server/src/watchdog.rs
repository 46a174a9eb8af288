//! The watchdog: ends a process in which a step does not come back, after noting which.
//!
//! A shard beats before and after everything that runs a game's code (`matches/heartbeat.rs`). The watchdog counts how
//! often it finds the same beat, and not how much time passed: a process that was stopped and goes on is not stuck.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::HUNG_TICK_MAX;
use matchkeep_shared::time::Tick;
use serde::{Deserialize, Serialize};

use crate::data_dir::write_durably;
use crate::matches::heartbeat::Heartbeat;
use crate::matches::incident::{Incident, IncidentCause};
use crate::wall::unix_ms;

/// The note's name in the data folder: the next process reads it, and removes it when its journal has it.
const NOTE_FILE: &str = "hung.json";

/// Which step did not come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct HungNote {
    match_id: String,
    tick: u64,
    unix_ms: u64,
}

/// What the process before noted before it ended itself, by match.
///
/// # Errors
/// Where the note cannot be read.
pub fn read_note(folder: &Path) -> io::Result<BTreeMap<MatchId, Incident>> {
    let bytes = match std::fs::read(folder.join(NOTE_FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let note: HungNote = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
    let match_id = note.match_id.parse::<MatchId>().map_err(io::Error::other)?;
    let incident = Incident {
        cause: IncidentCause::Hung,
        tick: Tick(note.tick),
        // The time makes it known again where it is in the journal already.
        text: format!("the step did not come back; noted at {} ms of Unix time", note.unix_ms),
        suspect: Vec::new(),
    };
    Ok(BTreeMap::from([(match_id, incident)]))
}

/// The journal has what the note said.
///
/// # Errors
/// Where it cannot be removed.
pub fn remove_note(folder: &Path) -> io::Result<()> {
    match std::fs::remove_file(folder.join(NOTE_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// How often the watchdog looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One shard as the watchdog sees it.
#[derive(Default)]
struct Watched {
    beat: u64,
    seen: u32,
}

impl Watched {
    /// Whether the same step was found running for too often.
    fn is_stuck(&mut self, running: Option<(u64, MatchId, Tick)>) -> bool {
        match running {
            Some((beat, ..)) if beat == self.beat => self.seen += 1,
            Some((beat, ..)) => *self = Self { beat, seen: 1 },
            None => self.seen = 0,
        }
        u128::from(self.seen) * LOOK_EVERY.as_millis() > HUNG_TICK_MAX.as_millis()
    }
}

/// Starts the watchdog. It ends with the process, one way or the other.
///
/// # Errors
/// Where the system has no thread to give.
pub fn start(shards: Vec<Arc<Heartbeat>>, folder: PathBuf) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "it waits on a thread of its own")]
    let watch = move || {
        let mut watched: Vec<Watched> = shards.iter().map(|_| Watched::default()).collect();
        loop {
            std::thread::sleep(LOOK_EVERY);
            for (shard, watched) in shards.iter().zip(&mut watched) {
                let running = shard.running();
                if let (true, Some((_, match_id, tick))) = (watched.is_stuck(running), running) {
                    tracing::error!(%match_id, %tick, "the step does not come back; the process ends");
                    if let Err(error) = write_note(&folder, match_id, tick) {
                        tracing::error!(%error, "and that could not be noted");
                    }
                    std::process::abort();
                }
            }
        }
    };
    std::thread::Builder::new().name("watchdog".into()).spawn(watch)?;
    Ok(())
}

fn write_note(folder: &Path, match_id: MatchId, tick: Tick) -> anyhow::Result<()> {
    let note = HungNote { match_id: match_id.to_string(), tick: tick.0, unix_ms: unix_ms() };
    write_durably(&folder.join(NOTE_FILE), &serde_json::to_vec(&note)?, 0o644)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_step_that_is_found_again_and_again_is_stuck() {
        let looks = (HUNG_TICK_MAX.as_millis() / LOOK_EVERY.as_millis()) as u64;
        let heartbeat = Heartbeat::default();
        let mut watched = Watched::default();
        for tick in 0..10 * looks {
            heartbeat.during(MatchId(7), Tick(tick), || {
                assert!(!watched.is_stuck(heartbeat.running()), "another step each time");
            });
            assert!(!watched.is_stuck(heartbeat.running()), "none runs");
        }
        heartbeat.during(MatchId(7), Tick(99), || {
            let stuck = (0..2 * looks).find(|_| watched.is_stuck(heartbeat.running()));
            assert_eq!(stuck, Some(looks));
            assert_eq!(
                heartbeat.running().map(|(_, id, tick)| (id, tick)),
                Some((MatchId(7), Tick(99)))
            );
        });
    }

    #[test]
    fn a_note_is_there_for_the_next_process_until_it_is_removed() {
        let folder = std::env::temp_dir().join(format!("matchkeep-hung-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        assert!(read_note(&folder).expect("none").is_empty());
        write_note(&folder, MatchId(77), Tick(1234)).expect("written");
        let notes = read_note(&folder).expect("one");
        assert_eq!(notes[&MatchId(77)].tick, Tick(1234));
        remove_note(&folder).expect("removed");
        assert!(read_note(&folder).expect("none").is_empty());
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
