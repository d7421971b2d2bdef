use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use tokio::time::timeout;

/// How long a line of the log is waited for, which only a broken program needs.
const PATIENCE: Duration = Duration::from_secs(120);

const PROGRAM: &str = env!("CARGO_BIN_EXE_tapegate");

/// Credentials that any upstream of a test takes.
pub const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
    ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
];

/// `tapegate serve` in a process of its own, which ends with this.
pub struct Program {
    child: Child,
    log: Option<BufReader<ChildStderr>>,
    /// Where it serves gRPC, as a URL.
    pub grpc: String,
    /// Where it serves the admin pages, as a URL.
    pub admin: String,
}

impl Program {
    /// Before this endpoint, with credentials that any upstream of a test takes, and logging
    /// what this filter lets through. Nobody but [`Program::logged`] reads the log, so lines are
    /// lost when there are more than a pipe and `log.queue` hold.
    pub fn over(endpoint: &str, log_filter: &str) -> Self {
        Self::serve(
            endpoint,
            [
                ("TAPEGATE_LOG_FILTER", log_filter),
                CREDENTIALS[0],
                CREDENTIALS[1],
            ],
        )
    }

    /// Before this endpoint, with no variables but these.
    pub fn serve<const N: usize>(endpoint: &str, variables: [(&str, &str); N]) -> Self {
        let endpoint = format!("--upstream-endpoint={endpoint}");
        Self::start(
            &["serve", "--allow-anonymous", "--region=us-east-1", &endpoint],
            variables,
        )
    }

    /// A command that serves, with these arguments and no variables but these.
    pub fn start<'v>(arguments: &[&str], variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        Self::launch(Command::new(PROGRAM), arguments, variables)
    }

    /// The same as [`Program::over`], with a hard limit of open files.
    pub fn with_open_files(files: u32, endpoint: &str) -> Self {
        let endpoint = format!("--upstream-endpoint={endpoint}");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\""), PROGRAM]);
        Self::launch(
            shell,
            &["serve", "--allow-anonymous", "--region=us-east-1", &endpoint],
            CREDENTIALS,
        )
    }

    fn launch<'v>(
        mut command: Command,
        arguments: &[&str],
        variables: impl IntoIterator<Item = (&'v str, &'v str)>,
    ) -> Self {
        let mut child = command
            .args(arguments)
            .args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
            .env_clear()
            // Many tests share the processors.
            .env("TAPEGATE_MAX_SCHEDULING_DELAY", "1h")
            .envs(variables)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        let url = |name| {
            let address = first
                .split_whitespace()
                .find_map(|word| word.strip_prefix(name))
                .unwrap();
            format!("http://{address}")
        };
        Self {
            grpc: url("grpc="),
            admin: url("admin="),
            log: child.stderr.take().map(BufReader::new),
            child,
        }
    }

    /// Waits for the next line of the log that has this in it.
    pub async fn logged(&mut self, part: &'static str) -> String {
        self.logged_until(part).await.pop().unwrap()
    }

    /// Waits for the next line of the log that has this in it; returns it and the lines before it.
    pub async fn logged_until(&mut self, part: &'static str) -> Vec<String> {
        let mut log = self.log.take().unwrap();
        let find = move || {
            let mut lines = Vec::new();
            for line in log.by_ref().lines() {
                lines.push(line.unwrap());
                if lines.last().is_some_and(|line| line.contains(part)) {
                    return (log, lines);
                }
            }
            panic!("the log ends without {part:?}: {lines:?}");
        };
        let found = timeout(PATIENCE, tokio::task::spawn_blocking(find)).await;
        let (log, lines) = found
            .unwrap_or_else(|_| panic!("no line with {part:?} within {PATIENCE:?}"))
            .unwrap();
        self.log = Some(log);
        lines
    }

    /// Sends SIGTERM.
    pub fn ask_to_stop(&self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the end: the exit code, and the lines of the log that were not read yet.
    pub async fn ended(&mut self) -> (Option<i32>, Vec<String>) {
        let log = self.log.take().unwrap();
        let read = tokio::task::spawn_blocking(move || log.lines().map(Result::unwrap).collect());
        let lines = timeout(PATIENCE, read).await.unwrap().unwrap();
        (self.child.wait().unwrap().code(), lines)
    }

    /// Resident memory, in KiB.
    pub fn resident(&self) -> i64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails if the program has ended.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}
