//! How many instructions a call takes, counted by callgrind: the same, whatever else the machine does.
//!
//! A service is called until it has what it keeps: connections, keys, caches. Then the counters are set to
//! zero, it is called again, and the counters are read.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use crate::{
    callers::{Order, Until},
    part,
    participant::{Callers, Process, Surroundings},
    site::{Service, Site},
    target::{Walk, Work},
};

/// The calls before those that count.
const WARM_UP: usize = 40;

/// The calls that count.
const CALLS: usize = 600;

/// How much a figure may differ from the recorded one.
const TOLERANCE: f64 = 0.03;

/// The pages of a list.
const PAGES: u64 = 10;

/// What is counted: a name, how the service is set up, and what is called.
const KINDS: [(&str, Option<Site>, Call); 9] = [
    ("create, bare façade", None, Call::Create),
    ("create, anonymous", Some(Site::Anonymous), Call::Create),
    ("create, anonymous, log off", Some(Site::Silent), Call::Create),
    ("create, all on", Some(Site::AllOn), Call::Create),
    ("page, bare façade", None, Call::List),
    ("page, anonymous", Some(Site::Anonymous), Call::List),
    ("page, all on", Some(Site::AllOn), Call::List),
    (
        "inbound stack alone, anonymous",
        Some(Site::Anonymous),
        Call::Check,
    ),
    ("inbound stack alone, all on", Some(Site::AllOn), Call::Check),
];

#[derive(Clone, Copy)]
enum Call {
    Create,
    /// A list of [`PAGES`].
    List,
    /// A health check, which passes the inbound stack and nothing else.
    Check,
}

impl Call {
    fn work(self) -> Work {
        match self {
            Self::Create => Work::Create,
            Self::List => Work::Walk(Walk::of(PAGES)),
            Self::Check => Work::Check,
        }
    }

    fn pages(self) -> u64 {
        match self {
            Self::List => PAGES,
            Self::Create | Self::Check => 1,
        }
    }
}

/// Parts of a call that this program does alone: a name, that of the part, and how often it is done.
const PARTS: [(&str, &str, u32); 3] = [
    ("policies alone, of a create", "policies", 10_000),
    ("conversion of a page alone", "page", part::PAGES),
    ("conversion of a shared page alone", "shared-page", part::PAGES),
];

/// Its command line.
pub(crate) fn command() -> clap::Command {
    clap::Command::new("instructions")
        .about("Counts instructions per call with callgrind")
        .arg(
            Arg::new("check")
                .long("check")
                .help("Fail if a figure is not within 3 % of the one in this file"),
        )
        .arg(
            Arg::new("record")
                .long("record")
                .help("Write the figures into this file"),
        )
        .arg(
            Arg::new("only")
                .long("only")
                .help("Count only what has this in its name")
                .action(ArgAction::Append),
        )
        .arg(
            Arg::new("profile")
                .long("profile")
                .value_parser(value_parser!(PathBuf))
                .help("Keep the outputs of callgrind in this folder; they include the start of the service"),
        )
}

/// Counts, prints, and compares.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), String> {
    let only: Vec<_> = matches.get_many::<String>("only").into_iter().flatten().collect();
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part.as_str()));
    let around = Surroundings::start()?;
    let profile = matches.get_one::<PathBuf>("profile");
    let mut counted = BTreeMap::new();
    for (name, site, call) in KINDS.into_iter().filter(|(name, ..)| is_wanted(name)) {
        let folder = profile.map_or(around.folder.path(), PathBuf::as_path);
        let folder = folder.join(name.replace([' ', ','], "-"));
        let instructions = count(&around, &folder, site, call, profile.is_none())?;
        let price = instructions as f64 / (CALLS as f64 * call.pages() as f64);
        println!("{name}: {:.0} k", price / 1e3);
        counted.insert(name.to_owned(), price.round());
    }
    for (name, part, times) in PARTS.into_iter().filter(|(name, ..)| is_wanted(name)) {
        let counts = [0, times].map(|times| count_part(around.folder.path(), part, times));
        let [before, after] = counts;
        let price = (after? - before?) as f64 / f64::from(times);
        println!("{name}: {:.1} k", price / 1e3);
        counted.insert(name.to_owned(), price.round());
    }
    if let Some(path) = matches.get_one::<String>("record") {
        let text = serde_json::to_string_pretty(&counted).map_err(|error| error.to_string())?;
        fs::write(path, text + "\n").map_err(|error| format!("{path}: {error}"))?;
    }
    match matches.get_one::<String>("check") {
        Some(path) => check(path, &counted),
        None => Ok(()),
    }
}

/// How many instructions a service takes for [`CALLS`] calls; with `is_exact`, without those before. callgrind
/// then no longer knows which function called which.
fn count(
    around: &Surroundings,
    folder: &Path,
    site: Option<Site>,
    call: Call,
    is_exact: bool,
) -> Result<u64, String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let Surroundings {
        upstream, collector, ..
    } = around;
    let output = folder.join("callgrind.out");
    let valgrind = [
        "valgrind".to_owned(),
        "--tool=callgrind".to_owned(),
        "--quiet".to_owned(),
        format!("--callgrind-out-file={}", output.display()),
    ];
    let Service { process, target } = match site {
        Some(site) => site.start(folder, upstream, collector, &valgrind)?,
        None => Service::facade(upstream, &valgrind)?,
    };
    let target: Vec<_> = target.iter().map(String::as_str).collect();
    let mut callers = Callers::start(&target)?;
    let mut make = |calls| {
        callers.succeed(Order {
            work: call.work(),
            at_once: 1,
            until: Until::Calls(calls),
        })
    };
    make(WARM_UP)?;
    if is_exact {
        tell(&process, "zero")?;
    }
    make(CALLS)?;
    tell(&process, "dump")?;
    // The first dump; the second is made when the process ends.
    total(&output.with_extension("out.1"))
}

/// How many instructions this program takes to do a part so many times, with its start.
fn count_part(folder: &Path, part: &str, times: u32) -> Result<u64, String> {
    let output = folder.join("part.out");
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .arg(this)
        .args(["part", part, "--times", &times.to_string()])
        .status();
    let status = status.map_err(|error| format!("valgrind: {error}"))?;
    match status.success() {
        true => total(&output),
        false => Err(format!("{part}: {status}")),
    }
}

/// Tells callgrind within this process to do something.
fn tell(process: &Process, command: &str) -> Result<(), String> {
    let mut vgdb = Command::new("vgdb");
    let output = vgdb.arg(format!("--pid={}", process.id())).arg(command).output();
    let output = output.map_err(|error| format!("vgdb: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("vgdb: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// The sum of an output of callgrind.
fn total(output: &Path) -> Result<u64, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", output.display());
    let text = fs::read_to_string(output).map_err(failed)?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    let total = line.and_then(|line| line.trim().parse().ok());
    total.ok_or_else(|| format!("{} has no sum", output.display()))
}

fn check(path: &str, counted: &BTreeMap<String, f64>) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let recorded: BTreeMap<String, f64> =
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    let mut faults = Vec::new();
    for (name, now) in counted {
        match recorded.get(name) {
            None => faults.push(format!("{name} is not in {path}")),
            Some(before) if (now / before - 1.0).abs() > TOLERANCE => {
                faults.push(format!("{name}: {now:.0} instructions, recorded {before:.0}"));
            }
            Some(_) => {}
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!(
        "instructions per call have changed by more than 3 %: {}. If this is meant, record the new \
         figures with `tapegate-cost instructions --record {path}` and say why in the commit",
        faults.join("; ")
    ))
}
