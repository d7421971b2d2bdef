//! A simulation: some replicas, callers and AWS, on one network and under one clock. Everything that
//! happens follows from the seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use fastrand::Rng;
use rand::{SeedableRng, rngs::StdRng};
use tapegate_emulator::Credentials;
use tokio::sync::watch;
use turmoil::Sim;

use super::{
    aws::{self, Aws},
    caller::{Caller, Step},
    fault::{self, Fault, Kind, Link},
    history::{Event, History},
    library::{Asked, Library},
    replica::{self, Replica},
    wish::Wish,
};

/// How long faults happen.
const STORMY: Duration = Duration::from_secs(40);

/// When the callers must have ended.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// The step of the simulated clock. A message takes one or more.
const TICK: Duration = Duration::from_millis(20);

/// How long messages take between hosts.
const LATENCY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(30));

/// The keys that AWS accepts at first.
const KEYS: usize = 20;

/// What a simulation did.
pub struct Outcome {
    pub history: History,
    pub faults: Vec<Fault>,
    pub wishes: Vec<Wish>,
    /// The barcodes of the tapes that there are at the end.
    pub tapes: BTreeSet<String>,
    /// What did not end in time.
    pub unfinished: Vec<String>,
}

/// Runs the simulation of a seed.
pub fn run(seed: u64) -> Outcome {
    // What libraries draw: the first from libc, the second from fastrand.
    mad_turmoil::rand::set_rng(StdRng::seed_from_u64(seed));
    fastrand::seed(seed);
    let _clock = mad_turmoil::time::SimClocksGuard::init();
    let mut rng = Rng::with_seed(seed);
    let mut world = World::new(&mut rng, seed);
    world.run()
}

struct World {
    sim: Sim<'static>,
    history: History,
    aws: Aws,
    replicas: BTreeMap<String, Replica>,
    faults: Vec<Fault>,
    wishes: Vec<Wish>,
    calm: watch::Sender<bool>,
    next_key: usize,
}

fn key(number: usize) -> String {
    format!("AKIDSIMULATION{number:02}")
}

impl World {
    fn new(rng: &mut Rng, seed: u64) -> Self {
        let history = History::default();
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .tick_duration(TICK)
            .simulation_duration(2 * LIMIT)
            .min_message_latency(LATENCY.0)
            .max_message_latency(LATENCY.1)
            .tcp_capacity(4096)
            .enable_tokio_io()
            .enable_random_order()
            .build();
        let keys = (0..KEYS).map(|number| Credentials {
            access_key_id: key(number),
            secret_access_key: replica::SECRET.into(),
            session_token: None,
            account_id: None,
        });
        let aws = Aws::new(history.clone(), keys, seed);
        let serving = aws.clone();
        sim.host(aws::HOST, move || serving.clone().serve());

        let flags = flags(rng);
        let replicas: BTreeMap<_, _> = (0..rng.usize(2..=3))
            .map(|number| Replica::new(number, &key(number), &flags, history.clone()))
            .map(|replica| (replica.host.clone(), replica))
            .collect();
        for (host, replica) in &replicas {
            let replica = replica.clone();
            sim.host(host.as_str(), move || replica.clone().run());
        }
        let hosts: Vec<_> = replicas.keys().cloned().collect();
        let callers: Vec<_> = (0..rng.usize(2..=4))
            .map(|number| format!("caller-{number}"))
            .collect();
        let wishes: Vec<_> = (0..rng.usize(5..=11))
            .map(|number| Wish::new(number, (rng.u8(..3) == 0).then(|| rng.i32(1..=3))))
            .collect();
        let calm = watch::Sender::new(false);
        let next_call = Arc::<AtomicU64>::default();
        for (number, name) in callers.iter().enumerate() {
            let own = wishes.iter().skip(number).step_by(callers.len());
            let caller = Caller {
                replicas: hosts.len(),
                script: script(rng, &wishes),
                wishes: own.cloned().collect(),
                rng: rng.fork(),
            };
            let (name, hosts, next_call, history, rng, calm) = (
                name.clone(),
                hosts.clone(),
                next_call.clone(),
                history.clone(),
                rng.fork(),
                calm.subscribe(),
            );
            sim.client(name.clone(), async move {
                let library = Library::new(name, &hosts, next_call, history, rng);
                caller.run(library, calm).await
            });
        }
        let faults = fault::plan(rng, &hosts, &callers, STORMY);
        Self {
            next_key: replicas.len(),
            sim,
            history,
            aws,
            replicas,
            faults,
            wishes,
            calm,
        }
    }

    fn run(&mut self) -> Outcome {
        let mut unfinished = Vec::new();
        let mut changes: Vec<_> = self
            .faults
            .iter()
            .enumerate()
            .flat_map(|(number, fault)| [(fault.from, number, true), (fault.until, number, false)])
            .collect();
        changes.sort_by_key(|(at, ..)| *at);
        let mut changes = changes.into_iter().peekable();
        loop {
            let now = self.sim.elapsed();
            while let Some((_, number, begins)) = changes.next_if(|(at, ..)| *at <= now) {
                let fault = self.faults[number].clone();
                match begins {
                    true => self.begin(&fault),
                    false => self.end(&fault),
                }
            }
            if now >= STORMY && changes.peek().is_none() {
                self.calm.send_if_modified(|calm| !std::mem::replace(calm, true));
            }
            match self.sim.step() {
                Ok(true) => break,
                Ok(false) if now < LIMIT => {}
                Ok(false) => {
                    unfinished.push("the callers have not ended".to_owned());
                    break;
                }
                Err(error) => {
                    unfinished.push(format!("a host failed: {error}"));
                    break;
                }
            }
        }
        unfinished.extend(self.stop());
        Outcome {
            history: self.history.clone(),
            faults: self.faults.clone(),
            wishes: self.wishes.clone(),
            tapes: self.aws.tapes(),
            unfinished,
        }
    }

    /// Stops the replicas, which have nothing left to do. Returns those that go on.
    fn stop(&mut self) -> Vec<String> {
        for replica in self.replicas.values() {
            replica.stop();
        }
        let end = self.sim.elapsed() + replica::DRAIN;
        let hosts: Vec<_> = self.replicas.keys().cloned().collect();
        while self.sim.elapsed() < end && hosts.iter().any(|host| self.sim.is_host_running(host.as_str())) {
            if let Err(error) = self.sim.step() {
                return vec![format!("a host failed: {error}")];
            }
        }
        let mut running = hosts;
        running.retain(|host| self.sim.is_host_running(host.as_str()));
        running
            .into_iter()
            .map(|host| format!("{host} does not stop"))
            .collect()
    }

    fn begin(&mut self, fault: &Fault) {
        self.note(fault.to_string());
        match &fault.kind {
            Kind::Crash { replica } => self.sim.crash(replica.as_str()),
            Kind::Stop { replica } => self.replicas[replica].stop(),
            Kind::AwsCrash => self.sim.crash(aws::HOST),
            Kind::Rotate { replica } => self.aws.refuse(&self.replicas[replica].key()),
            Kind::Cut(Link(a, b)) => self.sim.partition(a.as_str(), b.as_str()),
            Kind::CutOneWay(Link(a, b)) => self.sim.partition_oneway(a.as_str(), b.as_str()),
            Kind::Hold(Link(a, b)) => self.sim.hold(a.as_str(), b.as_str()),
            Kind::Slow(Link(a, b), delay) => self.sim.set_link_latency(a.as_str(), b.as_str(), *delay),
            Kind::Lossy(Link(a, b), share) => {
                let share = f64::from(*share) / 100.0;
                self.sim.set_link_fail_rate(a.as_str(), b.as_str(), share);
            }
            Kind::Rules(rules) => self.aws.set_faults(rules),
        }
    }

    fn end(&mut self, fault: &Fault) {
        self.note(format!("no longer: {}", fault.kind));
        match &fault.kind {
            Kind::Crash { replica } | Kind::Stop { replica } => self.sim.bounce(replica.as_str()),
            Kind::AwsCrash => self.sim.bounce(aws::HOST),
            Kind::Rotate { replica } => {
                self.replicas[replica].set_key(&key(self.next_key));
                self.next_key += 1;
                self.sim.bounce(replica.as_str());
            }
            Kind::Cut(Link(a, b)) | Kind::CutOneWay(Link(a, b)) => self.sim.repair(a.as_str(), b.as_str()),
            Kind::Hold(Link(a, b)) => self.sim.release(a.as_str(), b.as_str()),
            Kind::Slow(Link(a, b), _) => self.sim.set_link_latency(a.as_str(), b.as_str(), LATENCY.1),
            Kind::Lossy(Link(a, b), _) => {
                self.sim.set_link_fail_rate(a.as_str(), b.as_str(), 0.0);
                self.sim.repair(a.as_str(), b.as_str());
            }
            Kind::Rules(_) => self.aws.set_faults(&[]),
        }
    }

    fn note(&self, what: String) {
        self.history.add_at(self.sim.elapsed(), Event::Fault(what));
    }
}

/// The settings of all replicas.
fn flags(rng: &mut Rng) -> Vec<String> {
    let attempts = rng.u8(1..=4);
    let timeout = rng.u8(1..=5);
    [
        "--upstream-connect-timeout=1s".to_owned(),
        format!("--upstream-attempt-timeout={timeout}s"),
        format!("--upstream-create-timeout={}s", timeout + rng.u8(0..=3)),
        format!("--retry-attempts={attempts}"),
        "--keepalive-interval=5s".to_owned(),
        "--keepalive-timeout=3s".to_owned(),
        "--create-resend-window=2m".to_owned(),
        "--create-clock-skew=1s".to_owned(),
        "--shutdown-delay=0s".to_owned(),
        "--shutdown-drain-timeout=5s".to_owned(),
    ]
    .into()
}

/// What a caller does in the midst of faults.
fn script(rng: &mut Rng, wishes: &[Wish]) -> Vec<Step> {
    let step = |rng: &mut Rng, asked| Step {
        pause: Duration::from_secs_f64(rng.f64() * 3.0),
        asked,
        deadline: Duration::from_secs([10, 20, 30][rng.usize(..3)]),
        patience: (rng.u8(..8) == 0).then(|| Duration::from_secs_f64(rng.f64() * 2.0)),
    };
    (0..rng.usize(5..=11))
        .map(|_| {
            let asked = match rng.u8(..5) {
                0 => Asked::List { is_fresh: rng.bool() },
                _ => Asked::Create(rng.choice(wishes).unwrap().clone()),
            };
            step(rng, asked)
        })
        .collect()
}
