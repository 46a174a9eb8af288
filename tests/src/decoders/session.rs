//! A client's whole session, fed with whatever a server might send.
//!
//! The bytes are a script. The first says whether a valid welcome comes first (bit 0). Then, again and
//! again: one byte that says where to (bit 0: a datagram, else the stream) and how many milliseconds pass
//! (the other bits), two bytes of length, and so many bytes, or what is left.

use std::time::{Duration, Instant};

use matchkeep_client::netcode::{MatchEvent, MatchSession};
use matchkeep_shared::arena::{Arena, ArenaInput};

use crate::samples;

/// Inputs that one session may ask for at one instant. A client makes up for a pause with a few.
const INPUTS_AT_ONCE_MAX: usize = 16;

/// Runs a script against a session; the first error ends it, as it ends a connection.
pub fn session(script: &[u8]) {
    let Some((first, mut rest)) = script.split_first() else { return };
    let mut now = Instant::now() + Duration::from_secs(3600);
    let mut session = MatchSession::<Arena>::default();
    if first & 1 == 1 {
        let welcome = samples::framed(&samples::welcome());
        session.handle_stream(now, &welcome).expect("a sample is valid");
    }
    while let Some(([what, low, high], after)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (bytes, after) = after.split_at(length);
        rest = after;
        now += Duration::from_millis(u64::from(what >> 1));
        let result = if what & 1 == 1 {
            session.handle_datagram(now, bytes)
        } else {
            session.handle_stream(now, bytes)
        };
        if result.is_err() {
            return;
        }
        poll(&mut session, now);
    }
}

fn poll(session: &mut MatchSession<Arena>, now: Instant) {
    let mut inputs = 0;
    let mut datagram = Vec::new();
    while let Some(event) = session.poll_event(now) {
        if let MatchEvent::InputDue(tick) = event {
            inputs += 1;
            assert!(inputs <= INPUTS_AT_ONCE_MAX, "a server makes a client send without end");
            session.push_input(tick, ArenaInput::default(), &mut datagram);
        }
    }
    if let Some((_, entities)) = session.snapshot() {
        assert!(entities.count() <= matchkeep_shared::limits::ENTITIES_PER_VIEW_MAX);
    }
}

/// A script of these steps, behind a welcome.
pub fn script(steps: &[(bool, &[u8])]) -> Vec<u8> {
    let mut script = vec![1];
    for (is_datagram, bytes) in steps {
        // A tick passes between two of them.
        script.push(16 << 1 | u8::from(*is_datagram));
        script.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
        script.extend_from_slice(bytes);
    }
    script
}
