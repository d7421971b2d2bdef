//! What it takes until the service serves: time, memory, and the size of the program.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use clap::{ArgMatches, Command};
use tokio::runtime::Handle;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    bounds::{self, Figures},
    participant::Surroundings,
    report::median,
    site::{Site, program},
    target::connect,
};

/// How often the service is started.
const STARTS: usize = 11;

/// Its command line.
pub(crate) fn command() -> Command {
    Command::new("starts")
        .about("Measures how soon the service serves, its memory when idle, and its size")
        .arg(bounds::argument())
}

/// Asks `grpc.health.v1` until it says SERVING.
async fn wait_until_serving(target: &[String]) -> Result<(), String> {
    let value = |name: &str| {
        let place = target.iter().position(|argument| argument == name)?;
        target.get(place + 1).map(String::as_str)
    };
    let address = value("--grpc").ok_or("the service has no address")?;
    let mut client = HealthClient::new(connect(address, value("--ca")).await?);
    loop {
        let answer = client.check(HealthCheckRequest::default()).await;
        let answer = answer.map_err(|status| status.to_string())?.into_inner();
        if answer.status() == ServingStatus::Serving {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Measures and prints.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), String> {
    let around = Surroundings::start()?;
    let bytes = fs::metadata(program()?).map_err(|error| error.to_string())?.len();
    let program = bytes as f64 / 1024.0 / 1024.0;
    println!("program: {program:.1} MiB");
    let mut figures = Figures::from([("program, MiB".to_owned(), program)]);
    println!("| | serving after, ms | memory when idle, MiB |\n|---|---|---|");
    for (name, site) in [("anonymous", Site::Anonymous), ("all on", Site::AllOn)] {
        let (mut times, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let began = Instant::now();
            let service = site.start(around.folder.path(), &around.upstream, &around.collector, &[])?;
            Handle::current().block_on(wait_until_serving(&service.target))?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
            thread::sleep(Duration::from_millis(300));
            memory.push(service.process.memory("VmRSS")? as f64 / 1024.0);
        }
        let (time, memory) = (median(times.into_iter()), median(memory.into_iter()));
        println!("| {name} | {time:.1} | {memory:.1} |");
        figures.insert(format!("serving after, {name}, ms"), time);
        figures.insert(format!("memory when idle, {name}, MiB"), memory);
    }
    bounds::check("starts", matches, &figures)
}
