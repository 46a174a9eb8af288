//! One bot: what it makes of what its match tells it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use matchkeep_shared::game::Input;
use matchkeep_shared::ids::{EntityId, MatchId};
use matchkeep_shared::time::Tick;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::report::{BotReport, Seen};
use super::{Shared, SwarmEvent};
use crate::bots::{Brain, BrainStart, Playable};
use crate::link::{Core, PlayerKey};
use crate::netcode::{Joined, MatchEvent};

/// One in so many snapshots is looked at for the scores.
const SCORES_EVERY: u64 = 60;

/// A bot that is in a match, or on its last steps into one.
pub(super) struct Bot<G: Playable> {
    /// Which of the swarm.
    pub(super) number: usize,
    pub(super) match_id: MatchId,
    brain: Option<Box<dyn Brain<G>>>,
    /// Its turn to join; given back when it is in.
    permit: Option<OwnedSemaphorePermit>,
    pub(super) leave_at: Option<Instant>,
    /// The question to the lobby that is under way.
    pub(super) asked: Option<AbortHandle>,
    pub(super) report: BotReport,
}

impl<G: Playable> Bot<G> {
    pub(super) fn new(
        number: usize,
        match_id: MatchId,
        permit: OwnedSemaphorePermit,
        leave_at: Option<Instant>,
    ) -> Self {
        let mut report = BotReport::default();
        report.returns.bot = number;
        let permit = Some(permit);
        Self { number, match_id, brain: None, permit, leave_at, asked: None, report }
    }

    /// Something of the match. Says whether the bot plays on.
    pub(super) fn take(
        &mut self,
        key: PlayerKey,
        event: MatchEvent<G>,
        core: &mut Core<G>,
        shared: &Shared,
    ) -> bool {
        match event {
            MatchEvent::Joined(joined) => self.begin(&joined, shared),
            MatchEvent::Snapshot(info) => {
                if let Some(observer) = &shared.plan.observer {
                    observer.snapshot(self.number, self.match_id, &info);
                }
                self.look(key, core, shared);
            }
            MatchEvent::InputDue(tick) => {
                if let Some(brain) = &mut self.brain {
                    core.send_input(key, tick, brain.decide(tick));
                }
            }
            MatchEvent::Event { tick, event } => {
                if let Some(brain) = &mut self.brain {
                    brain.hear(tick, &event);
                }
            }
            MatchEvent::RolledBack { from, to } => {
                if let Some(observer) = &shared.plan.observer {
                    observer.rolled_back(self.number, self.match_id, from, to);
                }
                self.report.returns.ticks_rolled_back.push(from.since(to).max(0) as u64);
            }
            MatchEvent::Reconnected { gap, .. } => {
                if let Some(observer) = &shared.plan.observer {
                    observer.reconnected(self.number, self.match_id, gap);
                }
                self.report.returns.note_gap(gap);
            }
            MatchEvent::Interrupted | MatchEvent::Paused(_) | MatchEvent::Notice(_) => {}
            MatchEvent::Ended { outcome, .. } => {
                self.report.told_result = true;
                let (match_id, outcome) = (self.match_id, Arc::new(outcome));
                let _ = shared.events.send(SwarmEvent::Ended { match_id, outcome });
                return false;
            }
        }
        true
    }

    fn begin(&mut self, joined: &Joined<G>, shared: &Shared) {
        let plan = &shared.plan;
        let (bot, slot) = (self.number, joined.slot);
        let start = BrainStart {
            config: &joined.config,
            slot,
            rate: joined.rate,
            seed: plan.seed.wrapping_add(bot as u64),
        };
        self.brain = Some(match G::brain(&plan.kinds[bot], start) {
            Some(brain) => brain,
            None => Box::new(Idle),
        });
        self.permit = None;
        if std::mem::replace(&mut self.report.joined, true) {
            return;
        }
        shared.progress.playing.fetch_add(1, Ordering::Relaxed);
        let (name, match_id) = (plan.bot_name(bot), self.match_id);
        let _ = shared.events.send(SwarmEvent::Joined { bot, name, match_id, slot });
    }

    fn look(&mut self, key: PlayerKey, core: &Core<G>, shared: &Shared) {
        let Some(session) = core.session(key) else { return };
        let seen = shared.progress.snapshots.fetch_add(1, Ordering::Relaxed);
        if seen.is_multiple_of(SCORES_EVERY)
            && let Some((_, entities)) = session.snapshot()
        {
            shared.progress.note_scores::<G>(self.match_id, entities.map(|(_, entity)| entity));
        }
        if let (Some(brain), Some((tick, mut entities))) = (&mut self.brain, session.snapshot()) {
            brain.see(tick, &mut entities);
        }
    }

    /// The bot is done.
    pub(super) fn finish(mut self, shared: &Shared) -> BotReport {
        if self.report.joined {
            shared.progress.playing.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(asked) = self.asked {
            asked.abort();
        }
        if let Some(brain) = self.brain {
            self.report.findings = brain.findings();
            let (bot, match_id) = (self.number, self.match_id);
            let seen = brain.seen().into_iter();
            let seen = seen.map(|(slot, moved_units)| Seen { bot, match_id, slot, moved_units });
            self.report.seen = seen.collect();
        }
        self.report
    }
}

/// Stands there, in any game.
struct Idle;

impl<G: Playable> Brain<G> for Idle {
    fn see(&mut self, _: Tick, _: &mut dyn Iterator<Item = (EntityId, G::Entity)>) {}

    fn decide(&mut self, _: Tick) -> G::Input {
        G::Input::default().neutral()
    }
}
