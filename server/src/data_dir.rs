//! The data folder: whose it is, who has it open, and the small files in it that tell other programs
//! where the server is.
//!
//! Owns: the marker, the lock, `endpoints.json`, `lobby.fingerprint`, and how a file is replaced so
//! that a crash leaves the old or the new one. Must not know: what the store, the journal or the
//! identity keep in their own files.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The format of the folder as a whole. Raised when files move or change their meaning; what a single
/// file holds has a version of its own.
pub const FORMAT_VERSION: u32 = 1;

/// The file that makes a folder a data folder.
pub const MARKER_FILE: &str = "MATCHKEEP";
/// The file whose lock says that a server has the folder open. It stays there when none has.
pub const LOCK_FILE: &str = "matchkeep.lock";
/// Where the running server listens, as JSON. There only while it runs (or after it was killed).
pub const ENDPOINTS_FILE: &str = "endpoints.json";
/// SHA-256 of the lobby's certificate, in hexadecimal; clients pin it.
pub const FINGERPRINT_FILE: &str = "lobby.fingerprint";

const MARKER_FIRST_LINE: &str = "matchkeep data folder, format ";
/// A marker or a lock file is read up to here; ours are shorter.
const SMALL_FILE_BYTES_MAX: u64 = 1024;
/// `endpoints.json` is read up to here.
const ENDPOINTS_BYTES_MAX: u64 = 1024 * 1024;

/// Why a folder cannot be used as data folder.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The lock is held.
    #[error(
        "the data folder `{path}` is in use by another server ({holder}): stop that one or name \
         another folder"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Who wrote the lock file.
        holder: Holder,
    },
    /// There is something in the folder, and no marker.
    #[error(
        "`{path}` is no Matchkeep data folder (it holds `{found}` and no `{MARKER_FILE}`): name an \
         empty folder or one that is not there yet"
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// One of the things in it.
        found: String,
    },
    /// The path leads to something else.
    #[error("`{path}` is not a folder: name a folder for the data")]
    NotAFolder {
        /// The path as given.
        path: PathBuf,
    },
    /// There is no data folder to read.
    #[error(
        "there is no Matchkeep data folder at `{path}`: check the path, or start a server on it"
    )]
    Missing {
        /// The path as given.
        path: PathBuf,
    },
    /// A later program wrote it.
    #[error(
        "the data folder `{path}` has format {found}, this program knows up to {FORMAT_VERSION}: use \
         the newer Matchkeep that wrote it"
    )]
    NewerFormat {
        /// The folder.
        path: PathBuf,
        /// The format in the marker.
        found: u32,
    },
    /// One of the folder's own files does not read.
    #[error("`{path}` is damaged ({problem}): {fix}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        fix: &'static str,
    },
    /// A folder or file cannot be written.
    #[error("`{path}` cannot be written ({source}): check its owner, its mode and the free space")]
    Unwritable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder or file cannot be read.
    #[error("`{path}` cannot be read ({source}): check its owner and its mode")]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The process that has a folder open, as far as its lock file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder(pub Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "pid {pid}"),
            None => f.write_str("pid unknown"),
        }
    }
}

/// A data folder that this process alone may write, until the value is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // Closing it gives the lock back; a process that dies gives it back too.
    _lock: File,
}

impl DataDir {
    /// Opens a data folder, or makes one of a folder that is missing or empty, and locks it.
    ///
    /// # Errors
    /// [`DataDirError`]. A folder that is not ours, or is a later format's, is left as it was.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(DataDirError::NotAFolder { path: path.into() });
            }
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path).map_err(|source| unwritable(path, source))?;
            }
            Err(source) => return Err(unreadable(path, source)),
        }
        // Before the lock, so that a folder that is not ours does not even get a lock file.
        check_folder(path)?;
        let lock = lock(path)?;
        // And again behind it: another server may have come first.
        if check_folder(path)? == FolderState::Fresh {
            let text = format!(
                "{MARKER_FIRST_LINE}{FORMAT_VERSION}\n\
                 A Matchkeep server keeps its matches and keys here. Leave this file alone.\n"
            );
            write_durably(&path.join(MARKER_FILE), text.as_bytes(), 0o644)?;
        }
        let dir = Self { path: path.into(), _lock: lock };
        // Left by a server that was killed: nobody listens there.
        dir.withdraw_endpoints()?;
        Ok(dir)
    }

    /// Looks at a data folder for reading: takes no lock and changes nothing, whether a server has it
    /// open or not.
    ///
    /// # Errors
    /// [`DataDirError`], [`DataDirError::Missing`] for an empty folder too.
    pub fn inspect(path: &Path) -> Result<DataFolder, DataDirError> {
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(DataDirError::NotAFolder { path: path.into() });
            }
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(DataDirError::Missing { path: path.into() });
            }
            Err(source) => return Err(unreadable(path, source)),
        }
        match check_folder(path)? {
            FolderState::Ours => Ok(DataFolder { path: path.into() }),
            FolderState::Fresh => Err(DataDirError::Missing { path: path.into() }),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells where the server listens, in [`ENDPOINTS_FILE`]. Readers see the old text or the new.
    ///
    /// # Errors
    /// [`DataDirError::Unwritable`].
    pub fn publish_endpoints<T: Serialize>(&self, endpoints: &T) -> Result<(), DataDirError> {
        let path = self.path.join(ENDPOINTS_FILE);
        let mut json = serde_json::to_vec_pretty(endpoints)
            .map_err(|e| unwritable(&path, io::Error::other(e)))?;
        json.push(b'\n');
        write_durably(&path, &json, 0o644)
    }

    /// Says that nobody listens any more. Right also where nobody did.
    ///
    /// # Errors
    /// [`DataDirError::Unwritable`].
    pub fn withdraw_endpoints(&self) -> Result<(), DataDirError> {
        let path = self.path.join(ENDPOINTS_FILE);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(unwritable(&path, e)),
            _ => Ok(()),
        }
    }

    /// Tells the lobby's fingerprint (hexadecimal), in [`FINGERPRINT_FILE`].
    ///
    /// # Errors
    /// [`DataDirError::Unwritable`].
    pub fn publish_fingerprint(&self, hex: &str) -> Result<(), DataDirError> {
        let path = self.path.join(FINGERPRINT_FILE);
        write_durably(&path, format!("{hex}\n").as_bytes(), 0o644)
    }
}

/// A data folder as a reader sees it.
#[derive(Debug, Clone)]
pub struct DataFolder {
    path: PathBuf,
}

impl DataFolder {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the server listens; `None` where none runs. A server that was killed leaves its entry
    /// until the next one starts: who connects may be refused.
    ///
    /// # Errors
    /// [`DataDirError::Unreadable`] and [`DataDirError::Damaged`].
    pub fn endpoints<T: DeserializeOwned>(&self) -> Result<Option<T>, DataDirError> {
        let path = self.path.join(ENDPOINTS_FILE);
        let Some(bytes) = read_up_to(&path, ENDPOINTS_BYTES_MAX)? else { return Ok(None) };
        let endpoints = serde_json::from_slice(&bytes).map_err(|e| DataDirError::Damaged {
            path,
            problem: e.to_string(),
            fix: "restart the server, which writes it anew",
        })?;
        Ok(Some(endpoints))
    }

    /// The lobby's fingerprint in hexadecimal; `None` before the first server told it.
    ///
    /// # Errors
    /// [`DataDirError::Unreadable`] and [`DataDirError::Damaged`].
    pub fn lobby_fingerprint(&self) -> Result<Option<String>, DataDirError> {
        let path = self.path.join(FINGERPRINT_FILE);
        let Some(bytes) = read_up_to(&path, SMALL_FILE_BYTES_MAX)? else { return Ok(None) };
        let text = String::from_utf8(bytes).unwrap_or_default().trim().to_owned();
        if text.len() != 64 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(DataDirError::Damaged {
                path,
                problem: "expected 64 hexadecimal digits".to_owned(),
                fix: "restart the server, which writes it anew",
            });
        }
        Ok(Some(text))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum FolderState {
    Fresh,
    Ours,
}

/// Whose the folder is. Reads only.
fn check_folder(path: &Path) -> Result<FolderState, DataDirError> {
    let marker = path.join(MARKER_FILE);
    if let Some(text) = read_up_to(&marker, SMALL_FILE_BYTES_MAX)? {
        let text = String::from_utf8_lossy(&text);
        let version = text.strip_prefix(MARKER_FIRST_LINE).and_then(|rest| rest.lines().next());
        let Some(found) = version.and_then(|version| version.parse().ok()) else {
            return Err(DataDirError::Damaged {
                path: marker,
                problem: "its first line names no format".to_owned(),
                fix: "restore it from a backup",
            });
        };
        if found > FORMAT_VERSION {
            return Err(DataDirError::NewerFormat { path: path.into(), found });
        }
        return Ok(FolderState::Ours);
    }
    for entry in fs::read_dir(path).map_err(|e| unreadable(path, e))? {
        let name = entry.map_err(|e| unreadable(path, e))?.file_name();
        // A fresh ext4 volume has the first; a server killed in its first moment leaves the others.
        let marker_new = new_name(&marker);
        let nothing = name == "lost+found"
            || name == LOCK_FILE
            || Some(name.as_os_str()) == marker_new.file_name();
        if !nothing {
            let found = name.to_string_lossy().into_owned();
            return Err(DataDirError::Foreign { path: path.into(), found });
        }
    }
    Ok(FolderState::Fresh)
}

fn lock(folder: &Path) -> Result<File, DataDirError> {
    let path = folder.join(LOCK_FILE);
    let mut options = OpenOptions::new();
    // Not truncated before the lock is ours: the number in it is another server's.
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(|e| unwritable(&path, e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let text = read_up_to(&path, SMALL_FILE_BYTES_MAX)?.unwrap_or_default();
            let pid = String::from_utf8_lossy(&text).trim().parse().ok();
            return Err(DataDirError::InUse { path: folder.into(), holder: Holder(pid) });
        }
        Err(TryLockError::Error(source)) => return Err(unwritable(&path, source)),
    }
    let told = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    told.map_err(|e| unwritable(&path, e))?;
    Ok(file)
}

/// Replaces a file so that a crash at any moment leaves the old one or the new one, whole; durable
/// when this returns. The file gets `mode`, less what the process's mask takes.
pub(crate) fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> Result<(), DataDirError> {
    let new = new_name(path);
    let write = || -> io::Result<()> {
        match fs::remove_file(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        // `create_new` follows no link that somebody put there, and makes the mode ours.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|source| unwritable(path, source))
}

fn new_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// The first bytes of a file; `None` where there is no file.
fn read_up_to(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, DataDirError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(unreadable(path, source)),
    };
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes).map_err(|e| unreadable(path, e))?;
    Ok(Some(bytes))
}

fn unwritable(path: &Path, source: io::Error) -> DataDirError {
    DataDirError::Unwritable { path: path.into(), source }
}

fn unreadable(path: &Path, source: io::Error) -> DataDirError {
    DataDirError::Unreadable { path: path.into(), source }
}

#[cfg(test)]
mod tests;
