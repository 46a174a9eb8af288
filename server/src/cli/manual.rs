//! `matchkeep completions` and `matchkeep man`: what shells and readers of manuals are given, made from the
//! same command line that is parsed.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{CliError, emit};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write one page for each verb into this folder, which is made where there is none
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn completions(mut command: Command, args: &CompletionsArgs) -> Result<(), CliError> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    emit(&String::from_utf8_lossy(&script))
}

pub(super) fn man(command: Command, args: &ManArgs) -> Result<(), CliError> {
    // Names and flags of each verb as help shows them; `help` itself needs no page.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let Some(folder) = &args.out else {
        return emit(&String::from_utf8_lossy(&page(&command)?));
    };
    let failed = |path: &Path, error: std::io::Error| {
        CliError::Usage(format!("`{}` cannot be written: {error}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut pages = Vec::new();
    gather(&command, &mut pages)?;
    let count = pages.len();
    for (name, page) in pages {
        let path = folder.join(name);
        std::fs::write(&path, page).map_err(|error| failed(&path, error))?;
    }
    emit(&format!("{count} pages in `{}`: man -l {0}/matchkeep.1\n", folder.display()))
}

/// The page of a command and those of its verbs: `matchkeep-history-ls.1`.
fn gather(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), CliError> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    pages.push((format!("{name}.1"), page(command)?));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        gather(verb, pages)?;
    }
    Ok(())
}

fn page(command: &Command) -> Result<Vec<u8>, CliError> {
    let mut page = Vec::new();
    let bare = command.clone().after_help(None::<&str>);
    Man::new(bare).render(&mut page).map_err(CliError::failed)?;
    if let Some(text) = command.get_after_help() {
        page.extend_from_slice(notes(&text.to_string()).as_bytes());
    }
    Ok(page)
}

/// What help says at its end, as a section: titles are titles, and lists stay as they are set.
fn notes(text: &str) -> String {
    let mut section = ".SH NOTES\n".to_owned();
    let mut is_list = false;
    for line in text.lines() {
        let belongs_to_list = line.starts_with("  ");
        if belongs_to_list != is_list {
            section += if belongs_to_list { ".nf\n" } else { ".fi\n" };
            is_list = belongs_to_list;
        }
        let escaped = line.replace('\\', "\\e").replace('-', "\\-");
        section += &match line.strip_suffix(':') {
            Some(title) => format!(".SS {title}\n"),
            None if line.is_empty() => ".PP\n".to_owned(),
            None => format!("\\&{escaped}\n"),
        };
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stay_as_they_are_set() {
        let section = notes("Words.\n\nCodes:\n  0  well\n  .  --x\n\nEnd:");
        let expected = ".SH NOTES\n\\&Words.\n.PP\n.SS Codes\n.nf\n\\&  0  well\n\\&  .  \\-\\-x\n\
                        .fi\n.PP\n.SS End\n";
        assert_eq!(section, expected);
    }
}
