//! What a journal's records carry, as recovery and time travel read it: what is taken encodes again, and to what it was.

use matchkeep_server::matches::MatchSpec;
use matchkeep_server::matches::frame::{Frame, FrameWriter, next_frame};
use matchkeep_server::matches::header::MatchHeader;
use matchkeep_server::matches::incident::Incident;
use matchkeep_server::matches::state::MatchState;
use matchkeep_shared::arena::{Arena, ArenaConfig, ArenaInput};
use matchkeep_shared::encoding::{decode, encode};
use matchkeep_shared::game::{Inputs, Outcome};
use matchkeep_shared::ids::Slot;
use matchkeep_shared::limits::CHECKPOINT_BYTES_MAX;

/// The places of the match whose frames [`journal_frames`] takes.
pub const FRAME_PLACES: usize = 4;

/// A header, and of one that is this build's what the match is made of.
pub fn journal_header(bytes: &[u8]) {
    let Ok(header) = MatchHeader::decode(bytes) else { return };
    let again = MatchHeader::decode(&encode(&header));
    assert_eq!(again.expect("what was accepted is accepted"), header);
    if let Ok(spec) = header.spec::<Arena>() {
        let bytes = encode(&spec);
        let again = decode::<MatchSpec<ArenaConfig>, CHECKPOINT_BYTES_MAX>("match", &bytes);
        assert_eq!(encode(&again.expect("what was accepted is accepted")), bytes);
    }
}

/// The frames of a record.
pub fn journal_frames(bytes: &[u8]) {
    let mut rest = bytes;
    let (mut writer, mut again) = (FrameWriter::default(), Vec::new());
    while let Ok(Some(bytes)) = next_frame(&mut rest) {
        let Ok(frame) = Frame::<ArenaInput>::decode(bytes, FRAME_PLACES) else { return };
        assert_eq!(frame.inputs.len(), FRAME_PLACES);
        let mut inputs = Inputs::new(FRAME_PLACES);
        for (slot, input) in (0..).map(Slot).zip(&frame.inputs) {
            inputs.set(slot, input.map(|(input, _)| input));
        }
        let substituted = |slot: Slot| frame.inputs[slot.index()].is_some_and(|(_, is)| is);
        writer.begin(&frame.entries, FRAME_PLACES, &inputs, substituted);
        again.clear();
        writer.finish(frame.hash, &mut again);
        let mut again = &*again;
        let again = next_frame(&mut again).expect("it was written here").expect("there is one");
        let again = Frame::decode(again, FRAME_PLACES);
        assert_eq!(again.expect("what was accepted is accepted"), frame);
    }
}

/// A checkpoint of the arena.
pub fn journal_checkpoint(bytes: &[u8]) {
    let Ok(state) = MatchState::<Arena>::decode(bytes) else { return };
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    state.encode(&mut once);
    let again = MatchState::<Arena>::decode(&once);
    again.expect("what was accepted is accepted").encode(&mut twice);
    assert!(once == twice, "a copy of a state is another one");
}

/// What a match died of.
pub fn journal_incident(bytes: &[u8]) {
    let Ok(incident) = Incident::decode(bytes) else { return };
    let again = Incident::decode(&encode(&incident));
    assert_eq!(again.expect("what was accepted is accepted"), incident);
}

/// How a match ended.
pub fn journal_result(bytes: &[u8]) {
    let read = |bytes: &[u8]| decode::<Outcome, CHECKPOINT_BYTES_MAX>("result", bytes);
    let Ok(outcome) = read(bytes) else { return };
    let again = read(&encode(&outcome));
    assert_eq!(again.expect("what was accepted is accepted"), outcome);
}
