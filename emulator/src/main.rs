//! The `tapegate-emulator` program.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    tapegate_emulator::cli::main(env::args_os(), env::vars_os())
}
