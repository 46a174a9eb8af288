//! Files that hold a secret: made once, closed to others, and ended by a line that finds damage.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

use super::IdentityError;
use crate::data_dir::{DataDirError, write_durably};

/// How the last line begins.
pub(super) const CHECK_LINE: &str = "sha256 ";

/// The text of a secret file without its check line; made first where there is no file.
pub(super) fn open_secret(
    path: &Path,
    effect: &'static str,
    make: impl FnOnce() -> Result<String, IdentityError>,
) -> Result<String, IdentityError> {
    if let Some(text) = read_secret(path, effect)? {
        return Ok(text);
    }
    let text = make()?;
    write_secret(path, &text)?;
    tracing::info!(file = %path.display(), "made a new secret");
    Ok(text)
}

/// Writes a secret file in the place of the one there is; a crash leaves the one or the other, whole.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), IdentityError> {
    let file = format!("{text}{CHECK_LINE}{}\n", sha256(text.as_bytes()));
    Ok(write_durably(path, file.as_bytes(), 0o600)?)
}

/// The text of a secret file without its check line; `None` where there is no file.
pub(super) fn read_secret(
    path: &Path,
    effect: &'static str,
) -> Result<Option<String>, IdentityError> {
    let unreadable = |source| IdentityError::Unreadable { path: path.into(), source };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(unreadable(source)),
    };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        // Volumes are remounted and copied with other modes. Refusing to start would not make the
        // secret secret again; closing it and saying so is what helps.
        let closed = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
        closed.map_err(|source| DataDirError::Unwritable { path: path.into(), source })?;
        tracing::warn!(
            file = %path.display(),
            mode = %format_args!("{:o}", mode & 0o7777),
            "others could read this secret; its mode is 600 again. Delete it if somebody may have",
        );
    }
    let text = String::from_utf8(bytes).map_err(|e| damaged(path, e.to_string(), effect))?;
    let checked = text.strip_suffix('\n').and_then(|text| {
        let start = text.rfind('\n').map_or(0, |newline| newline + 1);
        let (text, check) = text.split_at(start);
        (check.strip_prefix(CHECK_LINE)? == sha256(text.as_bytes())).then_some(text)
    });
    let problem = || format!("its last line is not `{CHECK_LINE}` and the checksum of the rest");
    checked.map(|text| Some(text.to_owned())).ok_or_else(|| damaged(path, problem(), effect))
}

/// The file is not what was written.
pub(super) fn damaged(path: &Path, problem: String, effect: &'static str) -> IdentityError {
    IdentityError::Damaged { path: path.into(), problem, effect }
}

/// Random bytes, for a key.
pub(super) fn random<const N: usize>() -> Result<[u8; N], IdentityError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| IdentityError::Crypto {
        what: "a random key",
        cause: "the system gave no random numbers".to_owned(),
    })?;
    Ok(bytes)
}

/// In hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What hexadecimal digits say, where there are as many as wanted.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(bytes)
}
