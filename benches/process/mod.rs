//! `tapegate` in a process of its own, and what it costs the processor.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

mod processor_time;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

pub(crate) use processor_time::processor_time;

/// The credentials that everybody here signs with.
pub(crate) const CREDENTIALS: (&str, &str) = ("AKIDBENCH", "secret-of-the-benchmark");

/// A process that ends with this.
pub(crate) struct Tapegate {
    child: Child,
    first: String,
}

impl Tapegate {
    /// `tapegate` with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapegate"));
        Self::run(command.args(arguments).arg("--log-filter=warn"))
    }

    /// This command of `tapegate`.
    pub(crate) fn run(command: &mut Command) -> Self {
        let mut child = command
            .env("AWS_ACCESS_KEY_ID", CREDENTIALS.0)
            .env("AWS_SECRET_ACCESS_KEY", CREDENTIALS.1)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        Self { child, first }
    }

    /// `tapegate emulator` with these arguments, which verifies signatures.
    pub(crate) fn emulator(arguments: &[&str]) -> Self {
        let (id, secret) = CREDENTIALS;
        let ours = [
            "emulator",
            "--listen=127.0.0.1:0",
            &format!("--access-key-id={id}"),
            &format!("--secret-access-key={secret}"),
        ];
        Self::start(&[&ours, arguments].concat())
    }

    /// Where it listens: `grpc`, `admin` or `emulator`, as a URL.
    pub(crate) fn url(&self, name: &str) -> String {
        let mut words = self.first.split_whitespace();
        let address = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        format!("http://{}", address.unwrap())
    }

    /// Its processor time so far.
    pub(crate) fn processor_time(&self) -> Duration {
        processor_time(self.child.id()).unwrap()
    }
}

impl Drop for Tapegate {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
