//! `tapegate token new`: creates static tokens.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::access::identity::static_tokens::{NewToken, NewTokenError};

/// The command `name`.
pub(super) fn command(name: &'static str) -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
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
        .arg(
            text("file", "FILE", "The file of tokens; created if it does not exist")
                .required(true)
                .value_parser(value_parser!(PathBuf)),
        );
    Command::new(name)
        .about("Create static tokens, for grpcurl and small sites")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(new)
}

fn lifetime(text: &str) -> Result<Duration, String> {
    const MAX: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);
    match humantime::parse_duration(text) {
        Ok(lifetime) if (Duration::from_secs(1)..=MAX).contains(&lifetime) => Ok(lifetime),
        _ => Err("expected a duration from 1s to 10 years, such as 12h or 90d".to_owned()),
    }
}

/// A token to create, and the file to add it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    name: String,
    groups: Vec<String>,
    lifetime: Duration,
    file: PathBuf,
}

/// Why a token was not created.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file could not be written.
    #[error(transparent)]
    NewToken(#[from] NewTokenError),
    /// The expiry is out of range.
    #[error("the expiry of the token is out of range: {0}; set the clock of this machine")]
    Clock(jiff::Error),
    /// The token is in the file, but could not be printed.
    #[error("the token could not be printed and is lost; remove its table from the file: {0}")]
    NotPrinted(io::Error),
}

impl TokenRequest {
    pub(super) fn read(matches: &ArgMatches) -> Option<Self> {
        let (_, matches) = matches.subcommand()?;
        Some(Self {
            name: matches.get_one::<String>("name")?.clone(),
            groups: matches.get_many("group").unwrap_or_default().cloned().collect(),
            lifetime: *matches.get_one("expires-in")?,
            file: matches.get_one::<PathBuf>("file")?.clone(),
        })
    }

    /// Creates the token and prints it to `out`, and information about it to `notes`.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub fn create(&self, out: &mut impl Write, notes: &mut impl Write) -> Result<(), TokenError> {
        let expires = Timestamp::try_from(SystemTime::now() + self.lifetime).map_err(TokenError::Clock)?;
        let expires = Timestamp::from_second(expires.as_second()).map_err(TokenError::Clock)?;
        let token = NewToken {
            name: self.name.clone(),
            groups: self.groups.clone(),
            expires,
        };
        let token = token.add_to(&self.file)?;
        writeln!(out, "{}", token.expose_secret())
            .and_then(|()| out.flush())
            .map_err(TokenError::NotPrinted)?;
        // The token is created even if the information cannot be printed.
        let _ = writeln!(
            notes,
            "the token of {} is valid until {expires}; {} has its hash",
            self.name,
            self.file.display()
        );
        Ok(())
    }
}
