//! The task of one socket: a clock around a core, and its bots.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use matchkeep_shared::disconnect::DisconnectReason;
use tokio::time::{Instant, Sleep};

use super::bot::Bot;
use super::joining::{Answer, Joining};
use super::report::BotReport;
use super::{GOODBYE_MAX, Shared};
use crate::bots::Playable;
use crate::link::{Core, CoreConfig, LinkError, PlayerEvent, PlayerKey, endpoint_config};
use crate::transport::udp::Udp;
use crate::transport::{ClientError, now, random_seed};

/// From the first packet to a look at all that has come by then: snapshots of a match come together.
const COALESCE: Duration = Duration::from_millis(1);
/// Inputs due within this are made in one go.
const INPUT_SLACK: Duration = Duration::from_millis(2);

/// Moves the bots of one socket.
pub(super) struct Driver<G: Playable> {
    shared: Arc<Shared>,
    core: Core<G>,
    udp: Udp,
    joining: Joining,
    /// Bots that the lobby has yet to tell where to go.
    awaited: usize,
    /// By player key.
    bots: Vec<Option<Bot<G>>>,
    /// Goes off when there is something to do even if nothing comes.
    timer: Pin<Box<Sleep>>,
    /// When the first of the bots leaves by itself.
    leaves_at: Option<Instant>,
    done: Vec<BotReport>,
}

impl<G: Playable> Driver<G> {
    /// For the bots with these numbers.
    pub(super) fn new(shared: Arc<Shared>, udp: Udp, mut joining: Joining, bots: &[usize]) -> Self {
        let core = Core::new(CoreConfig {
            endpoint: endpoint_config(None).into(),
            seed: random_seed(),
            seeded_ids: false,
            input_slack: INPUT_SLACK,
        });
        bots.iter().for_each(|bot| joining.find::<G>(*bot));
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        let (awaited, leaves_at, done) = (bots.len(), None, Vec::new());
        Self { shared, core, udp, joining, awaited, bots: Vec::new(), timer, leaves_at, done }
    }

    /// Plays until every bot is done and its goodbye is on its way.
    pub(super) async fn run(mut self) -> Vec<BotReport> {
        if let Err(error) = self.play().await {
            // The socket itself failed: nobody plays on.
            for key in 0..self.bots.len() {
                self.finish(PlayerKey(key), Some(format!("no UDP socket: {error}")));
            }
        }
        let until = now() + GOODBYE_MAX;
        while self.core.connections() > 0 && now() < until {
            if self.turn(Some(until)).await.is_err() {
                break;
            }
        }
        self.done
    }

    async fn play(&mut self) -> io::Result<()> {
        while self.awaited > 0 || self.bots.iter().any(Option::is_some) {
            self.turn(None).await?;
            while let Some((key, event)) = self.core.poll_event(now()) {
                self.tell(key, event);
            }
            self.send_home();
        }
        Ok(())
    }

    /// Sends what is to be sent, waits until something comes or is due, and hands it to the core.
    async fn turn(&mut self, until: Option<std::time::Instant>) -> io::Result<()> {
        self.udp.send_all(&mut self.core, now());
        let wakes = [self.core.next_wake(), until, self.leaves_at.map(Instant::into_std)];
        let wake = wakes.into_iter().flatten().min();
        if let Some(wake) = wake {
            self.timer.as_mut().reset(wake.into());
        }
        tokio::select! {
            biased;
            () = &mut self.timer, if wake.is_some() => {}
            ready = self.udp.readable() => {
                ready?;
                let soon = Instant::from(now()) + COALESCE;
                if self.timer.deadline() > soon {
                    self.timer.as_mut().reset(soon);
                }
                self.timer.as_mut().await;
            }
            answer = self.joining.answer() => self.take_answer(answer),
        }
        while let Some(answer) = self.joining.try_answer() {
            self.take_answer(answer);
        }
        // What has come is looked at before what is due: it may have made that void.
        self.udp.receive(&mut self.core, now)?;
        self.core.handle_timeouts(now());
        Ok(())
    }

    fn take_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Ticket { key, place: Ok(place) } => self.core.redirect(now(), key, place),
            Answer::Ticket { key, place: Err(why) } => self.core.give_up(now(), key, why),
            Answer::Place { bot, place } => {
                self.awaited -= 1;
                let joined = place.and_then(|(place, permit)| {
                    let (match_id, address) = (place.match_id, place.address);
                    let come_back = self.shared.plan.way_back(bot).come_back();
                    let key = self.core.join(now(), place, come_back);
                    Ok((key.map_err(|why| ClientError::of(address, why))?, match_id, permit))
                });
                match joined {
                    Ok((key, match_id, permit)) => {
                        let play_for = self.shared.plan.play_for;
                        let leave_at = play_for.map(|play_for| Instant::from(now()) + play_for);
                        self.leaves_at = [self.leaves_at, leave_at].into_iter().flatten().min();
                        if self.bots.len() <= key.0 {
                            self.bots.resize_with(key.0 + 1, || None);
                        }
                        self.bots[key.0] = Some(Bot::new(bot, match_id, permit, leave_at));
                    }
                    Err(error) => self.done.push(BotReport {
                        failure: Some(format!("bot {bot}: {error}")),
                        ..BotReport::default()
                    }),
                }
            }
        }
    }

    fn tell(&mut self, key: PlayerKey, event: PlayerEvent<G>) {
        let Some(Some(bot)) = self.bots.get_mut(key.0) else { return };
        match event {
            PlayerEvent::Match(event) => {
                if !bot.take(key, event, &mut self.core, &self.shared) {
                    self.finish(key, None);
                }
            }
            PlayerEvent::NeedTicket { match_id } => {
                bot.asked = Some(self.joining.locate::<G>(bot.number, key, match_id));
            }
            PlayerEvent::Over(LinkError::Disconnected(DisconnectReason::MatchEnded)) => {
                self.finish(key, None);
            }
            PlayerEvent::Over(why) => {
                let address = self.core.place(key).map(|place| place.address);
                let error = address.map(|address| ClientError::of(address, why).to_string());
                self.finish(key, error);
            }
        }
    }

    /// Bots whose time is up leave.
    fn send_home(&mut self) {
        let time = Instant::from(now());
        if self.leaves_at.is_none_or(|at| at > time) {
            return;
        }
        for key in 0..self.bots.len() {
            let leave_at = self.bots[key].as_ref().and_then(|bot| bot.leave_at);
            if leave_at.is_some_and(|at| at <= time) {
                self.finish(PlayerKey(key), None);
            }
        }
        self.leaves_at = self.bots.iter().flatten().filter_map(|bot| bot.leave_at).min();
    }

    /// A bot is done: it leaves its place.
    fn finish(&mut self, key: PlayerKey, failure: Option<String>) {
        let Some(bot) = self.bots.get_mut(key.0).and_then(Option::take) else { return };
        let number = bot.number;
        let mut report = bot.finish(&self.shared);
        report.counts = self.core.session(key).map(|s| s.counts()).unwrap_or_default();
        report.link = self.core.stats(key);
        report.failure = failure.map(|failure| format!("bot {number}: {failure}"));
        self.done.push(report);
        self.core.leave(now(), key);
        self.core.forget(now(), key);
    }
}
