//! Accounts of providers, bans and revocations, beside a store at work.

use super::*;
use crate::accounts::AccountKey;
use crate::store::{AuditFilter, Directory, History, SqliteDirectory};

const MINUTE: u64 = 60_000;

fn identity(subject: &str, name: &str) -> AccountKey {
    AccountKey::Identity {
        issuer: "https://id.example".to_owned(),
        subject: subject.to_owned(),
        name: name.to_owned(),
    }
}

fn ban(reason: &str, until_unix_ms: Option<u64>) -> Ban {
    Ban { reason: reason.to_owned(), until_unix_ms }
}

#[test]
fn whom_a_provider_vouches_for_has_one_account_under_whatever_name() {
    let folder = tempfile::tempdir().expect("the system has a temporary folder");
    let mut directory = SqliteDirectory::open(folder.path()).expect("made");
    let mut account = |key: &AccountKey| directory.account(key, 5).expect("there is room").player;
    let named = account(&AccountKey::Name("Ada".to_owned()));
    let ada = account(&identity("user-1", "Ada"));
    assert_ne!(ada, named, "a name that somebody says is nobody else's account");
    assert_eq!(account(&identity("user-1", "Countess")), ada);
    assert_ne!(account(&identity("user-2", "Countess")), ada);
    let long = "s".repeat(128);
    assert_eq!(account(&identity(&long, "S")), account(&identity(&long, "S")));
    drop(directory);

    let history = History::open(folder.path()).expect("there");
    let row = history.player("user-1", 9).expect("there is one");
    assert_eq!((row.player, row.name.as_str()), (ada.0, "Countess"));
    assert_eq!(row.issuer.as_deref(), Some("https://id.example"));
    assert_eq!(history.player("Ada", 9).expect("the one who said so").player, named.0);
    let error = history.player("Countess", 9).expect_err("there are two");
    assert!(matches!(&error, PlayerError::Ambiguous { .. }), "{error}");
    assert_eq!(history.player(&ada.0.to_string(), 9).expect("by number"), row);
    let error = history.player("nobody", 9).expect_err("there is none");
    assert_eq!(error, PlayerError::Unknown("nobody".to_owned()));
    assert_eq!(history.players(None, 10, false, 9).expect("readable").len(), 4);
}

#[test]
fn a_ban_has_an_end_or_is_lifted_and_another_takes_its_place() {
    let folder = tempfile::tempdir().expect("the system has a temporary folder");
    let mut directory = SqliteDirectory::open(folder.path()).expect("made");
    let key = AccountKey::Name("eve".to_owned());
    let eve = directory.account(&key, 1).expect("made").player;
    let mut book = PlayerBook::beside(folder.path()).expect("there");
    let mut standing = |now| directory.account(&key, now).expect("readable").standing;

    let row = book.ban("eve", &ban("cheating", Some(10 * MINUTE)), MINUTE).expect("there is one");
    assert_eq!(
        (row.banned.as_deref(), row.banned_until_unix_ms),
        (Some("cheating"), Some(600_000))
    );
    assert_eq!(standing(2 * MINUTE).ban, Some(ban("cheating", Some(10 * MINUTE))));
    assert_eq!(standing(10 * MINUTE).ban, None, "it ends by itself");
    book.ban("eve", &ban("again", None), 2 * MINUTE).expect("there is one");
    assert_eq!(standing(100 * MINUTE).ban, Some(ban("again", None)), "for good");
    assert_eq!(standing(100 * MINUTE).ban.expect("banned").text(), "banned for good: again");
    let row = book.unban(&eve.0.to_string(), 3 * MINUTE).expect("she is banned");
    assert_eq!(row.banned, None);
    assert_eq!(standing(4 * MINUTE).ban, None);
    assert_eq!(book.unban("eve", 4 * MINUTE), Err(PlayerError::NotBanned(eve)));
    let long = "x".repeat(BAN_REASON_BYTES_MAX + 1);
    for reason in ["", &long] {
        let error = book.ban("eve", &ban(reason, None), 5).expect_err("nobody could read it");
        assert_eq!(error, PlayerError::Reason(reason.len()));
    }

    let history = History::open(folder.path()).expect("there");
    let rows = history.audit(&AuditFilter { limit: 10, before: None }).expect("readable");
    let what: Vec<_> = rows.iter().map(|row| row.entry.what.as_str()).collect();
    assert_eq!(what, ["player unban", "player ban", "player ban"], "what failed changed nothing");
    assert!(history.players(None, 10, true, 5 * MINUTE).expect("readable").is_empty());
}

#[test]
fn who_is_barred_is_who_was_judged_lately() {
    let folder = tempfile::tempdir().expect("the system has a temporary folder");
    let mut directory = SqliteDirectory::open(folder.path()).expect("made");
    let mut player = |name: &str| directory.player(name, 1).expect("made");
    let (ada, ben, eve) = (player("ada"), player("ben"), player("eve"));
    let mut book = PlayerBook::beside(folder.path()).expect("there");
    book.revoke("ada", 20 * MINUTE).expect("there is one");
    book.revoke("eve", 20 * MINUTE).expect("there is one");
    book.ban("eve", &ban("cheating", Some(30 * MINUTE)), 21 * MINUTE).expect("there is one");
    book.ban("ben", &ban("long ago", None), MINUTE).expect("there is one");

    let history = History::open(folder.path()).expect("there");
    let barred = |now| history.barred(10 * MINUTE, now).expect("readable");
    let reasons = |barred: Barred| barred.into_iter().map(|(id, bar)| (id, bar.reason)).collect();
    let both: Vec<_> =
        vec![(ada, DisconnectReason::IdentityRevoked), (eve, DisconnectReason::Banned)];
    let found: Vec<_> = reasons(barred(22 * MINUTE));
    assert_eq!(found, both, "whoever was banned before has nothing that is still good: {ben}");
    // The ban has ended; that what was shown before is void stays.
    let found: Vec<_> = reasons(barred(31 * MINUTE));
    assert_eq!(found[1], (eve, DisconnectReason::IdentityRevoked));
    let bar = barred(31 * MINUTE)[&ada];
    assert!(bar.voids(20 * MINUTE) && !bar.voids(20 * MINUTE + 1));
}
