//! What is looked at when a seed is over: whether everything goes on, and whether the journals tell the
//! same story as the witness.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use matchkeep_server::journal::{
    JournalReader, JournalState, Kind, Load, LoadFrom, Recovered, recover,
};
use matchkeep_server::matches::frame::{Frame, next_frame};
use matchkeep_server::matches::header::MatchHeader;
use matchkeep_server::matches::replay::Replay;
use matchkeep_shared::arena::ArenaInput;
use matchkeep_shared::game::Input;
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, Slot};
use matchkeep_shared::time::Tick;

use super::clients::Sent;
use super::game::Fragile;
use super::witness::{Invariant, Witness};
use super::world::World;
use crate::memory_journal::MemoryJournal;

/// The epoch a match has in the journal.
pub fn epoch_of(journal: &dyn JournalReader, match_id: MatchId) -> Option<Epoch> {
    journal.entry(match_id).ok()?.map(|entry| entry.epoch)
}

/// What a process that stopped in order did not write.
pub fn lost_by_stopping(journal: &dyn JournalReader, live: &[(MatchId, Tick)]) -> Option<String> {
    live.iter().find_map(|(match_id, live)| {
        let entry = journal.entry(*match_id).ok()??;
        let is_short = entry.state == JournalState::Open && entry.tick < *live;
        is_short
            .then(|| format!("match {match_id} was at {live}, its journal ends at {}", entry.tick))
    })
}

/// After the calm: all matches tick, all players have fresh snapshots.
pub fn everything_goes_on(world: &mut World, fresh_within: Duration) {
    let now = world.now();
    let since = |at: Option<Instant>| at.map(|at| now - at);
    let mut late = Vec::new();
    for player in world.clients.iter().flat_map(|client| &client.players) {
        let age = since(player.fresh);
        if age.is_none_or(|age| age > fresh_within) {
            late.push(format!(
                "player {} {:?}: last snapshot {age:?} ago",
                player.number, player.seat
            ));
        }
    }
    let is_ready = world.node.as_ref().is_some_and(|node| node.is_ready);
    let text = || format!("the node is ready: {is_ready}; {}", late.join("; "));
    let holds = is_ready && late.is_empty();
    let text = (!holds).then(text);
    if let Some(text) = text {
        world.witness.violated(Invariant::Liveness, text);
    }
}

/// Replays every journal from tick 0 beside what was seen.
pub fn replay_everything(world: &mut World) {
    // Everything that was written counts, also what the last process has not heard of.
    world.node = None;
    let journal = MemoryJournal::open(&world.machine.disk);
    let mut wanted = Vec::new();
    let list = journal.list(None, &mut |entry| {
        wanted.push((Load { match_id: entry.match_id, from: LoadFrom::Beginning }, entry.state));
    });
    list.expect("it is readable");
    let loads: Vec<Load> = wanted.iter().map(|(load, _)| *load).collect();
    let found = recover(&journal, &loads).expect("it is readable");
    let mut set_aside = 0;
    let mut quarantined = 0;
    for ((load, state), found) in wanted.iter().zip(found) {
        let match_id = load.match_id;
        set_aside += world.machine.disk.set_aside(match_id) as u64;
        quarantined += u64::from(*state == JournalState::Quarantined);
        match found {
            Ok(found) => check_journal(&mut world.witness, &world.inputs, &found),
            Err(why) => {
                let was_claimed = world.witness.of(match_id).epoch > Epoch(0);
                world.witness.check(!was_claimed, Invariant::NoDurableTickLost, || {
                    format!("match {match_id} was acknowledged and cannot be read: {why}")
                });
            }
        }
    }
    let panics: u64 = world
        .witness
        .matches
        .values()
        .flat_map(|known| known.deaths.values())
        .map(|n| u64::from(*n))
        .sum();
    let between_steps = world.witness.deaths_between_steps;
    let matched = world.machine.directory.queued();
    let tally = world.tally_mut();
    tally.add("queued_for_a_match", matched);
    tally.add("game_panic_between_steps", between_steps);
    tally.add("torn_records", set_aside);
    tally.add("match_quarantined", quarantined);
    tally.add("game_panic", panics);
}

fn check_journal(witness: &mut Witness, sent: &Sent, found: &Recovered) {
    let match_id = found.match_id();
    let spec = match MatchHeader::decode(&found.header).and_then(|header| header.spec::<Fragile>())
    {
        Ok(spec) => spec,
        Err(error) => {
            witness.violated(Invariant::ReplayEqual, format!("match {match_id}: {error}"));
            return;
        }
    };
    witness.check_tick(match_id, found.tick());
    let places = spec.places;
    let mut replay = Replay::<Fragile>::from_start(spec);
    let mut scratch = Vec::new();
    let mut fires: BTreeMap<PlayerId, (u64, u64)> = BTreeMap::new();
    for piece in &found.pieces {
        // Not the number of claims: one that was torn is an epoch all the same.
        let epoch = piece.epoch();
        if piece.kind != Kind::Frames {
            continue;
        }
        let mut frames: &[u8] = &piece.payload;
        loop {
            let played = next_frame(&mut frames).map_err(|error| error.to_string());
            let played = played.and_then(|bytes| {
                let Some(bytes) = bytes else { return Ok(None) };
                let frame =
                    Frame::<ArenaInput>::decode(bytes, places).map_err(|e| e.to_string())?;
                replay.play(&frame).map_err(|e| e.to_string())?;
                Ok(Some(frame))
            });
            let frame = match played {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    witness.violated(Invariant::ReplayEqual, format!("match {match_id}: {error}"));
                    return;
                }
            };
            let tick = replay.state().tick();
            let hash = replay.state().hash(&mut scratch);
            let live = witness.of(match_id).hashes.get(&(epoch, tick)).copied();
            witness.check(live == Some(hash), Invariant::ReplayEqual, || {
                format!(
                    "match {match_id}: tick {epoch}/{tick} was {live:016x?}, replayed {hash:016x}"
                )
            });
            for (place, input) in frame.inputs.iter().enumerate() {
                let Some((input, substituted)) = *input else { continue };
                let Some(player) = replay.state().player(Slot(place as u8)) else { continue };
                fires.entry(player).or_default().0 += u64::from(input.fire);
                if !substituted {
                    check_input(witness, sent, (match_id, player, epoch, tick), input);
                }
            }
        }
    }
    for (key, input) in sent.range((match_id, PlayerId(0), Epoch(0), Tick(0))..) {
        if key.0 != match_id {
            break;
        }
        fires.entry(key.1).or_default().1 += u64::from(input.fire);
    }
    for (player, (applied, pressed)) in fires {
        witness.check(applied <= pressed, Invariant::InputsRight, || {
            format!(
                "match {match_id}: player {} fired {applied} times and pressed {pressed}",
                player.0
            )
        });
    }
}

/// What was applied at a tick is what was sent for it, but for the presses of late ones.
fn check_input(
    witness: &mut Witness,
    sent: &Sent,
    key: (MatchId, PlayerId, Epoch, Tick),
    input: ArenaInput,
) {
    let (match_id, player, epoch, tick) = key;
    // A datagram has no gaps: ticks that were left out are filled with the one before them.
    let until_own = (match_id, player, epoch, Tick(0))..=key;
    let own = sent.range(until_own).next_back().map(|(_, own)| own);
    let holds = own.is_some_and(|own| own.held() == input.held());
    witness.check(holds, Invariant::InputsRight, || {
        format!(
            "match {match_id}: player {} at {epoch}/{tick}: {input:?} was applied, {own:?} sent",
            player.0
        )
    });
}
