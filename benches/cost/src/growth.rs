//! How cost grows with the number of agents: each has a connection, a token and one of 200 gateways in three
//! accounts.

use clap::Command;

use crate::{
    callers::{Order, Until},
    participant::{Callers, Surroundings},
    site::{Service, Site},
    target::Work,
};

/// How many agents there are, in turn.
const AGENTS: [usize; 6] = [1, 10, 100, 1000, 4000, 10_000];

/// How many calls are in progress at a time.
const AT_ONCE: usize = 8;

/// Its command line.
pub(crate) fn command() -> Command {
    Command::new("growth")
        .about("Measures creates of 1 to 10,000 agents on 200 gateways in three accounts, everything on")
}

/// Measures and prints.
pub(crate) fn run() -> Result<(), String> {
    let around = Surroundings::start()?;
    println!(
        "| agents | MiB after the start | MiB with their connections | MiB after the calls | CPU µs of the first create | CPU µs of a create |\n|---|---|---|---|---|---|"
    );
    for agents in AGENTS {
        let folder = around.folder.path().join(agents.to_string());
        let Service { process, target } =
            Site::ThreeAccounts.start_for(agents, &folder, &around.upstream, &around.collector, &[])?;
        let connections = agents.to_string();
        let mut target: Vec<_> = target.iter().map(String::as_str).collect();
        target.extend(["--connections", &connections]);
        let mib = || Ok::<_, String>(process.memory("VmRSS")? as f64 / 1024.0);
        let started = mib()?;
        let mut callers = Callers::start(&target)?;
        let connected = mib()?;
        let mut price = |calls| {
            let before = process.processor_time()?;
            callers.succeed(Order {
                work: Work::Create,
                at_once: AT_ONCE,
                until: Until::Calls(calls),
            })?;
            let took = process.processor_time()? - before;
            Ok::<_, String>(took.as_secs_f64() * 1e6 / calls as f64)
        };
        // Each agent once: its token is verified, and the decision about it made.
        let first = price(agents.max(AT_ONCE))?;
        let next = price(8000)?;
        println!(
            "| {agents} | {started:.1} | {connected:.1} | {:.1} | {first:.0} | {next:.0} |",
            mib()?
        );
    }
    Ok(())
}
