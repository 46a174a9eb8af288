//! All tokens there are, and who is let in with what he shows.

use subtle::ConditionallySelectable;

use super::token::LOOPBACK;
use super::{Right, Token, TokenHash};

/// Every token that was made and not revoked.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    tokens: Vec<Token>,
    /// Nobody needs a token.
    is_open: bool,
}

/// Somebody who was let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    name: String,
    has_token: bool,
}

/// Why somebody is not let in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denied {
    /// No token was shown.
    #[error(
        "this server asks for a token: send `Authorization: Bearer TOKEN`, or let `matchkeep` find it in \
         MATCHKEEP_TOKEN or by --token-file; `matchkeep token make NAME --right read|operate` on the server's data \
         folder makes one"
    )]
    Missing,
    /// There is no such token.
    #[error(
        "the server does not know this token: it was revoked, or is another server's; `matchkeep token \
         make NAME --right read|operate` on the server's data folder makes a new one"
    )]
    Unknown,
    /// It was good once.
    #[error(
        "the token `{0}` has expired: `matchkeep token revoke {0}` and `matchkeep token make {0} ...` on the \
         server's data folder make it anew"
    )]
    Expired(String),
    /// It does not allow that.
    #[error(
        "the token `{name}` has the right to {has}, and this needs {needed}: use one that has it"
    )]
    Insufficient {
        /// Whose it is.
        name: String,
        /// What it allows.
        has: Right,
        /// What it would have to.
        needed: Right,
    },
}

impl Keyring {
    /// Of these tokens; while `is_open`, nobody needs one.
    pub fn new(tokens: Vec<Token>, is_open: bool) -> Self {
        Self { tokens, is_open }
    }

    /// Who it is that shows this, and needs that right.
    ///
    /// # Errors
    /// [`Denied`] says why not, and what to do.
    pub fn admit(
        &self,
        shown: Option<&str>,
        needed: Right,
        now_unix_ms: u64,
    ) -> Result<Caller, Denied> {
        if self.is_open {
            return Ok(Caller { name: LOOPBACK.to_owned(), has_token: false });
        }
        let token = self.find(shown.ok_or(Denied::Missing)?).ok_or(Denied::Unknown)?;
        let name = token.name.clone();
        if token.is_expired(now_unix_ms) {
            return Err(Denied::Expired(name));
        }
        if !token.right.includes(needed) {
            return Err(Denied::Insufficient { name, has: token.right, needed });
        }
        Ok(Caller { name, has_token: true })
    }

    /// Whether somebody could do this now.
    pub fn has(&self, right: Right, now_unix_ms: u64) -> bool {
        let is_good = |token: &Token| token.right.includes(right) && !token.is_expired(now_unix_ms);
        self.tokens.iter().any(is_good)
    }

    /// The token that is shown. How long that takes tells of none how near it is.
    fn find(&self, shown: &str) -> Option<&Token> {
        let hash = TokenHash::of(shown);
        let mut found = u64::MAX;
        for (index, token) in self.tokens.iter().enumerate() {
            found.conditional_assign(&(index as u64), token.hash.is(&hash));
        }
        self.tokens.get(usize::try_from(found).ok()?)
    }
}

impl Caller {
    /// Its name in logs: the token's, or [`LOOPBACK`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it showed a token. Otherwise all that is known is that it is on this machine.
    pub fn has_token(&self) -> bool {
        self.has_token
    }
}

#[cfg(test)]
mod tests {
    use super::super::Secret;
    use super::*;

    fn token(name: &str, right: Right, expires_unix_ms: Option<u64>) -> (Secret, Token) {
        let secret = Secret::random().expect("random");
        let (name, hash) = (name.to_owned(), secret.hash());
        (secret, Token { name, right, hash, made_unix_ms: 1, expires_unix_ms })
    }

    #[test]
    fn each_is_let_in_by_what_the_own_token_allows() {
        let (reads, reader) = token("grafana", Right::Read, None);
        let (operates, operator) = token("ada", Right::Operate, Some(100));
        let (stranger, _) = token("eve", Right::Operate, None);
        let keyring = Keyring::new(vec![reader, operator], false);
        let admit = |shown: &Secret, needed, now| keyring.admit(Some(shown.reveal()), needed, now);
        let name = |admitted: Result<Caller, Denied>| admitted.map(|caller| caller.name);

        assert_eq!(name(admit(&reads, Right::Read, 200)), Ok("grafana".into()));
        let insufficient = Denied::Insufficient {
            name: "grafana".into(),
            has: Right::Read,
            needed: Right::Operate,
        };
        assert_eq!(admit(&reads, Right::Operate, 0), Err(insufficient));
        assert_eq!(name(admit(&operates, Right::Read, 99)), Ok("ada".into()));
        assert_eq!(name(admit(&operates, Right::Operate, 99)), Ok("ada".into()));
        assert_eq!(admit(&operates, Right::Read, 100), Err(Denied::Expired("ada".into())));
        assert_eq!(admit(&stranger, Right::Read, 0), Err(Denied::Unknown));
        assert_eq!(keyring.admit(None, Right::Read, 0), Err(Denied::Missing));
        assert_eq!(keyring.admit(Some(""), Right::Read, 0), Err(Denied::Unknown));
        assert!(keyring.has(Right::Operate, 99) && !keyring.has(Right::Operate, 100));
        assert!(keyring.has(Right::Read, 100));
    }

    #[test]
    fn without_tokens_an_open_interface_lets_in_and_a_closed_one_does_not() {
        let open = Keyring::new(Vec::new(), true);
        let caller = open.admit(None, Right::Operate, 0).expect("it is open");
        assert_eq!(caller.name(), LOOPBACK);
        let closed = Keyring::new(Vec::new(), false);
        assert_eq!(closed.admit(None, Right::Read, 0), Err(Denied::Missing));
        assert!(!closed.has(Right::Read, 0));
    }
}
