//! What a verb shows a server to be let in.
//!
//! A token comes by a variable or a file, never by a flag: what stands on a command line, every user of the
//! machine can see.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use matchkeep_shared::limits::{PEM_BYTES_MAX, TOKEN_FILE_BYTES_MAX};
use ureq::tls::{Certificate, PemItem, parse_pem};

use super::CliError;

/// The variable that holds a token.
const VARIABLE: &str = "MATCHKEEP_TOKEN";

/// What a verb shows a server.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    pub(super) token: Option<String>,
    /// By what the server is known, where it speaks TLS; else by the roots that browsers trust.
    pub(super) roots: Option<Vec<Certificate<'static>>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Credentials {
    /// The token in this file; without one, that in the environment, where there is one.
    pub(super) fn find(
        token_file: Option<&Path>,
        admin_ca: Option<&Path>,
    ) -> Result<Self, CliError> {
        let token = match token_file {
            Some(path) => {
                let text = read("token-file", path, TOKEN_FILE_BYTES_MAX)?;
                Some(checked(&format!("--token-file {}", path.display()), text)?)
            }
            None => match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
                Some(value) => Some(checked(VARIABLE, value.to_string_lossy().into_owned())?),
                None => None,
            },
        };
        Ok(Self { token, roots: admin_ca.map(roots).transpose()? })
    }
}

fn roots(path: &Path) -> Result<Vec<Certificate<'static>>, CliError> {
    roots_in(path).map_err(|cause| CliError::flag("admin-ca", path.display(), cause))
}

/// The certificates in a file, or what is wrong with it.
pub(super) fn roots_in(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let pem = bounded(path, PEM_BYTES_MAX)?;
    let mut roots = Vec::new();
    for item in parse_pem(pem.as_bytes()) {
        if let PemItem::Certificate(root) = item.map_err(|error| error.to_string())? {
            roots.push(root);
        }
    }
    if roots.is_empty() {
        return Err("it holds no certificate in PEM".into());
    }
    Ok(roots)
}

fn read(flag: &str, path: &Path, bytes_max: usize) -> Result<String, CliError> {
    bounded(path, bytes_max).map_err(|cause| CliError::flag(flag, path.display(), cause))
}

fn bounded(path: &Path, bytes_max: usize) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let mut bounded = file.take(bytes_max as u64 + 1);
    bounded.read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() > bytes_max {
        return Err(format!("longer than {bytes_max} bytes"));
    }
    Ok(text)
}

/// The token without the space around it. What is wrong with it is told without showing it.
fn checked(place: &str, text: String) -> Result<String, CliError> {
    let token = text.trim();
    if !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(token.to_owned());
    }
    Err(CliError::Usage(format!(
        "{place}: a token is expected, one word as `matchkeep token make` printed it"
    )))
}
