//! Starts the program again if its environment has variables that a library would misread.

use std::{env, ffi::OsString, io, os::unix::process::CommandExt, process::Command};

use tapegate::app::settings::{self, Variables};

/// The program cannot be started again.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot start without the variables that are empty, end with a line end, or are for AWS only: {cause}; unset or correct {names}"
)]
pub(crate) struct CannotClean {
    cause: io::Error,
    names: String,
}

/// Returns if the environment is clean. Otherwise this process becomes the same program with a clean
/// environment: no code can change the environment of a process in which other threads may run.
pub(crate) fn clean(variables: &Variables, is_dev: bool) -> Result<(), CannotClean> {
    let Some(clean) = settings::cleaned(variables, is_dev) else {
        return Ok(());
    };
    let started = |program| {
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_else(|| OsString::from("tapegate"));
        Command::new(program)
            .arg0(name)
            .args(arguments)
            .env_clear()
            .envs(&clean)
            .exec()
    };
    // Returns only if it fails.
    let cause = env::current_exe().map_or_else(|error| error, started);
    let changed = variables
        .iter()
        .filter(|(name, value)| clean.get(*name) != Some(value));
    let names: Vec<_> = changed.map(|(name, _)| name.to_string_lossy()).collect();
    Err(CannotClean {
        cause,
        names: names.join(", "),
    })
}
