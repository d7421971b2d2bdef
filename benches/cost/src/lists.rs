//! What lists cost: one that many callers walk over at once, one of a slow AWS, and one of a million tapes.

use std::{
    path::PathBuf,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::{
    bounds::{self, Figures},
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
    let number = value_parser!(u64);
    Command::new("lists")
        .about("Measures walks: shared by many callers, of a slow AWS, of a million tapes")
        .arg(
            Arg::new("at-once")
                .long("at-once")
                .help("How many callers walk over the same list")
                .value_delimiter(',')
                .default_value("1,10,100,1000")
                .value_parser(number),
        )
        .arg(
            Arg::new("rounds")
                .long("rounds")
                .help("How often they do")
                .default_value("3")
                .value_parser(number.range(1..)),
        )
        .arg(bounds::argument())
}

/// Measures and prints.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), String> {
    let around = Surroundings::start()?;
    let started = Started {
        around: &around,
        peers: PathBuf::new(),
    };
    let (mut sdk, mut service) = (started.start("sdk")?, started.start("all-on")?);
    let mut figures = long(&mut service, &around.upstream)?;
    figures.append(&mut paced(&mut sdk, &mut service)?);
    let at_once: Vec<_> = matches
        .get_many("at-once")
        .into_iter()
        .flatten()
        .copied()
        .collect();
    let rounds = matches.get_one("rounds").copied().unwrap_or(1);
    figures.append(&mut shared(
        &mut sdk,
        &mut service,
        &around.upstream,
        &at_once,
        rounds,
    )?);
    bounds::check("lists", matches, &figures)
}

fn walk(participant: &mut Participant, walk: Walk, at_once: usize) -> Result<Seen, String> {
    participant.callers.succeed(Order {
        work: Work::Walk(walk),
        at_once,
        until: Until::Calls(at_once),
    })
}

/// The same list for 1 to 1,000 callers at once: with the SDK, with the service, and with the service where
/// each caller asks for responses of its own.
fn shared(
    sdk: &mut Participant,
    service: &mut Participant,
    upstream: &str,
    at_once: &[u64],
    rounds: u64,
) -> Result<Figures, String> {
    const PAGES: u64 = 50;
    println!(
        "| walks of the same list at once | by | requests to AWS | of one for each page and walk | CPU µs a tape | tapes a second of a processor |\n|---|---|---|---|---|---|"
    );
    let mut list = 0;
    let mut all = Figures::new();
    for &at_once in at_once {
        let mut of_sdk = f64::NAN;
        for (name, is_fresh, delay) in [
            ("sdk", false, 0),
            ("service, not shared", true, 0),
            ("service", false, 0),
            ("service, AWS takes 20 ms", false, 20),
        ] {
            let participant = if name == "sdk" { &mut *sdk } else { &mut *service };
            // The first round warms up.
            let mut figures = Vec::new();
            for round in 0..=rounds {
                list += 1;
                let before = (requests(upstream)?, participant.process().processor_time()?);
                let walked = Walk {
                    list: Some(list),
                    is_fresh,
                    delay,
                    ..Walk::of(PAGES)
                };
                let seen = walk(participant, walked, usize::try_from(at_once).unwrap_or(1))?;
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
            let (percent, per_second) = (asked as f64 / messages as f64 * 100.0, tapes / processor);
            println!(
                "| {at_once} | {name} | {} | {percent:.1} % | {:.2} | {per_second:.0} |",
                asked / figures.len() as u64,
                processor / tapes * 1e6,
            );
            if name == "sdk" {
                of_sdk = per_second;
            }
            let figure = |what: &str| format!("{at_once} at once, {name}, {what}");
            all.insert(figure("requests to AWS, %"), percent);
            all.insert(
                figure("tapes a second of a processor, of the SDK's"),
                per_second / of_sdk,
            );
        }
    }
    Ok(all)
}

/// A list whose pages take 20 ms each.
fn paced(sdk: &mut Participant, service: &mut Participant) -> Result<Figures, String> {
    const PAGES: u64 = 100;
    const DELAY: u64 = 20;
    println!(
        "| {PAGES} pages of {DELAY} ms | ms | more than the sum of {DELAY} ms | first tape, ms |\n|---|---|---|---|"
    );
    let mut figures = Vec::new();
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
        figures.push((time, first));
    }
    println!();
    let &[sdk, service] = &*figures else {
        return Err("not both were measured".to_owned());
    };
    Ok(Figures::from([
        (
            "100 pages of 20 ms, more than the SDK's, %".to_owned(),
            (service.0 / sdk.0 - 1.0) * 100.0,
        ),
        (
            "first tape, later than the SDK's, ms".to_owned(),
            service.1 - sdk.1,
        ),
    ]))
}

/// A million tapes in one stream.
fn long(service: &mut Participant, upstream: &str) -> Result<Figures, String> {
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
    let mib = |kib: u64| kib as f64 / 1024.0;
    let [first, last] = [price(0, TENTH), price(PAGES - TENTH, PAGES)].map(Option::unwrap_or_default);
    println!(
        "{} tapes in one stream: {:.1} s, CPU µs a tape {:.2} in the first tenth and {:.2} in the last, \
         memory idle {:.1} MiB, at most {:.1} MiB",
        PAGES * TAPES,
        since.elapsed().as_secs_f64(),
        first,
        last,
        mib(idle),
        mib(most),
    );
    println!();
    Ok(Figures::from([
        (
            "a million tapes, memory, MiB more than idle".to_owned(),
            mib(most) - mib(idle),
        ),
        (
            "a million tapes, CPU of the last tenth, of the first's".to_owned(),
            last / first,
        ),
    ]))
}
