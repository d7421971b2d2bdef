//! Making static tokens, as `tapegate token new` does.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::access::identity::static_tokens::{NewToken, NewTokenError};

/// The command `name`, whose subcommand makes a token.
pub(super) fn command(name: &'static str) -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let new = Command::new("new")
        .about("Make a token, add it to a file, and print it once")
        .before_help(
            "The token goes to stdout and is kept nowhere: the file has its hash. A service with this file in \
             auth.tokens.file takes it within moments.",
        )
        .arg(text("name", "NAME", "The caller's name, as policies know it").required(true))
        .arg(
            text("group", "GROUP", "A group that the caller is in; may be given again")
                .action(ArgAction::Append),
        )
        .arg(
            text("expires-in", "DURATION", "After how long it lapses, such as 12h or 90d; at most 10 years")
                .default_value("90d")
                .value_parser(lifetime),
        )
        .arg(
            text("file", "FILE", "The file of tokens; made if it is not there")
                .required(true)
                .value_parser(value_parser!(PathBuf)),
        );
    Command::new(name)
        .about("Make static tokens, for grpcurl and small sites")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(new)
}

fn lifetime(text: &str) -> Result<Duration, String> {
    const MOST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);
    match humantime::parse_duration(text) {
        Ok(span) if (Duration::from_secs(1)..=MOST).contains(&span) => Ok(span),
        _ => Err("a duration from 1s to 10 years is wanted, such as 12h or 90d".to_owned()),
    }
}

/// A token to be made, and where it is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    name: String,
    groups: Vec<String>,
    lifetime: Duration,
    file: PathBuf,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// The file could not take it.
    #[error(transparent)]
    NewToken(#[from] NewTokenError),
    /// The clock is past any time that can be written.
    #[error("the clock says a time that cannot be written: {0}")]
    Clock(jiff::Error),
    /// Nobody reads the token. It is in the file, and of no use to anybody.
    #[error("the token could not be printed, and is lost; take it out of the file again: {0}")]
    Unread(io::Error),
}

impl Wanted {
    pub(super) fn read(matches: &ArgMatches) -> Option<Self> {
        let (_, matches) = matches.subcommand()?;
        Some(Self {
            name: matches.get_one::<String>("name")?.clone(),
            groups: matches.get_many("group").unwrap_or_default().cloned().collect(),
            lifetime: *matches.get_one("expires-in")?,
            file: matches.get_one::<PathBuf>("file")?.clone(),
        })
    }

    /// Makes it, and writes it to `out`; what there is to say of it goes to `notes`.
    ///
    /// # Errors
    /// [`NotMade`].
    pub fn make(&self, out: &mut impl Write, notes: &mut impl Write) -> Result<(), NotMade> {
        let expires = Timestamp::try_from(SystemTime::now() + self.lifetime).map_err(NotMade::Clock)?;
        let expires = Timestamp::from_second(expires.as_second()).map_err(NotMade::Clock)?;
        let token = NewToken {
            name: self.name.clone(),
            groups: self.groups.clone(),
            expires,
        };
        let token = token.add_to(&self.file)?;
        writeln!(out, "{}", token.expose_secret())
            .and_then(|()| out.flush())
            .map_err(NotMade::Unread)?;
        // What is said is no more than a courtesy.
        let _ = writeln!(
            notes,
            "the token of {} is valid until {expires}; {} has its hash",
            self.name,
            self.file.display()
        );
        Ok(())
    }
}
