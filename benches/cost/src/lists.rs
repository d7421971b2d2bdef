//! What lists cost: one that many callers walk over at once, one of a slow AWS, and one of a million tapes.

use std::{
    path::PathBuf,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use clap::Command;

use crate::{
    callers::{Order, Seen, Until},
    compare::{Participant, Started, requests},
    participant::{Surroundings, memory},
    processor_time::processor_time,
    report::median,
    target::{Walk, Work},
    upstream::TAPES,
};

/// Its command line.
pub(crate) fn command() -> Command {
    Command::new("lists").about("Measures walks: shared by many callers, of a slow AWS, of a million tapes")
}

/// Measures and prints.
pub(crate) fn run() -> Result<(), String> {
    let around = Surroundings::start()?;
    let started = Started {
        around: &around,
        peers: PathBuf::new(),
    };
    let (mut sdk, mut service) = (started.start("sdk")?, started.start("all-on")?);
    long(&mut service, &around.upstream)?;
    paced(&mut sdk, &mut service)?;
    shared(&mut sdk, &mut service, &around.upstream)
}

fn walk(participant: &mut Participant, walk: Walk, at_once: usize) -> Result<Seen, String> {
    let seen = participant.callers.order(Order {
        work: Work::Walk(walk),
        at_once,
        until: Until::Calls(at_once),
    })?;
    match seen.errors.first_key_value() {
        None => Ok(seen),
        Some((error, count)) => Err(format!("{count} walks failed: {error}")),
    }
}

/// The same list for 1 to 1,000 callers at once: with the SDK, with the service, and with the service where
/// each caller asks for responses of its own.
fn shared(sdk: &mut Participant, service: &mut Participant, upstream: &str) -> Result<(), String> {
    const PAGES: u64 = 50;
    println!(
        "| walks of the same list at once | by | requests to AWS | of one for each page and walk | CPU µs a tape | tapes a second of a processor |\n|---|---|---|---|---|---|"
    );
    let mut list = 0;
    for at_once in [1, 10, 100, 1000] {
        for (name, is_fresh, delay) in [
            ("sdk", false, 0),
            ("service, not shared", true, 0),
            ("service", false, 0),
            ("service, AWS takes 20 ms", false, 20),
        ] {
            let participant = if name == "sdk" { &mut *sdk } else { &mut *service };
            // The first round warms up.
            let mut figures = Vec::new();
            for round in 0..4 {
                list += 1;
                let before = (requests(upstream)?, participant.process().processor_time()?);
                let walked = Walk {
                    list: Some(list),
                    is_fresh,
                    delay,
                    ..Walk::of(PAGES)
                };
                let seen = walk(participant, walked, at_once)?;
                let processor = participant.process().processor_time()? - before.1;
                if round > 0 {
                    let asked = requests(upstream)? - before.0;
                    figures.push((asked, seen.messages, processor));
                }
            }
            let asked: u64 = figures.iter().map(|figure| figure.0).sum();
            let messages: u64 = figures.iter().map(|figure| figure.1).sum();
            let processor: f64 = figures.iter().map(|figure| figure.2.as_secs_f64()).sum();
            let tapes = (messages * TAPES) as f64;
            println!(
                "| {at_once} | {name} | {} | {:.1} % | {:.2} | {:.0} |",
                asked / figures.len() as u64,
                asked as f64 / messages as f64 * 100.0,
                processor / tapes * 1e6,
                tapes / processor
            );
        }
    }
    Ok(())
}

/// A list whose pages take 20 ms each.
fn paced(sdk: &mut Participant, service: &mut Participant) -> Result<(), String> {
    const PAGES: u64 = 100;
    const DELAY: u64 = 20;
    println!(
        "| {PAGES} pages of {DELAY} ms | ms | more than the sum of {DELAY} ms | first tape, ms |\n|---|---|---|---|"
    );
    for (name, participant) in [("sdk", sdk), ("service", service)] {
        let walked = Walk {
            delay: DELAY,
            ..Walk::of(PAGES)
        };
        // The first one warms up.
        let walks = (0..4).map(|_| walk(participant, walked, 1));
        let walks = walks.collect::<Result<Vec<_>, _>>()?;
        let time = median(walks[1..].iter().map(|seen| seen.micros[0] / 1e3));
        let first = median(walks[1..].iter().map(|seen| seen.first / 1e3));
        let sum = (PAGES * DELAY) as f64;
        println!(
            "| {name} | {time:.1} | {:.2} % | {first:.2} |",
            (time / sum - 1.0) * 100.0
        );
    }
    println!();
    Ok(())
}

/// A million tapes in one stream.
fn long(service: &mut Participant, upstream: &str) -> Result<(), String> {
    const PAGES: u64 = 10_000;
    const TENTH: u64 = PAGES / 10;
    walk(service, Walk::of(100), 1)?;
    let began = requests(upstream)?;
    let id = service.process().id();
    let idle = service.process().memory("VmRSS")?;
    let (stop, stopped) = mpsc::channel::<()>();
    let address = upstream.to_owned();
    // Looks at the service while the caller reads.
    let watch = thread::spawn(move || {
        let mut samples = Vec::new();
        loop {
            let processor = processor_time(id).unwrap_or_default();
            let asked = requests(&address).unwrap_or_default() - began;
            samples.push((asked, processor, memory(id, "VmRSS").unwrap_or_default()));
            if stopped.recv_timeout(Duration::from_millis(20)) != Err(mpsc::RecvTimeoutError::Timeout) {
                return samples;
            }
        }
    });
    let since = Instant::now();
    let seen = walk(service, Walk::of(PAGES), 1);
    let _ = stop.send(());
    let samples = watch.join().map_err(|_| "the watching thread panicked")?;
    seen?;
    let price = |from: u64, to: u64| {
        let at = |page: u64| samples.iter().find(|sample| sample.0 >= page).or(samples.last());
        let (from, to) = at(from).zip(at(to))?;
        let tapes = ((to.0 - from.0).max(1) * TAPES) as f64;
        Some((to.1 - from.1).as_secs_f64() * 1e6 / tapes)
    };
    let most = samples.iter().map(|sample| sample.2).max().unwrap_or_default();
    println!(
        "{} tapes in one stream: {:.1} s, CPU µs a tape {:.2} in the first tenth and {:.2} in the last, \
         memory idle {:.1} MiB, at most {:.1} MiB",
        PAGES * TAPES,
        since.elapsed().as_secs_f64(),
        price(0, TENTH).unwrap_or_default(),
        price(PAGES - TENTH, PAGES).unwrap_or_default(),
        idle as f64 / 1024.0,
        most as f64 / 1024.0,
    );
    println!();
    Ok(())
}
