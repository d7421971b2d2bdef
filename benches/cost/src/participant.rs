//! The processes that take part, and what they cost the processor.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    callers::{Order, Seen},
    processor_time::processor_time,
};

/// A process that has said that it is ready. It ends with this.
pub(crate) struct Process {
    child: Child,
    first: String,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a program and waits for its first line.
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |error: std::io::Error| format!("{program}: {error}");
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
        let output = child.stdout.take().ok_or("a process without output")?;
        let mut this = Self {
            child,
            first: String::new(),
            output: BufReader::new(output),
        };
        this.first = this.line()?;
        if this.first.is_empty() {
            return Err(format!("{program} ended at once; its standard error says why"));
        }
        Ok(this)
    }

    /// This program in another role.
    pub(crate) fn role(arguments: &[&str]) -> Result<Self, String> {
        Self::role_in(&[], arguments)
    }

    /// This program in another role, within another program such as valgrind.
    pub(crate) fn role_in(wrapper: &[String], arguments: &[&str]) -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = within(wrapper, &this);
        Self::start(credentials(command.args(arguments).stdin(Stdio::piped())))
    }

    /// The address of this name in its first line.
    pub(crate) fn address(&self, name: &str) -> Result<String, String> {
        let mut words = self.first.split_whitespace();
        let address = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        address
            .map(ToOwned::to_owned)
            .ok_or_else(|| format!("no {name} in {:?}", self.first))
    }

    /// Its next line.
    pub(crate) fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        Ok(line)
    }

    /// Ends it by SIGTERM, and waits for its end.
    pub(crate) fn end(mut self) -> Result<(), String> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).map_err(|error| error.to_string())?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("the process ended with {status}")),
        }
    }

    /// Where it reads its orders.
    pub(crate) fn input(&mut self) -> Option<&mut ChildStdin> {
        self.child.stdin.as_mut()
    }

    /// Its processor time so far, to a hundredth of a second.
    pub(crate) fn processor_time(&self) -> Result<Duration, String> {
        processor_time(self.id()).ok_or_else(|| format!("process {} has ended", self.id()))
    }

    /// A number of KiB in its status: `VmHWM` is the most memory that it had, `VmRSS` what it has now.
    pub(crate) fn memory(&self, name: &str) -> Result<u64, String> {
        memory(self.id(), name)
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What every service needs around it: AWS, a collector, and a folder for its files.
pub(crate) struct Surroundings {
    pub(crate) folder: TempDir,
    /// The address of AWS.
    pub(crate) upstream: String,
    /// The URL of the collector.
    pub(crate) collector: String,
    /// They end with this.
    _processes: [Process; 2],
}

impl Surroundings {
    /// Starts them.
    pub(crate) fn start() -> Result<Self, String> {
        let upstream = Process::role(&["upstream"])?;
        let collector = Process::role(&["collector"])?;
        Ok(Self {
            folder: tempfile::tempdir().map_err(|error| error.to_string())?,
            upstream: upstream.address("upstream")?,
            collector: format!("http://{}", collector.address("collector")?),
            _processes: [upstream, collector],
        })
    }
}

/// As [`Process::memory`], of any process.
pub(crate) fn memory(id: u32, name: &str) -> Result<u64, String> {
    let path = format!("/proc/{id}/status");
    let status = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| format!("{path} has no {name}"))
}

/// Callers in a process of their own.
pub(crate) struct Callers(Process);

impl Callers {
    /// Callers of this target, as the command line of this program names it.
    pub(crate) fn start(target: &[&str]) -> Result<Self, String> {
        Process::role(&[&["callers"], target].concat()).map(Self)
    }

    /// Makes them call.
    pub(crate) fn order(&mut self, order: Order) -> Result<Seen, String> {
        let line = serde_json::to_string(&order).map_err(|error| error.to_string())?;
        let input = self.0.input().ok_or("callers without input")?;
        writeln!(input, "{line}").map_err(|error| error.to_string())?;
        let seen = self.0.line()?;
        serde_json::from_str(&seen).map_err(|error| format!("callers said {seen:?}: {error}"))
    }

    /// Makes them call. Fails if a call does.
    pub(crate) fn succeed(&mut self, order: Order) -> Result<Seen, String> {
        let seen = self.order(order)?;
        match seen.errors.first_key_value() {
            None => Ok(seen),
            Some((error, count)) => Err(format!("{count} calls failed: {error}")),
        }
    }

    /// Their process.
    pub(crate) fn process(&self) -> &Process {
        &self.0
    }
}

/// A program within another one, if there is one.
pub(crate) fn within(wrapper: &[String], program: &Path) -> Command {
    match wrapper.split_first() {
        None => Command::new(program),
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    }
}

/// Adds credentials, which the upstream does not verify.
pub(crate) fn credentials(command: &mut Command) -> &mut Command {
    command
        .env("AWS_ACCESS_KEY_ID", super::CREDENTIALS.0)
        .env("AWS_SECRET_ACCESS_KEY", super::CREDENTIALS.1)
}
