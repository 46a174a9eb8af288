//! What the thread does: wait for the first of all that can wake it, and serve it.
//!
//! Owns: the loop, and that one broken part breaks the other. Must not know: SQLite, who asks.

use crossbeam_channel::{Receiver, never, select};
use matchkeep_shared::limits::STORE_WRITES_MAX;

use super::super::directory::{Directory, StoreError};
use super::batch::{Applied, Batch};
use super::journals::Journals;
use super::{Message, Write};
use crate::journal::JournalError;

/// How much lower than the others' the thread's priority is with journals: ticks come first.
const NICE: i32 = 5;

/// Ends when the queue is closed, or every handle gone, and nothing waits. What journals could not be
/// written is the answer.
pub(super) fn run(
    mut directory: impl Directory,
    mut journals: Option<Journals>,
    messages: &Receiver<Message>,
) -> Option<StoreError> {
    if journals.is_some() {
        // Of this thread alone, on Linux. Where it is refused the thread is as urgent as the others.
        let _ = rustix::process::nice(NICE);
    }
    let mut broken = None;
    let (nobody, no_timer) = (never(), never());
    loop {
        let (complete, urgent, due) = match &journals {
            None => (&nobody, &nobody, &no_timer),
            Some(journals) if journals.is_due() => {
                (&nobody, &journals.inlets.urgent, &journals.due)
            }
            Some(journals) => (&journals.inlets.complete, &journals.inlets.urgent, &journals.due),
        };
        let first = select! {
            recv(urgent) -> told => {
                journals.as_mut().expect("it woke").woken(told);
                None
            }
            recv(due) -> _ => {
                journals.as_mut().expect("it was due").flush();
                None
            }
            recv(complete) -> told => {
                // An error says that every handle is gone; `woken` finds that out too.
                if let (Ok(()), Some(journals)) = (told, &mut journals) {
                    journals.complete();
                }
                None
            }
            recv(messages) -> first => match first {
                Ok(first) => Some(first),
                Err(_) => break,
            },
        };
        break_both(&mut journals, &mut broken);
        // On a slow disk the next flush is due when this one is over: others have their turn in between.
        if let Some(first) = first.or_else(|| messages.try_recv().ok()) {
            let waiting = std::iter::once(first).chain(messages.try_iter());
            let waiting = waiting.take(STORE_WRITES_MAX);
            serve(&mut directory, journals.as_mut(), &mut broken, waiting);
            break_both(&mut journals, &mut broken);
        }
    }
    journals.and_then(Journals::close)
}

/// One file is under both: what one cannot trust the other cannot either.
fn break_both(journals: &mut Option<Journals>, broken: &mut Option<StoreError>) {
    let Some(journals) = journals else { return };
    match broken {
        None => *broken = journals.broken(),
        Some(error) => journals.break_off(JournalError::Broken { cause: error.to_string() }),
    }
}

/// Serves everyone who waits: the writes in one transaction, then, outside of it, what asks for journals.
fn serve(
    directory: &mut impl Directory,
    mut journals: Option<&mut Journals>,
    broken: &mut Option<StoreError>,
    waiting: impl Iterator<Item = Message>,
) {
    let mut batch = Batch::new(directory, broken.clone());
    let mut applied = Vec::new();
    let mut others = Vec::new();
    for message in waiting {
        match message {
            Message::Write(write) => applied.push(batch.apply(write)),
            other => others.push(other),
        }
    }
    commit(batch, applied, broken);
    for message in others {
        match (message, &mut journals) {
            (Message::Ask(ask), Some(journals)) => journals.answer(ask),
            // Without journals an ask is dropped, and its answer is that the store is closed to it.
            (Message::Ask(_), None) | (Message::Write(_), _) => {}
            (Message::Quarantine { match_id, why, answer }, journals) => {
                let in_journal = match journals {
                    Some(journals) => journals.quarantine(match_id, &why),
                    None => Ok(()),
                };
                if let Err(error) = in_journal {
                    drop(answer.send(Err(error)));
                    continue;
                }
                let mut batch = Batch::new(directory, broken.clone());
                let applied = batch.apply(Write::Quarantine { match_id, why, answer });
                commit(batch, vec![applied], broken);
            }
        }
    }
}

fn commit(
    batch: Batch<'_, impl Directory>,
    applied: Vec<Applied>,
    broken: &mut Option<StoreError>,
) {
    let failed = batch.commit();
    for applied in applied {
        applied.answer(failed.as_ref());
    }
    if matches!(failed, Some(StoreError::Broken { .. })) {
        *broken = failed;
    }
}
