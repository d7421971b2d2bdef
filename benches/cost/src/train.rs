//! Has the service do what services do most, and ends it gracefully. A program that was built with
//! `-C profile-generate` then writes what it did, for a build that is optimized for it.

use clap::ArgMatches;

use crate::{
    callers::{Order, Until},
    participant::{Callers, Surroundings},
    site::Site,
    target::{Walk, Work},
};

/// The calls of each kind.
const CALLS: usize = 2_000;

/// The pages of a list.
const PAGES: u64 = 5;

/// Its command line.
pub(crate) fn command() -> clap::Command {
    clap::Command::new("train")
        .about("Calls services of an instrumented program, and ends them so that they write their profiles")
}

/// Calls the service in each way that it is set up.
pub(crate) fn run(_: &ArgMatches) -> Result<(), String> {
    let around = Surroundings::start()?;
    for site in [Site::Anonymous, Site::AllOn, Site::Filtered] {
        let service = site.start(around.folder.path(), &around.upstream, &around.collector, &[])?;
        let target: Vec<_> = service.target.iter().map(String::as_str).collect();
        let mut callers = Callers::start(&target)?;
        for (work, calls) in [
            (Work::Create, CALLS),
            (Work::Walk(Walk::of(PAGES)), CALLS / 10),
            (Work::Describe, CALLS / 10),
            (Work::Check, CALLS / 10),
        ] {
            for at_once in [1, 8, 64] {
                callers.succeed(Order {
                    work,
                    at_once,
                    until: Until::Calls(calls),
                })?;
            }
        }
        drop(callers);
        service.process.end()?;
    }
    Ok(())
}
