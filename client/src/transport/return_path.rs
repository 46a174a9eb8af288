//! The way back through the lobby, when what the match gave is of no use any more.

use std::net::SocketAddr;
use std::time::Duration;

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{COME_BACK_PAUSE_MAX, COME_BACK_PAUSE_MIN};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::wire::lobby::Who;

use super::{ClientError, LobbyClient, Trust, endpoint, place, random_seed};
use crate::link::{ComeBack, LinkError, Place};

/// How long one question may take: a lobby that just came up is found by the next.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// A lobby that does not know the match may not have read all of them yet; so often it is asked again.
const UNKNOWN_MAX: u32 = 5;

/// What a client does when the match falls silent or the connection ends.
#[derive(Clone, Debug)]
pub enum Return {
    /// Nothing: the end of the connection is the end.
    Never,
    /// Comes back with what the match itself gave, for as long as the place is held.
    ByToken,
    /// And where that is refused, or nobody answers any more, asks the lobby where the match is.
    ByLobby {
        /// The lobby.
        lobby: SocketAddr,
        /// By what it is known.
        trust: Trust,
        /// Who the player is, as the lobby was told last.
        who: Who,
    },
}

impl Return {
    pub(crate) fn come_back(&self) -> ComeBack {
        match self {
            Self::Never => ComeBack::Never,
            Self::ByToken => ComeBack::ByToken,
            Self::ByLobby { .. } => ComeBack::ByLobby,
        }
    }
}

/// Asks the lobby where a match is, until it says.
///
/// # Errors
/// [`LinkError`]: the match is not to be had any more.
pub(crate) async fn ask<G: Game>(way: Return, match_id: MatchId) -> Result<Place, LinkError> {
    let Return::ByLobby { lobby, trust, who } = way else {
        return Err(LinkError::Disconnected(DisconnectReason::TokenExpired));
    };
    let mut rng = Rng::new(random_seed());
    let mut pause = COME_BACK_PAUSE_MIN;
    let mut unknown = 0;
    loop {
        let asked = ask_once::<G>(lobby, trust.clone(), who.clone(), match_id);
        match tokio::time::timeout(ANSWER_MAX, asked).await {
            Ok(Ok(place)) => return Ok(place),
            Ok(Err(ClientError::Refused(reason) | ClientError::Disconnected(reason))) => {
                unknown += u32::from(reason == DisconnectReason::MatchUnknown);
                let hopes = reason.may_come_back()
                    || (reason == DisconnectReason::MatchUnknown && unknown < UNKNOWN_MAX)
                    || reason == DisconnectReason::RequestFlood;
                if !hopes {
                    return Err(LinkError::Disconnected(reason));
                }
            }
            // Nobody there, or not yet.
            Ok(Err(_)) | Err(_) => {}
        }
        tokio::time::sleep(pause.mul_f32(rng.range(0.8, 1.2))).await;
        pause = (pause * 2).min(COME_BACK_PAUSE_MAX);
    }
}

async fn ask_once<G: Game>(
    lobby: SocketAddr,
    trust: Trust,
    who: Who,
    match_id: MatchId,
) -> Result<Place, ClientError> {
    let socket = endpoint(lobby.ip())?;
    let mut lobby = LobbyClient::connect::<G>(&socket, lobby, trust, who).await?;
    let assignment = lobby.locate(match_id).await;
    lobby.close();
    place(assignment?)
}
