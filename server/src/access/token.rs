//! What is kept of a token.

use matchkeep_shared::limits::NAME_BYTES_MAX;

use super::{Right, TokenHash};

/// Who acts where the admin interface asks for no token.
pub const LOOPBACK: &str = "loopback";
/// Who acts on a data folder. It has a space: no token has this name.
pub const COMMAND_LINE: &str = "command line";

/// A token that was made and not revoked.
#[derive(Clone, Debug)]
pub struct Token {
    /// Whose it is, in the operator's words; see [`check_name`].
    pub name: String,
    /// What it allows.
    pub right: Right,
    /// By which it is known again.
    pub hash: TokenHash,
    /// When it was made, in milliseconds of Unix time.
    pub made_unix_ms: u64,
    /// From when on it is good no more.
    pub expires_unix_ms: Option<u64>,
}

impl Token {
    /// Whether it is good no more.
    pub fn is_expired(&self, now_unix_ms: u64) -> bool {
        self.expires_unix_ms.is_some_and(|expires| expires <= now_unix_ms)
    }
}

/// A name that no token can have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{0}` is no name for a token: 1 to {NAME_BYTES_MAX} letters, digits, `.`, `-` and `_`, and not \
     `{LOOPBACK}`"
)]
pub struct NameUnfit(String);

/// Whether a token can have this name: it stands in logs and tables as it is.
///
/// # Errors
/// [`NameUnfit`] says what is allowed.
pub fn check_name(name: &str) -> Result<(), NameUnfit> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(is_plain);
    if fits && name != LOOPBACK {
        return Ok(());
    }
    Err(NameUnfit(name.chars().take(2 * NAME_BYTES_MAX).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_and_nobody_elses() {
        for name in ["ci", "ada.lovelace", "night-shift_2", &"x".repeat(NAME_BYTES_MAX)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for name in ["", LOOPBACK, COMMAND_LINE, "a b", "ä", "a\n", &long] {
            let error = check_name(name).expect_err("it cannot be");
            assert!(error.to_string().contains("1 to 32"), "{error}");
        }
    }
}
