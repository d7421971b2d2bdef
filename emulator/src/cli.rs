//! The command line of an emulator alone: `tapegate-emulator`, and `tapegate emulator`.

mod log;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use clap::{ArgMatches, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::{Config, Faults as ConfigFaults, Flags, Variables, check_other_names},
    server::Server,
    settings::Credentials,
};
use log::Log;

/// The exit code for a wrong command line or wrong settings.
const MISUSE: u8 = 2;

/// The command, by this name.
pub fn command(name: &'static str) -> Command {
    Command::new(name)
        .about("Run the emulator of the AWS API alone, for any AWS client")
        .next_line_help(true)
        .args(Flags::ALONE.arguments())
        .args(log::arguments())
        .after_help(
            "A flag takes precedence over its variable, a variable over the file. docs/emulator.md lists every \
             setting, also those of the file alone.",
        )
}

/// Runs the command with these arguments (the first is the name of the program) and variables.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let command = command("tapegate-emulator").version(env!("CARGO_PKG_VERSION"));
    match command.try_get_matches_from(arguments) {
        Ok(matches) => execute(
            "tapegate-emulator",
            &matches,
            &variables.into_iter().collect(),
            &[],
        ),
        Err(usage) => {
            // The process ends either way when the stream is closed.
            let _ = usage.print();
            match usage.use_stderr() {
                true => ExitCode::from(MISUSE),
                false => ExitCode::SUCCESS,
            }
        }
    }
}

/// Runs the command with these arguments of it. Errors begin with the name of the program, which reads
/// `other_variables` in its other commands.
pub fn execute(
    program: &str,
    matches: &ArgMatches,
    variables: &Variables,
    other_variables: &[&str],
) -> ExitCode {
    let (config, log) = match read(matches, variables, other_variables) {
        Ok(settings) => settings,
        Err(faults) => {
            let _ = write!(io::stderr(), "{faults}");
            return ExitCode::from(MISUSE);
        }
    };
    log.start();
    let done = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| {
            let done = runtime.block_on(run(config));
            // A snapshot of a million tapes, which takes seconds, does not hold up the end.
            runtime.shutdown_background();
            done
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{program}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read(
    matches: &ArgMatches,
    variables: &Variables,
    other_variables: &[&str],
) -> Result<(Config, Log), ConfigFaults> {
    let mut faults = ConfigFaults::default();
    let others = [&[log::FILTER_VARIABLE, log::FORMAT_VARIABLE], other_variables].concat();
    check_other_names(variables, &others, &mut faults);
    let log = Log::read(matches, variables, &mut faults);
    let config = Flags::ALONE.read(matches, variables, |_| Vec::new());
    match config {
        Ok(config) => faults.or((config, log)),
        Err(more) => Err(faults.and(more)),
    }
}

async fn run(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let verified = verified(&config.settings.credentials);
    let server = Server::bind(config).await?;
    let stop = stop_requested()?;
    let mut lines = format!("listening emulator={}\n{verified}\n", server.address());
    lines.extend(server.state_file().map(|file| format!("{file}\n")));
    // The emulator runs also when nobody reads its output.
    let _ = io::stdout()
        .write_all(lines.as_bytes())
        .and_then(|()| io::stdout().flush());
    Ok(server.run(stop).await?)
}

/// What the emulator verifies of a signature.
fn verified(credentials: &[Credentials]) -> String {
    let with_token = credentials.iter().filter(|one| one.session_token.is_some());
    match (credentials.len(), with_token.count()) {
        (0, _) => {
            "no access key is configured: only the form, scope and date of signatures are checked".to_owned()
        }
        (1, 0) => "signatures are verified against the configured access key".to_owned(),
        (keys, tokens) => format!(
            "signatures are verified against the configured access keys: {keys}, {tokens} of them with a session \
             token"
        ),
    }
}

/// Waits for the first SIGTERM or SIGINT. A second one ends the process at once.
fn stop_requested() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut either = async move || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    Ok(async move {
        let name = either().await;
        tracing::info!("{name}: the emulator waits for calls in progress");
        tokio::spawn(async move {
            let name = either().await;
            tracing::warn!("{name} again: the emulator stops at once");
            std::process::exit(1);
        });
    })
}
