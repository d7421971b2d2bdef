//! All participants by turns in one run, again and again.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use serde::Serialize;

use crate::{
    bounds,
    callers::{Order, Until},
    participant::{Callers, Process, Surroundings, credentials},
    report,
    site::{Service, Site},
    target::{Walk, Work},
};

/// How many pages a measured list has.
const PAGES: u64 = 15;

/// What is compared.
const NAMES: [&str; 7] = ["sdk", "facade", "anonymous", "all-on", "filtered", "go", "python"];

/// Its command line.
pub(crate) fn command() -> clap::Command {
    let number = |name: &'static str, default: &'static str| {
        Arg::new(name)
            .long(name)
            .default_value(default)
            .value_parser(value_parser!(u64))
    };
    clap::Command::new("compare")
        .about("Runs all participants by turns and prints a table; every figure is of one run")
        .arg(number("rounds", "5").help("How often each has its turn"))
        .arg(number("millis", "1000").help("How long a turn takes, in ms"))
        .arg(
            Arg::new("at-once")
                .long("at-once")
                .help("How many calls are in progress at a time")
                .value_delimiter(',')
                .default_value("1,8,64,512")
                .value_parser(value_parser!(u64)),
        )
        .arg(
            Arg::new("only")
                .long("only")
                .help("Who takes part")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .default_values(NAMES)
                .value_parser(NAMES),
        )
        .arg(
            Arg::new("peers")
                .long("peers")
                .help("The folder into which benches/peers/build has put the façades in Go and Python")
                .default_value("target/peers"),
        )
        .arg(Arg::new("json").long("json").help("A file for all figures"))
        .arg(bounds::argument())
}

/// One turn.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Turn {
    /// Who was called.
    pub(crate) who: String,
    /// `create` or `page`.
    pub(crate) work: &'static str,
    /// How many calls were in progress.
    pub(crate) at_once: u64,
    /// Processor time of who was called, in µs for each create or page. Of the SDK, that of its callers.
    pub(crate) processor: f64,
    /// Creates or pages per second.
    pub(crate) per_second: f64,
    /// How long a call took, in µs: the 50th, 99th and 99.9th percentile. A list has [`PAGES`] pages.
    pub(crate) micros: [f64; 3],
    /// Requests to AWS for each create or page.
    pub(crate) upstream: f64,
    /// Calls that failed.
    pub(crate) failed: usize,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// All turns.
    pub(crate) turns: Vec<Turn>,
    /// Who took part, with the memory before the first call and the most that was used, in KiB.
    pub(crate) memory: Vec<(String, u64, u64)>,
}

/// Who is called, and by whom.
pub(crate) struct Participant {
    name: String,
    /// `None` of the SDK, which runs in its callers' process.
    server: Option<Process>,
    pub(crate) callers: Callers,
    idle: u64,
}

impl Participant {
    /// What is measured.
    pub(crate) fn process(&self) -> &Process {
        self.server.as_ref().unwrap_or_else(|| self.callers.process())
    }
}

/// Measures and prints.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), String> {
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or(1);
    let at_once: Vec<_> = matches
        .get_many::<u64>("at-once")
        .into_iter()
        .flatten()
        .copied()
        .collect();
    let names = matches.get_many::<String>("only").into_iter().flatten();
    let around = Surroundings::start()?;
    let started = Started {
        around: &around,
        peers: matches
            .get_one::<String>("peers")
            .map(PathBuf::from)
            .unwrap_or_default(),
    };
    let mut participants = names
        .map(|name| started.start(name))
        .collect::<Result<Vec<_>, _>>()?;
    let mut turns = Vec::new();
    for round in 0..=number("rounds") {
        for &at_once in &at_once {
            for pages in [None, Some(PAGES)] {
                for participant in &mut participants {
                    let turn = turn(participant, &around.upstream, pages, at_once, number("millis"))?;
                    // The first round warms up.
                    if round > 0 {
                        turns.push(turn);
                    }
                }
            }
        }
        progress(round, number("rounds"));
    }
    let memory = participants.iter().map(|participant| {
        let most = participant.process().memory("VmHWM")?;
        Ok((participant.name.clone(), participant.idle, most))
    });
    let measured = Measured {
        turns,
        memory: memory.collect::<Result<_, String>>()?,
    };
    if let Some(path) = matches.get_one::<String>("json") {
        let text = serde_json::to_string_pretty(&measured).map_err(|error| error.to_string())?;
        fs::write(path, text).map_err(|error| format!("{path}: {error}"))?;
    }
    println!("{}", report::markdown(&measured));
    bounds::check("compare", matches, &report::figures(&measured))
}

/// What participants need to start.
pub(crate) struct Started<'s> {
    pub(crate) around: &'s Surroundings,
    pub(crate) peers: PathBuf,
}

impl Started<'_> {
    pub(crate) fn start(&self, name: &str) -> Result<Participant, String> {
        let around = self.around;
        let folder = around.folder.path().join(name);
        let site = |site: Site| site.start(&folder, &around.upstream, &around.collector, &[]);
        let peer = |mut command: Command| {
            let upstream = format!("http://{}", around.upstream);
            command.args(["--listen", "127.0.0.1:0", "--region", "us-east-1"]);
            command.args(["--upstream", &upstream]);
            let process = Process::start(credentials(&mut command));
            Service::of(process.map_err(|error| format!("{error} (benches/peers/build builds it)"))?)
        };
        let service = match name {
            "sdk" => None,
            "facade" => Some(Service::facade(&around.upstream, &[])?),
            "anonymous" => Some(site(Site::Anonymous)?),
            "all-on" => Some(site(Site::AllOn)?),
            "filtered" => Some(site(Site::Filtered)?),
            "go" => Some(peer(Command::new(self.peers.join("go-facade")))?),
            _ => {
                let mut python = Command::new(self.peers.join("python/bin/python"));
                python.env("PYTHONPATH", self.peers.join("python-stubs"));
                python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers/python/main.py"));
                Some(peer(python)?)
            }
        };
        let (server, target) = match service {
            Some(Service { process, target }) => (Some(process), target),
            None => (None, vec!["--sdk".to_owned(), around.upstream.clone()]),
        };
        let target: Vec<_> = target.iter().map(String::as_str).collect();
        let callers = Callers::start(&target)?;
        // What a process needs at the start, it has now.
        thread::sleep(Duration::from_millis(300));
        let mut participant = Participant {
            name: name.to_owned(),
            server,
            callers,
            idle: 0,
        };
        participant.idle = participant.process().memory("VmRSS")?;
        Ok(participant)
    }
}

fn turn(
    participant: &mut Participant,
    upstream: &str,
    pages: Option<u64>,
    at_once: u64,
    millis: u64,
) -> Result<Turn, String> {
    let requests = requests(upstream)?;
    let before = participant.process().processor_time()?;
    let seen = participant.callers.order(Order {
        work: pages.map_or(Work::Create, |pages| Work::Walk(Walk::of(pages))),
        at_once: usize::try_from(at_once).unwrap_or(1),
        until: Until::Millis(millis),
    })?;
    let processor = participant.process().processor_time()? - before;
    let requests = self::requests(upstream)? - requests;
    if let Some((error, count)) = seen.errors.first_key_value() {
        let _ = writeln!(
            io::stderr(),
            "{}: {count} calls failed: {error}",
            participant.name
        );
    }
    let messages = seen.messages.max(1) as f64;
    Ok(Turn {
        who: participant.name.clone(),
        work: if pages.is_some() { "page" } else { "create" },
        at_once,
        processor: processor.as_secs_f64() * 1e6 / messages,
        per_second: messages / seen.seconds,
        micros: seen.micros,
        upstream: requests as f64 / messages,
        failed: seen.errors.values().sum(),
    })
}

/// How many requests the upstream has had.
pub(crate) fn requests(upstream: &str) -> Result<u64, String> {
    let failed = |error: io::Error| format!("the upstream: {error}");
    let mut stream = TcpStream::connect(upstream).map_err(failed)?;
    let request = format!("GET / HTTP/1.1\r\nhost: {upstream}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut response = String::new();
    stream.read_to_string(&mut response).map_err(failed)?;
    let count = response
        .rsplit("\r\n\r\n")
        .next()
        .and_then(|count| count.trim().parse().ok());
    count.ok_or_else(|| format!("the upstream answers {response:?}"))
}

fn progress(round: u64, rounds: u64) {
    // Without a terminal, nobody looks.
    let _ = writeln!(io::stderr(), "round {round} of {rounds}");
}
