//! What is pending of one match, and how it becomes records.
//!
//! Owns: joining frames, sealing up to a claim, making the claim. Must not know: the other matches, the
//! journal.

use matchkeep_shared::ids::{Epoch, MatchId, ShardId};
use matchkeep_shared::limits::JOURNAL_PAYLOAD_BYTES_MAX;
use matchkeep_shared::time::Tick;

use super::super::backend::{Claim, Cut};
use super::super::batch::Batch;
use super::super::chain::Chain;
use super::super::damage::Damage;
use super::super::item::Entry;
use super::super::record::Kind;
use super::super::report::Durable;
use super::super::room::Permit;

/// A match that is written here.
#[derive(Debug)]
pub(super) struct Owned {
    /// Up to the last record made.
    pub(super) chain: Chain,
    /// The epoch that the next piece must name.
    pub(super) epoch: Epoch,
    pub(super) pending: Vec<Pending>,
    /// Which shard last handed over something of it.
    pub(super) shard: Option<ShardId>,
}

#[derive(Debug)]
pub(super) struct Pending {
    pub(super) epoch: Epoch,
    pub(super) entry: Entry,
    pub(super) permit: Permit,
}

/// Records made and not durable.
#[derive(Debug, Default)]
pub(super) struct SealedFlush {
    pub(super) batch: Batch,
    /// What will be durable with them, one for each match.
    pub(super) durable: Vec<Durable>,
    pub(super) checkpoints_too_large: Vec<(MatchId, Tick)>,
    pub(super) permits: Vec<Permit>,
}

/// Where sealing a match's pieces ended.
pub(super) enum End {
    /// Everything is sealed.
    Written,
    /// At a claim.
    Waits,
    /// The match is no longer written here.
    Gone,
}

impl Owned {
    /// Frames that go on where the last ones ended become one record with them.
    pub(super) fn push(&mut self, mut new: Pending) {
        if let Some(before) = self.pending.last_mut()
            && let Entry::Frames { first: begin, last: end, bytes: joined } = &mut before.entry
            && let Entry::Frames { first, last, bytes } = &mut new.entry
            && *first == *end + 1
            // What is wrong with either is found when it is made a record.
            && (*begin <= *end && *first <= *last)
            && joined.len() + bytes.len() <= JOURNAL_PAYLOAD_BYTES_MAX
        {
            joined.append(bytes);
            *end = *last;
            before.permit.join(new.permit);
        } else {
            self.pending.push(new);
        }
    }

    pub(super) fn seal(&mut self, flush: &mut SealedFlush) -> Result<End, (Epoch, Damage)> {
        let claim = self.pending.iter().position(|pending| pending.entry.is_claim());
        let until = claim.unwrap_or(self.pending.len());
        let mut end = if claim.is_some() { End::Waits } else { End::Written };
        let mut durable = Durable {
            match_id: self.chain.match_id(),
            epoch: self.chain.epoch(),
            tick: self.chain.tick(),
            incidents: 0,
            is_finished: false,
            shard: self.shard,
        };
        let mut wrote = false;
        let mut failed = None;
        for Pending { epoch, entry, permit } in self.pending.drain(..until) {
            flush.permits.push(permit);
            let batch = &mut flush.batch;
            let chain = &mut self.chain;
            let mut bytes_of = |kind, first, last, bytes: &[u8]| {
                let payload = |out: &mut Vec<u8>| out.extend_from_slice(bytes);
                chain.seal(kind, epoch, (first, last), payload, batch)
            };
            let result = match entry {
                Entry::Frames { first, last, bytes } => bytes_of(Kind::Frames, first, last, &bytes),
                Entry::Incident { tick, bytes } => {
                    let result = bytes_of(Kind::Incident, tick, tick, &bytes);
                    durable.incidents += u32::from(result.is_ok());
                    result
                }
                Entry::Finish { tick, bytes, unix_ms } => {
                    end = End::Gone;
                    let result = bytes_of(Kind::Finish, tick, tick, &bytes);
                    if result.is_ok() {
                        durable.is_finished = true;
                        flush.batch.set_ended(unix_ms);
                    }
                    result
                }
                Entry::Checkpoint { tick, encode, .. } => {
                    match chain.seal(Kind::Checkpoint, epoch, (tick, tick), encode, batch) {
                        Err(Damage::TooLarge(_)) => {
                            flush.checkpoints_too_large.push((chain.match_id(), tick));
                            Ok(())
                        }
                        result => result,
                    }
                }
                Entry::Release => {
                    end = End::Gone;
                    break;
                }
                Entry::Begin { .. } | Entry::Resume { .. } | Entry::Restart { .. } => {
                    unreachable!("sealing ends before a claim")
                }
            };
            match result {
                Ok(()) => wrote = true,
                Err(why) => {
                    failed = Some((epoch, why));
                    break;
                }
            }
        }
        // What came before a defect is good, and is written.
        if wrote {
            durable.tick = self.chain.tick();
            flush.durable.push(durable);
        }
        failed.map_or(Ok(end), Err)
    }

    /// The claim that the next piece asks for, and the chain after it.
    pub(super) fn next_claim(&self) -> Option<Result<(Claim, Chain), (Epoch, Damage)>> {
        let pending = self.pending.first()?;
        let (header, payload, cut, expected, unix_ms) = match &pending.entry {
            Entry::Begin { header, claim, unix_ms } => (Some(header), claim, None, None, *unix_ms),
            Entry::Resume { recovered, claim, unix_ms } => {
                (None, claim, Some(recovered.keep()), Some(recovered.epoch()), *unix_ms)
            }
            Entry::Restart { claim, unix_ms } => {
                (None, claim, None, Some(self.chain.epoch()), *unix_ms)
            }
            _ => return None,
        };
        let mut chain = self.chain;
        let claim = self.claim_of(pending.epoch, header, payload, &mut chain, (cut, expected));
        Some(
            claim
                .map(|claim| (Claim { unix_ms, ..claim }, chain))
                .map_err(|why| (pending.epoch, why)),
        )
    }

    fn claim_of(
        &self,
        epoch: Epoch,
        header: Option<&Vec<u8>>,
        payload: &[u8],
        chain: &mut Chain,
        (cut, expected): (Option<Cut>, Option<Epoch>),
    ) -> Result<Claim, Damage> {
        let mut records = Batch::default();
        let at = (chain.tick(), chain.tick());
        if let Some(header) = header {
            let header = |out: &mut Vec<u8>| out.extend_from_slice(header);
            chain.seal(Kind::Header, epoch, at, header, &mut records)?;
        }
        let payload = |out: &mut Vec<u8>| out.extend_from_slice(payload);
        chain.seal(Kind::Claim, epoch, at, payload, &mut records)?;
        let claim = Claim { match_id: chain.match_id(), expected, cut, unix_ms: 0, records };
        if claim.epoch() != epoch {
            return Err(Damage::EpochUnclaimed { from: expected.unwrap_or(Epoch(0)), to: epoch });
        }
        Ok(claim)
    }
}
