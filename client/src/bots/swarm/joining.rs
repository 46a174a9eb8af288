//! A bot's dealings with the lobby: on its way into a match, and back to one.

use std::sync::Arc;

use matchkeep_shared::ids::MatchId;
use quinn::Endpoint;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::Shared;
use crate::bots::Playable;
use crate::link::{LinkError, Place, PlayerKey};
use crate::transport::return_path::ask;
use crate::transport::{ClientError, LobbyClient, place};

/// Questions to the lobby that are under way for the bots of one socket.
pub(super) struct Joining {
    shared: Arc<Shared>,
    lobbies: Endpoint,
    tasks: JoinSet<()>,
    sender: mpsc::UnboundedSender<Answer>,
    answers: mpsc::UnboundedReceiver<Answer>,
}

/// An answer.
pub(super) enum Answer {
    /// Where a bot that is not in a match yet goes, and its turn to.
    Place { bot: usize, place: Result<(Place, OwnedSemaphorePermit), ClientError> },
    /// Where the match of one that lost it is.
    Ticket { key: PlayerKey, place: Result<Place, LinkError> },
}

impl Joining {
    pub(super) fn new(shared: Arc<Shared>, lobbies: Endpoint) -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        Self { shared, lobbies, tasks: JoinSet::new(), sender, answers }
    }

    /// Asks for a place for a bot, when it is its turn.
    pub(super) fn find<G: Playable>(&mut self, bot: usize) {
        let (shared, lobbies) = (Arc::clone(&self.shared), self.lobbies.clone());
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            let permit = Arc::clone(&shared.joining).acquire_owned().await;
            let permit = permit.expect("nobody closes the semaphore");
            let place = find::<G>(&shared, &lobbies, bot).await.map(|place| (place, permit));
            // Where the driver is done, nobody waits for it.
            let _ = sender.send(Answer::Place { bot, place });
        });
    }

    /// Asks where the match of a bot is.
    pub(super) fn locate<G: Playable>(
        &mut self,
        bot: usize,
        key: PlayerKey,
        match_id: MatchId,
    ) -> AbortHandle {
        let (shared, sender) = (Arc::clone(&self.shared), self.sender.clone());
        self.tasks.spawn(async move {
            let permit = Arc::clone(&shared.joining).acquire_owned().await;
            let place = ask::<G>(shared.plan.way_back(bot), match_id).await;
            drop(permit);
            let _ = sender.send(Answer::Ticket { key, place });
        })
    }

    /// The next answer.
    pub(super) async fn answer(&mut self) -> Answer {
        let answer = self.answers.recv().await;
        answer.expect("one sender is here")
    }

    /// The next answer that is there already.
    pub(super) fn try_answer(&mut self) -> Option<Answer> {
        while self.tasks.try_join_next().is_some() {}
        self.answers.try_recv().ok()
    }
}

async fn find<G: Playable>(
    shared: &Shared,
    lobbies: &Endpoint,
    bot: usize,
) -> Result<Place, ClientError> {
    let plan = &shared.plan;
    let name = plan.bot_name(bot);
    let trust = plan.trust.clone();
    let mut lobby = LobbyClient::connect::<G>(lobbies, plan.lobby, trust, &name).await?;
    let assignment = lobby.find_match(&plan.mode).await;
    // The lobby has done its part.
    lobby.close();
    place(assignment?)
}
