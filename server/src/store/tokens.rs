//! Tokens of the admin interface, in `matches.db`.
//!
//! Owns: making and revoking them, in a short transaction beside a server that may have the database open,
//! and reading them. Must not know: what a token is good for, and whether a server runs.

use std::path::Path;

use matchkeep_shared::limits::TOKENS_MAX;
use rusqlite::{Connection, TransactionBehavior};
use serde_json::json;

use super::audit;
use super::directory::StoreError;
use super::query::{QueryError, number};
use super::schema::{self, DATABASE_FILE, StoreOpenError};
use super::sqlite::{integer, sqlite_error};
use crate::access::{NameUnfit, Token, TokenHash, check_name};

/// The tokens of a folder.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// Those that are not revoked, in the order in which they were made.
    pub kept: Vec<Token>,
    /// Whether there ever was one.
    pub were_made: bool,
}

/// Why a token was not made or revoked. Nothing was changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No token can be called that.
    #[error(transparent)]
    Name(#[from] NameUnfit),
    /// The name is taken.
    #[error("there is a token `{0}` already: choose another name, or `token revoke {0}` first")]
    Exists(String),
    /// There is none to revoke.
    #[error("there is no token `{name}`: there is {there}")]
    Missing {
        /// As it was asked for.
        name: String,
        /// Those there are.
        there: String,
    },
    /// There are enough.
    #[error("there are {TOKENS_MAX} tokens already: `token revoke` those that nobody needs")]
    TooMany,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A folder's tokens, to be changed.
pub struct TokenBook {
    connection: Connection,
    database: String,
}

impl TokenBook {
    /// Of a database that is there and of this version, beside a server or without one.
    ///
    /// # Errors
    /// [`StoreOpenError`]; [`StoreOpenError::Missing`] and [`StoreOpenError::OlderVersion`] where only who
    /// holds the folder's lock can go on, by [`open`](Self::open).
    pub fn beside(folder: &Path) -> Result<Self, StoreOpenError> {
        Ok(Self::new(schema::open_beside(folder)?, folder))
    }

    /// Of a database that is made, or brought up to date, first. The folder's lock is the caller's to hold.
    ///
    /// # Errors
    /// [`StoreOpenError`].
    pub fn open(folder: &Path) -> Result<Self, StoreOpenError> {
        Ok(Self::new(schema::open_for_writing(folder)?, folder))
    }

    fn new(connection: Connection, folder: &Path) -> Self {
        let database = folder.join(DATABASE_FILE).to_string_lossy().into_owned();
        Self { connection, database }
    }

    /// Keeps a new token. It is durable when this returns.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn make(&mut self, token: &Token) -> Result<(), TokenError> {
        check_name(&token.name)?;
        self.change(|connection| {
            let kept = read(connection)?.kept;
            if kept.iter().any(|known| known.name == token.name) {
                return Err(TokenError::Exists(token.name.clone()).into());
            }
            if kept.len() >= TOKENS_MAX {
                return Err(TokenError::TooMany.into());
            }
            let expires = token.expires_unix_ms.map(|ms| integer("expires_unix_ms", ms));
            connection.execute(
                "INSERT INTO tokens (name, right, hash, made_unix_ms, expires_unix_ms)
                 VALUES (?, ?, ?, ?, ?)",
                (
                    &token.name,
                    token.right.label(),
                    &token.hash.0,
                    integer("made_unix_ms", token.made_unix_ms)?,
                    expires.transpose()?,
                ),
            )?;
            let expires = token.expires_unix_ms;
            let arguments =
                json!({ "name": token.name, "right": token.right, "expires_unix_ms": expires });
            Ok(audit::note(connection, "token make", arguments, token.made_unix_ms)?)
        })
    }

    /// Revokes the token of this name: whoever shows it is no longer let in.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn revoke(&mut self, name: &str, now_unix_ms: u64) -> Result<(), TokenError> {
        self.change(|connection| {
            let changed = connection.execute(
                "UPDATE tokens SET hash = NULL, revoked_unix_ms = ?
                 WHERE name = ? AND revoked_unix_ms IS NULL",
                (integer("revoked_unix_ms", now_unix_ms)?, name),
            )?;
            if changed > 0 {
                let arguments = json!({ "name": name });
                return Ok(audit::note(connection, "token revoke", arguments, now_unix_ms)?);
            }
            let kept = read(connection)?.kept;
            let there: Vec<String> = kept.iter().map(|token| format!("`{}`", token.name)).collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            Err(TokenError::Missing { name: name.chars().take(64).collect(), there }.into())
        })
    }

    fn change(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<(), Fault>,
    ) -> Result<(), TokenError> {
        let behavior = TransactionBehavior::Immediate;
        let change_all = || {
            let transaction = self.connection.transaction_with_behavior(behavior)?;
            change(&transaction)?;
            Ok(transaction.commit()?)
        };
        change_all().map_err(|fault: Fault| match fault {
            Fault::Token(error) => error,
            Fault::Query(QueryError::Store(error)) => error.into(),
            Fault::Query(QueryError::Sqlite(error)) => sqlite_error(&self.database, &error).into(),
        })
    }
}

/// What goes wrong within a transaction.
enum Fault {
    Token(TokenError),
    Query(QueryError),
}

impl From<TokenError> for Fault {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<QueryError> for Fault {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Query(error.into())
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Query(error.into())
    }
}

/// The tokens there are.
pub(super) fn read(connection: &Connection) -> Result<Tokens, QueryError> {
    let mut statement = connection.prepare(
        "SELECT name, right, hash, made_unix_ms, expires_unix_ms FROM tokens
         WHERE revoked_unix_ms IS NULL ORDER BY number",
    )?;
    let mut rows = statement.query(())?;
    let mut kept = Vec::new();
    while let Some(row) = rows.next()? {
        let right: String = row.get(1)?;
        let unknown = |_| StoreError::Damaged { what: "tokens.right", value: right.clone() };
        kept.push(Token {
            name: row.get(0)?,
            right: right.parse().map_err(unknown)?,
            hash: TokenHash(row.get(2)?),
            made_unix_ms: number(row, 3, "made_unix_ms")?,
            expires_unix_ms: match row.get::<_, Option<i64>>(4)? {
                Some(_) => Some(number(row, 4, "expires_unix_ms")?),
                None => None,
            },
        });
    }
    let were_made = connection.prepare("SELECT 1 FROM tokens")?.exists(())?;
    Ok(Tokens { kept, were_made })
}

#[cfg(test)]
mod tests {
    use super::super::{History, SqliteDirectory, Store};
    use super::*;
    use crate::access::{Right, Secret};

    fn token(name: &str, expires_unix_ms: Option<u64>) -> Token {
        let hash = Secret::random().expect("random").hash();
        Token {
            name: name.to_owned(),
            right: Right::Operate,
            hash,
            made_unix_ms: 5,
            expires_unix_ms,
        }
    }

    fn names(history: &History) -> Vec<String> {
        let kept = history.tokens().expect("readable").kept;
        kept.into_iter().map(|token| token.name).collect()
    }

    #[test]
    fn tokens_are_made_and_revoked_beside_a_store_at_work() {
        let folder = tempfile::tempdir().expect("the system has a temporary folder");
        let missing = TokenBook::beside(folder.path()).err().expect("there is no database");
        assert!(matches!(missing, StoreOpenError::Missing { .. }), "{missing}");
        let directory = SqliteDirectory::open(folder.path()).expect("made");
        let (store, _) = Store::open(directory).expect("started");
        let history = History::open(folder.path()).expect("there");
        assert!(!history.tokens().expect("readable").were_made);

        let mut book = TokenBook::beside(folder.path()).expect("there");
        let made = token("ada", Some(70));
        book.make(&made).expect("new");
        store.player("Ada", 1).expect("room").wait().expect("nobody is held up");
        book.make(&token("eve", None)).expect("new");
        let read = history.tokens().expect("readable");
        let first = &read.kept[0];
        assert_eq!((first.name.as_str(), first.right), ("ada", Right::Operate));
        assert_eq!((first.made_unix_ms, first.expires_unix_ms), (5, Some(70)));
        assert_eq!(first.hash.0, made.hash.0);
        assert_eq!(book.make(&token("ada", None)), Err(TokenError::Exists("ada".into())));
        assert!(matches!(book.make(&token("a b", None)), Err(TokenError::Name(_))));

        let error = book.revoke("bob", 9).expect_err("there is none");
        assert!(error.to_string().ends_with("there is `ada`, `eve`"), "{error}");
        book.revoke("ada", 9).expect("there is one");
        assert!(book.revoke("ada", 9).is_err());
        assert_eq!(names(&history), ["eve"]);
        book.make(&token("ada", None)).expect("the name is free again");
        for name in ["ada", "eve"] {
            book.revoke(name, 10).expect("there is one");
        }
        let read = history.tokens().expect("readable");
        assert!(read.kept.is_empty() && read.were_made, "what was revoked is remembered");
        store.close().expect("closed");
    }

    #[test]
    fn there_is_an_end_to_tokens() {
        let folder = tempfile::tempdir().expect("the system has a temporary folder");
        let mut book = TokenBook::open(folder.path()).expect("made");
        book.connection.pragma_update(None, "synchronous", "OFF").expect("set");
        for n in 0..TOKENS_MAX {
            book.make(&token(&format!("t{n}"), None)).expect("there is room");
        }
        assert_eq!(book.make(&token("more", None)), Err(TokenError::TooMany));
        book.revoke("t0", 1).expect("there is one");
        book.make(&token("more", None)).expect("there is room again");
    }
}
