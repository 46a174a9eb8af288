//! What the records of a journal carry: headers, frames, checkpoints, incidents and results.

use matchkeep_server::matches::MatchSpec;
use matchkeep_server::matches::frame::FrameWriter;
use matchkeep_server::matches::header::MatchHeader;
use matchkeep_server::matches::incident::{Incident, IncidentCause};
use matchkeep_server::matches::state::{Entry, MatchState, UsedTicket};
use matchkeep_shared::arena::{Arena, ArenaConfig, ArenaInput, Weapon};
use matchkeep_shared::encoding::encode;
use matchkeep_shared::game::{Events, Inputs, Outcome, PlayerInfo};
use matchkeep_shared::ids::{MatchId, PlayerId, Slot};
use matchkeep_shared::time::{Tick, TickRate};

use super::{config, outcome};
use crate::decoders::FRAME_PLACES;

/// A match of the arena with these places.
pub fn spec(places: usize) -> MatchSpec<ArenaConfig> {
    MatchSpec {
        id: MatchId(7),
        mode: "test".into(),
        places,
        rate: TickRate::default(),
        hold_ticks: 60,
        config: config(places),
        seed: 1,
    }
}

/// The headers of a match of this build, and of another game.
pub fn journal_headers() -> Vec<Vec<u8>> {
    let ours = MatchHeader::new::<Arena>(&spec(2), None, 1_700_000_000_000);
    let mut theirs = MatchHeader::new::<Arena>(&spec(2), Some("board".into()), 0);
    theirs.game = "chess".into();
    vec![encode(&ours), encode(&theirs)]
}

/// What enters a match, of every kind.
fn entries() -> Vec<Entry> {
    let ticket = Some(UsedTicket { id: [9; 16], expires_unix_ms: 1_800_000_000_000 });
    let player = |id| PlayerInfo { id: PlayerId(id), name: format!("player{id}"), team: None };
    vec![
        Entry::Join { slot: Slot(0), player: player(1), ticket },
        Entry::Join { slot: Slot(1), player: player(2), ticket: None },
        Entry::Lost { slot: Slot(0) },
        Entry::Regained { slot: Slot(0), ticket },
        Entry::Leave { slot: Slot(1) },
        Entry::End { reason: "ended by an operator".into() },
    ]
}

fn inputs() -> Inputs<ArenaInput> {
    let mut inputs = Inputs::new(FRAME_PLACES);
    let run = ArenaInput { yaw: 9000, forward: 127, fire: true, ..ArenaInput::default() };
    inputs.set(Slot(0), Some(run));
    inputs.set(Slot(2), Some(ArenaInput { weapon: Some(Weapon::Railgun), ..run }));
    inputs
}

/// The frames of some ticks: with nobody there, with everything, and with inputs alone.
pub fn journal_frames() -> Vec<Vec<u8>> {
    let mut writer = FrameWriter::default();
    let mut frame = |entries: &[Entry], inputs: &Inputs<ArenaInput>, hash| {
        let mut bytes = Vec::new();
        writer.begin(entries, FRAME_PLACES, inputs, |slot| slot == Slot(2));
        writer.finish(hash, &mut bytes);
        bytes
    };
    let nothing = frame(&[], &Inputs::new(FRAME_PLACES), None);
    let everything = frame(&entries(), &inputs(), Some(0x0123_4567_89ab_cdef));
    let playing = frame(&[], &inputs(), None);
    vec![[&*nothing, &everything, &playing].concat(), everything, playing]
}

/// States of a match: at its beginning, and in play.
pub fn checkpoints() -> Vec<Vec<u8>> {
    [0, 90].map(checkpoint).into()
}

/// The state of a match of two after so many ticks in which one of them runs and fires.
pub fn checkpoint(ticks: u64) -> Vec<u8> {
    let spec = spec(2);
    let mut state = MatchState::<Arena>::new(&spec);
    entries().iter().take(3).for_each(|entry| state.apply(entry));
    let mut events = Events::default();
    for _ in 0..ticks {
        state.step(&spec, &inputs(), &mut events);
    }
    let mut bytes = Vec::new();
    state.encode(&mut bytes);
    bytes
}

/// What matches died of.
pub fn incidents() -> Vec<Incident> {
    let panic = Incident {
        cause: IncidentCause::Panic,
        tick: Tick(600),
        text: "index out of bounds: the len is 4 but the index is 4".into(),
        suspect: journal_frames().swap_remove(1),
    };
    let hung = Incident {
        cause: IncidentCause::Hung,
        tick: Tick(70_000),
        text: String::new(),
        suspect: Vec::new(),
    };
    vec![panic, hung]
}

/// How matches ended.
pub fn outcomes() -> Vec<Outcome> {
    vec![outcome(), Outcome { reason: "abandoned".into(), players: Vec::new() }]
}
