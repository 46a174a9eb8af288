//! The keys that tickets and tokens are signed with, as they lie in their file, and their rotation.
//!
//! Owns: the file's form, which key is still needed, and that a key which was replaced is kept as its public half
//! alone. Must not know: what is signed, and who asks.
//!
//! ```text
//! made 1763842547000
//! -----BEGIN PRIVATE KEY-----
//! ...
//! -----END PRIVATE KEY-----
//! former <public half, 64 hexadecimal digits> made 1763742547000 replaced 1763842547000 until 1763843157000
//! sha256 ...
//! ```
//!
//! The newest former key stands first. A file of a server that knew no rotation holds the private key alone.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use matchkeep_shared::limits::{
    TICKET_KEY_TAKEN_UP, TICKET_KEYS_FORMER_MAX, TICKET_VALID, TOKEN_VALID,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::certificate::new_key;
use super::secret::{damaged, hex, open_secret, read_secret, unhex, write_secret};
use super::{FOLDER, IdentityError, TICKET_FILE};
use crate::date::utc;
use crate::tickets::{KeyId, TicketKeys, TicketSigner, VerifyingKey};

const EFFECT: &str = "tickets issued before become invalid";
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END PRIVATE KEY-----\n";

/// A key that was replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FormerKey {
    /// Its public half.
    pub key: VerifyingKey,
    /// When it was made, in milliseconds of Unix time; `None` where that was before keys were dated.
    pub made_unix_ms: Option<u64>,
    /// When another took its place.
    pub replaced_unix_ms: u64,
    /// From then on nothing that it signed is good any more.
    pub until_unix_ms: u64,
}

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The one before is still needed.
    #[error(
        "the key {id} was replaced at {} UTC and is needed until {} UTC: two keys are good at a time, and players with \
         a ticket or token of it, on their way to a match or back, would be refused and sent to the lobby again; rotate \
         after that, or now with --force", utc(*.replaced_unix_ms), utc(*.until_unix_ms)
    )]
    StillNeeded {
        /// Which.
        id: KeyId,
        /// When another took its place.
        replaced_unix_ms: u64,
        /// When nothing that it signed is good any more.
        until_unix_ms: u64,
    },
    /// There is nothing to replace.
    #[error("there is no `{}` yet: a server that starts makes it", .path.display())]
    NoKeys {
        /// Where it would be.
        path: PathBuf,
    },
    /// The server could not read what we would write.
    #[error("`{}` belongs to the user with the number {owner}: do this as that user, or its server cannot read the new key", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// The file.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl RotateError {
    /// That a data folder has no keys yet.
    pub(crate) fn no_keys(data: &Path) -> Self {
        Self::NoKeys { path: path_in(data) }
    }
}

/// What the file holds.
pub struct TicketKeyFile {
    pem: String,
    signer: TicketSigner,
    made_unix_ms: Option<u64>,
    /// The newest first.
    former: Vec<FormerKey>,
}

impl TicketKeyFile {
    /// The file of a node's data folder; made where there is none.
    pub(super) fn open(data: &Path, now_unix_ms: u64) -> Result<Self, IdentityError> {
        let path = path_in(data);
        let text = open_secret(&path, EFFECT, || Ok(Self::new(now_unix_ms)?.text()))?;
        Self::parse(&text).map_err(|problem| damaged(&path, problem, EFFECT))
    }

    /// The file of a node's data folder; `None` before a server made it.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what to do.
    pub fn read(data: &Path) -> Result<Option<Self>, IdentityError> {
        let path = path_in(data);
        let Some(text) = read_secret(&path, EFFECT)? else { return Ok(None) };
        Self::parse(&text).map(Some).map_err(|problem| damaged(&path, problem, EFFECT))
    }

    /// One new key.
    pub(super) fn new(now_unix_ms: u64) -> Result<Self, IdentityError> {
        let pem = new_key()?.serialize_pem().replace('\r', "");
        let signer =
            signer_of(&pem).map_err(|cause| IdentityError::Crypto { what: "a key", cause })?;
        Ok(Self { pem, signer, made_unix_ms: Some(now_unix_ms), former: Vec::new() })
    }

    /// Puts a new key in the place of the one that signs, which is believed until everything it signed is over. Whoever
    /// calls this sees to it that nobody else does meanwhile.
    ///
    /// # Errors
    /// [`RotateError`]; nothing was changed then.
    pub fn rotate(data: &Path, now_unix_ms: u64, force: bool) -> Result<Self, RotateError> {
        let path = path_in(data);
        let file = Self::read(data)?.ok_or_else(|| RotateError::no_keys(data))?;
        check_owner(&path)?;
        let next = file.rotated(now_unix_ms, force)?;
        write_secret(&path, &next.text())?;
        Ok(next)
    }

    fn rotated(self, now_unix_ms: u64, force: bool) -> Result<Self, RotateError> {
        let mut former = self.former;
        if let Some(last) = former.first_mut().filter(|last| last.until_unix_ms > now_unix_ms) {
            if !force {
                let FormerKey { key, replaced_unix_ms, until_unix_ms, .. } = *last;
                let id = key.id();
                return Err(RotateError::StillNeeded { id, replaced_unix_ms, until_unix_ms });
            }
            last.until_unix_ms = now_unix_ms;
        }
        let longest = TICKET_VALID.max(TOKEN_VALID) + TICKET_KEY_TAKEN_UP;
        let replaced = FormerKey {
            key: self.signer.verifying_key(),
            made_unix_ms: self.made_unix_ms,
            replaced_unix_ms: now_unix_ms,
            until_unix_ms: now_unix_ms + longest.as_millis() as u64,
        };
        former.insert(0, replaced);
        former.truncate(TICKET_KEYS_FORMER_MAX);
        let is_taken = |next: &Self| former.iter().any(|key| key.key.id() == next.id());
        let mut next = Self::new(now_unix_ms)?;
        // A name is short: once in a billion rotations another key has it.
        while is_taken(&next) {
            next = Self::new(now_unix_ms)?;
        }
        Ok(Self { former, ..next })
    }

    /// What the key that signs is called.
    pub fn id(&self) -> KeyId {
        self.signer.verifying_key().id()
    }

    /// When it was made, in milliseconds of Unix time; `None` where that was before keys were dated.
    pub fn made_unix_ms(&self) -> Option<u64> {
        self.made_unix_ms
    }

    /// Those before it, the newest first.
    pub fn former(&self) -> &[FormerKey] {
        &self.former
    }

    /// The keys in force.
    pub fn keys(&self) -> TicketKeys {
        let keys = TicketKeys::new(self.signer.clone());
        match self.former.first() {
            Some(former) => keys.after(former.key, former.until_unix_ms),
            None => keys,
        }
    }

    /// The keys in force, where the newest was found at this moment by a clock of its own: the key before is believed
    /// for its whole time from then on.
    pub(crate) fn keys_from(&self, now_unix_ms: u64) -> TicketKeys {
        let keys = TicketKeys::new(self.signer.clone());
        match self.former.first() {
            Some(former) => {
                let lasts = former.until_unix_ms.saturating_sub(former.replaced_unix_ms);
                keys.after(former.key, now_unix_ms.saturating_add(lasts))
            }
            None => keys,
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(made) = self.made_unix_ms {
            text += &format!("made {made}\n");
        }
        text += &self.pem;
        for key in &self.former {
            let made = key.made_unix_ms.map_or_else(|| "-".to_owned(), |made| made.to_string());
            let FormerKey { replaced_unix_ms: replaced, until_unix_ms: until, .. } = key;
            let public = hex(&key.key.0);
            text += &format!("former {public} made {made} replaced {replaced} until {until}\n");
        }
        text
    }

    fn parse(text: &str) -> Result<Self, String> {
        let begin = text.find(BEGIN).ok_or("it holds no private key in PEM")?;
        let end = text.find(END).ok_or("it holds no private key in PEM")? + END.len();
        let (before, pem, after) =
            (&text[..begin], text.get(begin..end).unwrap_or_default(), &text[end..]);
        let made_unix_ms = match before.trim_end() {
            "" => None,
            line => Some(dated(line).ok_or_else(|| format!("`{line}` is no date"))?),
        };
        let former = after.lines().map(|line| {
            former_of(line).ok_or_else(|| "a line of a former key cannot be read".to_owned())
        });
        let former = former.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { pem: pem.to_owned(), signer: signer_of(pem)?, made_unix_ms, former })
    }
}

/// Where the file is.
pub(crate) fn path_in(data: &Path) -> PathBuf {
    data.join(FOLDER).join(TICKET_FILE)
}

fn signer_of(pem: &str) -> Result<TicketSigner, String> {
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|e| e.to_string())?;
    TicketSigner::from_pkcs8(key.secret_pkcs8_der()).map_err(|e| e.to_string())
}

fn dated(line: &str) -> Option<u64> {
    line.strip_prefix("made ")?.parse().ok()
}

fn former_of(line: &str) -> Option<FormerKey> {
    let words: Vec<&str> = line.split(' ').collect();
    let ["former", public, "made", made, "replaced", replaced, "until", until] = words[..] else {
        return None;
    };
    Some(FormerKey {
        key: VerifyingKey(unhex(public)?),
        made_unix_ms: if made == "-" { None } else { Some(made.parse().ok()?) },
        replaced_unix_ms: replaced.parse().ok()?,
        until_unix_ms: until.parse().ok()?,
    })
}

/// A new file is whoever writes it's: the server must be able to read it.
fn check_owner(path: &Path) -> Result<(), RotateError> {
    let metadata = std::fs::metadata(path);
    let metadata =
        metadata.map_err(|source| IdentityError::Unreadable { path: path.into(), source })?;
    if metadata.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(RotateError::Foreign { path: path.into(), owner: metadata.uid() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: u64 = 1_800_000_000_000;
    /// Everything signed by a key that was replaced is over.
    const OVER: u64 = (600 + 10) * 1000;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("the system has a temporary folder");
        std::fs::create_dir(folder.path().join(FOLDER)).expect("made");
        folder
    }

    #[test]
    fn a_key_that_is_replaced_is_believed_until_what_it_signed_is_over() {
        let folder = folder();
        let first = TicketKeyFile::open(folder.path(), NOW).expect("made");
        assert_eq!((first.made_unix_ms(), first.former().len()), (Some(NOW), 0));
        let second = TicketKeyFile::rotate(folder.path(), NOW + 5, false).expect("rotated");
        assert_ne!(first.id(), second.id());
        let former = second.former()[0];
        assert_eq!((former.key.id(), former.made_unix_ms), (first.id(), Some(NOW)));
        assert_eq!((former.replaced_unix_ms, former.until_unix_ms), (NOW + 5, NOW + 5 + OVER));

        let again = TicketKeyFile::read(folder.path()).expect("readable").expect("there");
        assert_eq!((again.id(), again.former()), (second.id(), second.former()));
        assert_eq!(again.keys().verifier(), second.keys().verifier());
        let mode = std::fs::metadata(path_in(folder.path())).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let text = std::fs::read_to_string(path_in(folder.path())).expect("readable");
        assert_eq!(text.matches(BEGIN).count(), 1, "the one before can sign no more");
    }

    #[test]
    fn a_second_rotation_waits_for_the_first_or_is_forced() {
        let folder = folder();
        let first = TicketKeyFile::open(folder.path(), NOW).expect("made");
        let second = TicketKeyFile::rotate(folder.path(), NOW, false).expect("rotated");
        let refused = TicketKeyFile::rotate(folder.path(), NOW + OVER - 1, false);
        let refused = refused.err().expect("the first is needed").to_string();
        for part in [&first.id().to_string(), "--force", "2027-01-15"] {
            assert!(refused.contains(part), "{part} in {refused}");
        }
        let kept = TicketKeyFile::read(folder.path()).expect("readable").expect("there");
        assert_eq!(kept.id(), second.id(), "nothing was changed");

        let third = TicketKeyFile::rotate(folder.path(), NOW + 1000, true).expect("forced");
        let ids: Vec<_> = third.former().iter().map(|key| key.key.id()).collect();
        assert_eq!(ids, [second.id(), first.id()]);
        assert_eq!(third.former()[1].until_unix_ms, NOW + 1000, "void from now on");
        TicketKeyFile::rotate(folder.path(), NOW + 1000 + OVER, false).expect("its time is over");
    }

    #[test]
    fn a_file_of_before_is_one_key_without_a_date() {
        let folder = folder();
        let old = TicketKeyFile::new(NOW).expect("made");
        write_secret(&path_in(folder.path()), &old.pem).expect("written");
        let read = TicketKeyFile::open(folder.path(), NOW).expect("readable");
        assert_eq!((read.id(), read.made_unix_ms(), read.former().len()), (old.id(), None, 0));
        let next = TicketKeyFile::rotate(folder.path(), NOW, false).expect("rotated");
        assert_eq!((next.former()[0].key.id(), next.former()[0].made_unix_ms), (old.id(), None));
        TicketKeyFile::read(folder.path()).expect("readable").expect("there");
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let mut file = TicketKeyFile::new(NOW).expect("made");
        for i in 1..12 {
            file = file.rotated(NOW + i * OVER, false).expect("in its time");
        }
        assert_eq!(file.former().len(), TICKET_KEYS_FORMER_MAX);
        let read = TicketKeyFile::parse(&file.text()).expect("readable");
        assert_eq!(read.former(), file.former());
    }

    #[test]
    fn before_a_server_made_one_there_is_none() {
        let folder = folder();
        assert!(TicketKeyFile::read(folder.path()).expect("readable").is_none());
        let refused = TicketKeyFile::rotate(folder.path(), NOW, true).err();
        assert!(matches!(refused, Some(RotateError::NoKeys { .. })), "{refused:?}");
    }
}
