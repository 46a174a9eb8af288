//! What a verb shows a server to be let in.
//!
//! A token comes by a variable or a file, never by a flag: what stands on a command line, every user of the
//! machine can see.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use matchkeep_shared::limits::TOKEN_FILE_BYTES_MAX;

use super::CliError;

/// The variable that holds a token.
const VARIABLE: &str = "MATCHKEEP_TOKEN";

/// What a verb shows a server.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    pub(super) token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Credentials {
    /// The token in this file; without one, that in the environment, where there is one.
    pub(super) fn find(token_file: Option<&Path>) -> Result<Self, CliError> {
        let token = match token_file {
            Some(path) => Some(checked(&format!("--token-file {}", path.display()), read(path)?)?),
            None => match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
                Some(value) => Some(checked(VARIABLE, value.to_string_lossy().into_owned())?),
                None => None,
            },
        };
        Ok(Self { token })
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    let fault = |cause: String| CliError::flag("token-file", path.display(), cause);
    let file = File::open(path).map_err(|error| fault(error.to_string()))?;
    let mut text = String::new();
    let mut bounded = file.take(TOKEN_FILE_BYTES_MAX as u64 + 1);
    bounded.read_to_string(&mut text).map_err(|error| fault(error.to_string()))?;
    if text.len() > TOKEN_FILE_BYTES_MAX {
        return Err(fault(format!("longer than {TOKEN_FILE_BYTES_MAX} bytes: that is no token")));
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
