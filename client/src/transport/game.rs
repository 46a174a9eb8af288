//! A client's side of a match on tokio: a socket and a clock around a core with one player.

use std::pin::Pin;
use std::time::Duration;

use matchkeep_shared::Game;
use matchkeep_shared::ids::EntityId;
use matchkeep_shared::limits::IDENTITY_BYTES_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::lobby::{Assignment, Who};
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use super::return_path::{Return, ask};
use super::udp::Udp;
use super::{ClientError, now, place};
use crate::link::{
    Core, CoreConfig, LinkError, LinkStats, Place, PlayerEvent, PlayerKey, endpoint_config,
};
use crate::netcode::{MatchEvent, MatchSession, ProtocolError, SessionCounts};

/// What a runtime's timer can tell apart, halved.
const TIMER_PRECISION: Duration = Duration::from_micros(500);

/// A player in a match.
///
/// The connection lives while [`next`](Self::next) is waited for: whoever stays away from it for long is
/// taken for lost. Dropped, it ends as [`abandon`](Self::abandon) ends it.
pub struct MatchClient<G: Game> {
    core: Core<G>,
    player: PlayerKey,
    udp: Udp,
    way: Return,
    /// The question to the lobby that is under way.
    asked: Option<JoinHandle<Result<Place, LinkError>>>,
    /// Goes off when the core next wants to be woken.
    timer: Pin<Box<Sleep>>,
}

impl<G: Game> MatchClient<G> {
    /// Goes where the lobby said, with the ticket it gave. The first event is
    /// [`MatchEvent::Joined`]. `way` says what is done when the match falls silent.
    ///
    /// # Errors
    /// [`ClientError`]: nobody there, another certificate. What the server thinks of the ticket comes
    /// from [`MatchClient::next`].
    pub async fn join(assignment: Assignment, way: Return) -> Result<Self, ClientError> {
        let place = place(assignment)?;
        let udp = Udp::to(place.address.ip())?;
        let mut core = Core::new(CoreConfig {
            endpoint: endpoint_config(None).into(),
            seed: super::random_seed(),
            seeded_ids: false,
            input_slack: Duration::ZERO,
        });
        let address = place.address;
        let joined = core.join(now(), place, way.come_back());
        let player = joined.map_err(|error| ClientError::of(address, error))?;
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut client = Self { core, player, udp, way, asked: None, timer };
        while !client.core.is_connected(player) {
            if let Some((_, PlayerEvent::Over(why))) = client.core.poll_event(now()) {
                return Err(client.error(why));
            }
            client.turn().await?;
        }
        client.flush();
        Ok(client)
    }

    /// Waits for what happens next. On [`MatchEvent::InputDue`] answer with [`MatchClient::send_input`].
    /// May be dropped and called again without losing anything.
    ///
    /// # Errors
    /// [`ClientError`]: the match is over for this player, and why.
    pub async fn next(&mut self) -> Result<MatchEvent<G>, ClientError> {
        loop {
            while let Some((_, event)) = self.core.poll_event(now()) {
                match event {
                    PlayerEvent::Match(event) => return Ok(event),
                    PlayerEvent::NeedTicket { match_id } => {
                        self.asked = Some(tokio::spawn(ask::<G>(self.way.clone(), match_id)));
                    }
                    PlayerEvent::Over(why) => {
                        self.flush();
                        return Err(self.error(why));
                    }
                }
            }
            self.turn().await?;
        }
    }

    /// Sends what is to be sent, waits until something comes or is due, and hands it to the core.
    async fn turn(&mut self) -> Result<(), ClientError> {
        self.flush();
        let wake = self.core.next_wake();
        if let Some(wake) = wake {
            self.set_timer(wake.into());
        }
        tokio::select! {
            biased;
            ready = self.udp.readable() => ready?,
            () = &mut self.timer, if wake.is_some() => {}
            answer = answered(&mut self.asked) => {
                self.asked = None;
                match answer {
                    Ok(place) => self.core.redirect(now(), self.player, place),
                    Err(why) => self.core.give_up(now(), self.player, why),
                }
            }
        }
        // What has come is looked at before what is due: it may have made that void.
        self.udp.receive(&mut self.core, now)?;
        self.core.handle_timeouts(now());
        Ok(())
    }

    /// Every snapshot moves the deadline a little; setting a timer costs more than being off by less than
    /// it can tell apart.
    fn set_timer(&mut self, due: tokio::time::Instant) {
        let set = self.timer.deadline();
        let is_near = due.max(set) - due.min(set) < TIMER_PRECISION;
        if self.timer.is_elapsed() || !is_near {
            self.timer.as_mut().reset(due);
        }
    }

    fn flush(&mut self) {
        self.udp.send_all(&mut self.core, now());
    }

    fn error(&self, why: LinkError) -> ClientError {
        let place = self.core.place(self.player).expect("the player is never forgotten");
        ClientError::of(place.address, why)
    }

    /// Sends the input that was due for `tick`, and what was acknowledged with it.
    pub fn send_input(&mut self, tick: Tick, input: G::Input) {
        self.core.send_input(self.player, tick, input);
        self.flush();
    }

    /// Shows a newer token of the identity provider, before the one before it ends: to the match, and to the lobby on
    /// the way back.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] where it is longer than a server reads.
    pub fn refresh(&mut self, token: String) -> Result<(), ClientError> {
        if token.len() > IDENTITY_BYTES_MAX {
            return Err(ProtocolError::Unexpected("an identity token that is too long").into());
        }
        self.core.show_identity(self.player, &token);
        if let Return::ByLobby { who, .. } = &mut self.way {
            *who = Who::Identity(token);
        }
        self.flush();
        Ok(())
    }

    /// The newest snapshot: its tick and what the player sees.
    pub fn snapshot(&self) -> Option<(Tick, impl Iterator<Item = (EntityId, G::Entity)> + '_)> {
        self.session().snapshot()
    }

    /// The player's side of the match: durable ticks and the like.
    pub fn session(&self) -> &MatchSession<G> {
        self.core.session(self.player).expect("the player is never forgotten")
    }

    /// What passed between this client and the server so far.
    pub fn counts(&self) -> SessionCounts {
        self.session().counts()
    }

    /// What QUIC counted.
    pub fn stats(&self) -> LinkStats {
        self.core.stats(self.player)
    }

    /// Gives up the place and says goodbye.
    pub async fn leave(mut self) {
        self.core.leave(now(), self.player);
        self.flush();
    }

    /// Ends the connection without giving up the place, as a lost network would.
    pub fn abandon(self) {}
}

impl<G: Game> Drop for MatchClient<G> {
    fn drop(&mut self) {
        self.core.abandon(now(), self.player);
        self.flush();
        if let Some(asked) = &self.asked {
            asked.abort();
        }
    }
}

/// The lobby's answer, where it was asked.
async fn answered(
    asked: &mut Option<JoinHandle<Result<Place, LinkError>>>,
) -> Result<Place, LinkError> {
    match asked {
        Some(task) => task.await.unwrap_or_else(|error| Err(LinkError::Failed(error.to_string()))),
        None => std::future::pending().await,
    }
}
