//! `tapegate token …`: creates, lists and revokes static tokens.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, builder::NonEmptyStringValueParser, value_parser};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::access::identity::static_tokens::{self, ListedToken, NewToken, Revocation, TokensFileError};

/// The command `name`.
pub(super) fn command(name: &'static str) -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        let arg = Arg::new(name).long(name).value_name(value).help(help);
        arg.value_parser(NonEmptyStringValueParser::new())
    };
    let file = |help: &'static str| {
        text("file", "FILE", help)
            .required(true)
            .value_parser(value_parser!(PathBuf))
    };
    let new = Command::new("new")
        .about("Create a token, add it to a file, and print it once")
        .before_help(
            "Prints the token to stdout; the file contains only its hash. A running service with this file in \
             auth.tokens.file accepts the token within two reload_intervals.",
        )
        .arg(text("name", "NAME", "The name of the caller in policies").required(true))
        .arg(
            text("group", "GROUP", "A group of the caller; can be repeated")
                .action(ArgAction::Append),
        )
        .arg(
            text("expires-in", "DURATION", "How long the token is valid, such as 12h or 90d; at most 10 years")
                .default_value("90d")
                .value_parser(lifetime),
        )
        .arg(file("The file of tokens; created if it does not exist"));
    let list = Command::new("list")
        .about("List the tokens of a file: id, expiry, creation, name and groups, never a secret")
        .arg(file("The file of tokens"));
    let revoke = Command::new("revoke")
        .about("Remove tokens from a file")
        .before_help(
            "Other lines of the file stay as they are, comments too. A running service with this file in \
             auth.tokens.file rejects the tokens for new calls within two reload_intervals, or at once after SIGHUP. \
             Open streams continue.",
        )
        .arg(text(
            "name",
            "NAME",
            "Revoke all tokens of the caller of this name",
        ))
        .arg(text(
            "id",
            "ID",
            "Revoke the token with this id; `token list` shows it",
        ))
        .group(ArgGroup::new("which").args(["name", "id"]).required(true))
        .arg(file("The file of tokens"));
    Command::new(name)
        .about("Create, list and revoke static tokens, for grpcurl and small sites")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(new)
        .subcommand(list)
        .subcommand(revoke)
}

fn lifetime(text: &str) -> Result<Duration, String> {
    const MAX: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);
    match humantime::parse_duration(text) {
        Ok(lifetime) if (Duration::from_secs(1)..=MAX).contains(&lifetime) => Ok(lifetime),
        _ => Err("expected a duration from 1s to 10 years, such as 12h or 90d".to_owned()),
    }
}

/// What to do with the tokens of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    file: PathBuf,
    action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Create {
        name: String,
        groups: Vec<String>,
        lifetime: Duration,
    },
    List,
    Revoke(Revocation),
}

/// Why a command about tokens failed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file could not be read or changed.
    #[error(transparent)]
    File(#[from] TokensFileError),
    /// The expiry is out of range.
    #[error("the expiry of the token is out of range: {0}; set the clock of this machine")]
    Clock(jiff::Error),
    /// The token is in the file, but could not be printed.
    #[error("the token could not be printed and is lost; remove its table from the file: {0}")]
    NotPrinted(io::Error),
    /// The list of tokens could not be printed.
    #[error("the tokens could not be printed: {0}")]
    NotListed(io::Error),
}

impl TokenRequest {
    pub(super) fn read(matches: &ArgMatches) -> Option<Self> {
        let (command, matches) = matches.subcommand()?;
        let text = |name| matches.get_one::<String>(name).cloned();
        let action = match command {
            "new" => Action::Create {
                name: text("name")?,
                groups: matches.get_many("group").unwrap_or_default().cloned().collect(),
                lifetime: *matches.get_one("expires-in")?,
            },
            "list" => Action::List,
            _ => Action::Revoke(match text("name") {
                Some(name) => Revocation::Name(name),
                None => Revocation::Id(text("id")?),
            }),
        };
        let file = matches.get_one::<PathBuf>("file")?.clone();
        Some(Self { file, action })
    }

    /// Creates, lists or revokes tokens. Prints a new token or the list to `out`, and other
    /// information to `notes`.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub fn run(&self, out: &mut impl Write, notes: &mut impl Write) -> Result<(), TokenError> {
        let Self { file, action } = self;
        match action {
            Action::Create {
                name,
                groups,
                lifetime,
            } => create(file, name, groups, *lifetime, out, notes),
            Action::List => print(&static_tokens::list(file)?, out).map_err(TokenError::NotListed),
            Action::Revoke(which) => {
                let mut told = String::new();
                for ListedToken { id, name, .. } in which.apply(file)? {
                    told += &format!("revoked the token {id} of {name}\n");
                }
                told += "a running service rejects new calls with a revoked token within two reload_intervals, or at once after SIGHUP\n";
                // The tokens are revoked even if the information cannot be printed.
                let _ = notes.write_all(told.as_bytes());
                Ok(())
            }
        }
    }
}

fn create(
    file: &Path,
    name: &str,
    groups: &[String],
    lifetime: Duration,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<(), TokenError> {
    let now = SystemTime::now();
    let whole_seconds = |time: SystemTime| Timestamp::from_second(Timestamp::try_from(time)?.as_second());
    let token = NewToken {
        name: name.to_owned(),
        groups: groups.to_vec(),
        created: whole_seconds(now).map_err(TokenError::Clock)?,
        expires: whole_seconds(now + lifetime).map_err(TokenError::Clock)?,
    };
    let secret = token.add_to(file)?;
    writeln!(out, "{}", secret.expose_secret())
        .and_then(|()| out.flush())
        .map_err(TokenError::NotPrinted)?;
    // The token is created even if the information cannot be printed.
    let _ = writeln!(
        notes,
        "the token of {name} is valid until {}; {} has its hash",
        token.expires,
        file.display()
    );
    Ok(())
}

/// Prints a table of tokens, in columns.
fn print(tokens: &[ListedToken], out: &mut impl Write) -> io::Result<()> {
    let now = Timestamp::now();
    let header = ["ID", "EXPIRES", "CREATED", "NAME", "GROUPS"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(header)
        .chain(tokens.iter().map(|token| {
            let groups = match token.groups.is_empty() {
                true => "-".to_owned(),
                false => token.groups.join(","),
            };
            let note = if token.expires <= now { "  (expired)" } else { "" };
            [
                token.id.clone(),
                token.expires.to_string(),
                token
                    .created
                    .map_or_else(|| "-".to_owned(), |created| created.to_string()),
                token.name.clone(),
                groups + note,
            ]
        }))
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths = [0, 1, 2, 3].map(width);
    for [id, expires, created, name, groups] in &rows {
        let [w0, w1, w2, w3] = widths;
        writeln!(
            out,
            "{id:w0$}  {expires:w1$}  {created:w2$}  {name:w3$}  {groups}"
        )?;
    }
    out.flush()
}
