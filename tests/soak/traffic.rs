//! An hour of traffic in compressed time: several callers, two replicas with one account, and
//! outages. The test checks every invariant against every response.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fastrand::Rng;
use futures_util::{TryStreamExt, future::join_all};
use serde_json::{Value, json};
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest, DescribeTapesRequest,
    ListTapesRequest, tape_service_client::TapeServiceClient,
};
use tapegate_emulator::Settings;
use tokio::time::sleep;
use tonic::{Code, Request, Status, transport::Channel};

use crate::{
    harness::{GATEWAY, SIZE, refusal, tape_arn},
    idempotency::{
        account::Account,
        link::{Link, State},
        replica::Replica,
        setting,
    },
};

/// An hour, in calls: ten a second.
const HOUR: u64 = 36_000;

const CALLERS: u64 = 32;

const FLAGS: [&str; 8] = [
    "--retry-base=10ms",
    "--retry-cap=100ms",
    "--pace-floor=20",
    "--upstream-connect-timeout=200ms",
    "--upstream-create-timeout=700ms",
    "--upstream-attempt-timeout=500ms",
    // A call is asked for again at the end of it all.
    "--create-resend-window=24h",
    "--create-clock-skew=1m",
];

/// A service, and its own way to the account.
struct Site {
    link: Link,
    replica: Replica,
    /// Its tasks when nobody calls.
    idle: usize,
}

/// What somebody wants made, and what came of it.
#[derive(Clone, Debug)]
struct Create {
    wanted: Wanted,
    /// The tapes that a caller was told were made.
    made: Option<BTreeSet<String>>,
    /// Whether the only call for it was told that it has come to nothing.
    is_not_applied: bool,
}

#[derive(Clone, Debug)]
enum Wanted {
    Tape(String),
    Tapes { prefix: String, count: i32 },
}

/// What all callers have in common.
struct Town {
    sites: [Site; 2],
    account: Account,
    left: AtomicU64,
    over: AtomicBool,
    /// The tapes that are known to be there.
    known: Mutex<BTreeSet<String>>,
    archive: BTreeSet<String>,
    creates: Mutex<Vec<Create>>,
    told: Mutex<BTreeMap<String, u64>>,
    wrong: Mutex<Vec<String>>,
}

type Client = TapeServiceClient<Channel>;

impl Town {
    async fn new(calls: u64) -> Self {
        let account = Account::new(Settings {
            seed_tapes: 300,
            tapes_per_library: usize::MAX / 2,
            time_scale: 10,
            ..Settings::default()
        });
        let account = account.await;
        let archives = account
            .client()
            .describe_tape_archives()
            .into_paginator()
            .items()
            .send();
        let archives = archives.collect::<Result<Vec<_>, _>>().await.unwrap();
        let library = account.library().await;
        let arn = |arn: Option<&str>| arn.unwrap().to_owned();
        let site = async || {
            let link = Link::to(&account.endpoint).await;
            let replica = Replica::start(&link.endpoint(), &FLAGS).await;
            // What one call leaves in place for the next ones is no leak.
            let page = replica.connect().list_tapes(ListTapesRequest::default()).await;
            rows(page.unwrap().into_inner().map_ok(|page| page.tape_infos))
                .await
                .unwrap();
            link.set(State::Refusing);
            sleep(Duration::from_millis(200)).await;
            let idle = replica.tasks();
            link.set(State::Open);
            Site { link, replica, idle }
        };
        Self {
            sites: [site().await, site().await],
            left: AtomicU64::new(calls),
            over: AtomicBool::new(false),
            known: Mutex::new(library.iter().map(|tape| arn(tape.tape_arn())).collect()),
            archive: archives.iter().map(|tape| arn(tape.tape_arn())).collect(),
            creates: Mutex::default(),
            told: Mutex::default(),
            wrong: Mutex::default(),
            account,
        }
    }

    /// A clear sky, or something wrong with the account or with the way to it, for a while.
    async fn weather(&self, mut rng: Rng) -> BTreeMap<&'static str, u32> {
        let mut seen = BTreeMap::new();
        while !self.over.load(Ordering::SeqCst) {
            let link = &self.sites[rng.usize(..2)].link;
            let name = match rng.u8(..12) {
                0 => {
                    link.set(State::Refusing);
                    "outage of one way"
                }
                1 => {
                    self.sites.iter().for_each(|site| site.link.set(State::Refusing));
                    "outage"
                }
                2 => {
                    link.set(State::Silent);
                    "partition"
                }
                3..=6 => {
                    let rules: Vec<Value> = (0..rng.u8(1..4)).map(|_| rule(&mut rng)).collect();
                    self.account.faults(&json!(rules)).await;
                    "faults"
                }
                _ => "clear",
            };
            *seen.entry(name).or_default() += 1;
            sleep(Duration::from_millis(rng.u64(30..300))).await;
            self.clear().await;
        }
        seen
    }

    async fn clear(&self) {
        self.sites.iter().for_each(|site| site.link.set(State::Open));
        self.account.faults(&json!([])).await;
    }

    async fn caller(&self, number: u64, mut rng: Rng) {
        let clients = [0, 1].map(|site| self.sites[site].replica.connect());
        let mut serial = number;
        while self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
        {
            match rng.u8(..100) {
                0..12 => {
                    serial += CALLERS;
                    self.create(&clients, serial, &mut rng).await;
                }
                kind => self.read(&clients[rng.usize(..2)], kind, &mut rng).await,
            }
        }
    }

    /// Asks for something to be made, and goes on asking for a while when it may not have been.
    async fn create(&self, clients: &[Client; 2], serial: u64, rng: &mut Rng) {
        let mut create = Create {
            wanted: match rng.bool() {
                true => Wanted::Tape(format!("9{serial:07}")),
                false => Wanted::Tapes {
                    prefix: prefix(serial),
                    count: rng.i32(1..4),
                },
            },
            made: None,
            is_not_applied: false,
        };
        for call in 0..3 {
            let client = &clients[rng.usize(..2)];
            match self.make(client, &create.wanted, call > 0, time(rng)).await {
                Ok(made) => {
                    self.known.lock().unwrap().extend(made.iter().cloned());
                    create.made = Some(made);
                    break;
                }
                Err(outcome) => {
                    create.is_not_applied = call == 0 && outcome.as_deref() == Some("not_applied");
                }
            }
            if rng.bool() {
                break;
            }
        }
        self.creates.lock().unwrap().push(create);
    }

    /// The tapes, or what the create has come to, as far as the caller was told.
    async fn make(
        &self,
        client: &Client,
        wanted: &Wanted,
        is_repeat: bool,
        timeout: Duration,
    ) -> Result<BTreeSet<String>, Option<String>> {
        let mut client = client.clone();
        let began = Instant::now();
        let answer = match wanted.clone() {
            Wanted::Tape(tape_barcode) => {
                let tape = CreateTapeWithBarcodeRequest {
                    gateway_arn: GATEWAY.into(),
                    tape_size_in_bytes: SIZE,
                    tape_barcode,
                    ..Default::default()
                };
                let answer = client
                    .create_tape_with_barcode(request(tape, is_repeat, timeout))
                    .await;
                answer.map(|answer| BTreeSet::from([answer.into_inner().tape_arn]))
            }
            Wanted::Tapes { prefix, count } => {
                let tapes = CreateTapesRequest {
                    gateway_arn: GATEWAY.into(),
                    tape_size_in_bytes: SIZE,
                    client_token: format!("token-of-{prefix}"),
                    num_tapes_to_create: count,
                    tape_barcode_prefix: prefix,
                    ..Default::default()
                };
                let answer = client.create_tapes(request(tapes, is_repeat, timeout)).await;
                answer.map(|answer| answer.into_inner().tape_arns.into_iter().collect())
            }
        };
        self.ended("create", answer.as_ref().err(), began, timeout);
        answer.map_err(|status| {
            let told = !status.details().is_empty();
            told.then(|| refusal(&status).metadata.get("outcome").cloned())
                .flatten()
        })
    }

    /// Asks until it is made, which it has to be soon when nothing is in the way.
    async fn make_at_last(&self, client: &Client, wanted: &Wanted) -> BTreeSet<String> {
        let mut told = None;
        for _ in 0..200 {
            match self.make(client, wanted, true, Duration::from_secs(10)).await {
                Ok(made) => return made,
                Err(outcome) => told = outcome,
            }
            sleep(Duration::from_millis(20)).await;
        }
        self.wrong(format!("{wanted:?} cannot be made: {told:?}"));
        BTreeSet::new()
    }

    async fn read(&self, client: &Client, kind: u8, rng: &mut Rng) {
        let (mut client, began, timeout) = (client.clone(), Instant::now(), time(rng));
        let some = self.some_known(rng);
        let limit = rng.u32(5..60);
        let asked = match kind {
            12..40 => {
                let wanted = ListTapesRequest {
                    tape_arns: some.iter().cloned().collect(),
                    limit: rng.i32(1..20),
                    ..Default::default()
                };
                let rows = match client.list_tapes(request(wanted, false, timeout)).await {
                    Ok(pages) => rows(pages.into_inner().map_ok(|page| page.tape_infos)).await,
                    Err(status) => Err(status),
                };
                (
                    "ListTapes of some",
                    rows.map(|rows| arns(rows, |row| row.tape_arn)),
                    Should::Be(some),
                )
            }
            40..68 => {
                let wanted = DescribeTapesRequest {
                    gateway_arn: GATEWAY.into(),
                    tape_arns: some.iter().cloned().collect(),
                    limit: rng.i32(1..20),
                    ..Default::default()
                };
                let rows = match client.describe_tapes(request(wanted, false, timeout)).await {
                    Ok(pages) => rows(pages.into_inner().map_ok(|page| page.tapes)).await,
                    Err(status) => Err(status),
                };
                (
                    "DescribeTapes of some",
                    rows.map(|rows| arns(rows, |row| row.tape_arn)),
                    Should::Be(some),
                )
            }
            68..98 => {
                let wanted = DescribeTapeArchivesRequest {
                    limit: i32::try_from(limit / 10 * 10).unwrap(),
                    ..Default::default()
                };
                let rows = match client
                    .describe_tape_archives(request(wanted, false, timeout))
                    .await
                {
                    Ok(pages) => rows(pages.into_inner().map_ok(|page| page.tape_archives)).await,
                    Err(status) => Err(status),
                };
                let archive = self.archive.clone();
                (
                    "DescribeTapeArchives",
                    rows.map(|rows| arns(rows, |row| row.tape_arn)),
                    Should::Be(archive),
                )
            }
            _ => {
                let known = self.known.lock().unwrap().clone();
                let wanted = ListTapesRequest {
                    limit: 500,
                    ..Default::default()
                };
                let mut wanted = request(wanted, false, timeout);
                // Of what another replica made, a shared page may not know yet.
                wanted
                    .metadata_mut()
                    .insert("cache-control", "no-cache".parse().unwrap());
                let rows = match client.list_tapes(wanted).await {
                    Ok(pages) => rows(pages.into_inner().map_ok(|page| page.tape_infos)).await,
                    Err(status) => Err(status),
                };
                (
                    "ListTapes",
                    rows.map(|rows| arns(rows, |row| row.tape_arn)),
                    Should::Hold(known),
                )
            }
        };
        let (name, rows, should) = asked;
        self.ended(name, rows.as_ref().err(), began, timeout);
        let Ok(rows) = rows else { return };
        let is_whole = match &should {
            Should::Be(all) => rows.as_ref() == Some(all),
            Should::Hold(all) => rows.as_ref().is_some_and(|rows| rows.is_superset(all)),
        };
        if !is_whole {
            self.wrong(format!(
                "{name}: not whole, or a tape twice: {rows:?} of {should:?}"
            ));
        }
    }

    fn some_known(&self, rng: &mut Rng) -> BTreeSet<String> {
        let known = self.known.lock().unwrap();
        let start = rng.usize(..known.len());
        known.iter().skip(start).step_by(7).take(20).cloned().collect()
    }

    /// Counts how a call ended; it has to be in time, and an error with its reason.
    fn ended(&self, name: &str, error: Option<&Status>, began: Instant, timeout: Duration) {
        let took = began.elapsed();
        // What this machine takes to say so is not the service's time.
        if took > timeout + Duration::from_secs(2) {
            self.wrong(format!("{name} took {took:?} of {timeout:?}"));
        }
        let how = match error {
            None => "OK".to_owned(),
            // The client's own timer.
            Some(status) if status.details().is_empty() => match status.code() {
                Code::Cancelled | Code::DeadlineExceeded => "not told".to_owned(),
                _ => {
                    self.wrong(format!("{name}: no details: {status:?}"));
                    return;
                }
            },
            Some(status) => refusal(status).reason,
        };
        *self.told.lock().unwrap().entry(how).or_default() += 1;
    }

    fn wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    /// When the sky is clear again, whatever may have been made is asked for once more, and is
    /// then made; and nothing was made that nobody asked for, nor twice.
    async fn settle(&self) -> usize {
        let client = self.sites[0].replica.connect();
        let creates = self.creates.lock().unwrap().clone();
        // Not applied means: not now, and not later either.
        let library = self.account.library().await;
        let is_there = |wanted: &Wanted| {
            let starts = |arn: &str| arn.starts_with(&tape_arn(wanted.prefix()));
            library.iter().any(|tape| starts(tape.tape_arn().unwrap()))
        };
        for create in &creates {
            if create.is_not_applied && create.made.is_none() && is_there(&create.wanted) {
                self.wrong(format!("not applied, and there is a tape: {create:?}"));
            }
        }
        let mut all = BTreeMap::new();
        for create in creates {
            let made = match create.made {
                Some(made) => made,
                None => self.make_at_last(&client, &create.wanted).await,
            };
            all.insert(create.wanted.prefix().to_owned(), (create.wanted.count(), made));
        }
        let mut there: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for tape in self.account.library().await {
            let barcode = tape.tape_barcode().unwrap();
            // Seeded ones are TST…; those of a set are a prefix and six digits.
            let prefix = match barcode {
                seeded if seeded.starts_with("TST") => continue,
                own if own.starts_with('9') => own,
                set => &set[..4],
            };
            let arn = tape.tape_arn().unwrap().to_owned();
            there.entry(prefix.to_owned()).or_default().insert(arn);
        }
        let asked: BTreeMap<_, _> = all
            .iter()
            .map(|(prefix, (_, made))| (prefix.clone(), made.clone()))
            .collect();
        if there != asked {
            let differs: Vec<_> = there
                .iter()
                .filter(|(prefix, arns)| asked.get(*prefix) != Some(*arns))
                .collect();
            self.wrong(format!("what was made is not what was told: {differs:?}"));
        }
        for (prefix, (count, made)) in &all {
            if made.len() != *count {
                self.wrong(format!("{prefix}: {} tapes of {count}", made.len()));
            }
        }
        all.len()
    }
}

#[derive(Debug)]
enum Should {
    Be(BTreeSet<String>),
    Hold(BTreeSet<String>),
}

impl Wanted {
    fn prefix(&self) -> &str {
        match self {
            Self::Tape(barcode) => barcode,
            Self::Tapes { prefix, .. } => prefix,
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Tape(_) => 1,
            Self::Tapes { count, .. } => usize::try_from(*count).unwrap(),
        }
    }
}

/// Four letters, none like a seeded tape's.
fn prefix(serial: u64) -> String {
    let letter = |place: u32| char::from(b'A' + u8::try_from(serial / 19_u64.pow(place) % 19).unwrap());
    (0..4).map(letter).collect()
}

fn time(rng: &mut Rng) -> Duration {
    Duration::from_millis(rng.u64(1_000..5_000))
}

fn rule(rng: &mut Rng) -> Value {
    let when = if rng.bool() { "before" } else { "after" };
    let mut rule = match rng.u8(..10) {
        0 => json!({ "kind": "reset", "when": when }),
        1 => json!({ "kind": "truncated" }),
        2 => json!({ "kind": "hang", "when": when }),
        3 => json!({ "kind": "bad-gateway", "when": when }),
        4 => json!({ "kind": "throttle", "rate": 100, "burst": 20 }),
        5 => json!({ "kind": "latency", "min_ms": 10, "max_ms": 900, "when": when }),
        6 => json!({ "kind": "error", "code": "InternalServerError", "when": when }),
        7 => json!({ "kind": "error", "nested": "GatewayInternalError", "when": when }),
        8 => json!({ "kind": "error", "code": "ServiceUnavailable", "when": when }),
        _ => json!({ "kind": "malformed" }),
    };
    rule["share"] = rng.f64().into();
    rule["seed"] = rng.u32(..).into();
    rule
}

fn request<M>(message: M, is_repeat: bool, timeout: Duration) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    if is_repeat {
        request
            .metadata_mut()
            .insert("grpc-previous-rpc-attempts", 1.into());
    }
    request
}

async fn rows<T>(pages: impl TryStreamExt<Ok = Vec<T>, Error = Status>) -> Result<Vec<T>, Status> {
    pages.try_concat().await
}

/// The ARNs; `None` when one came twice.
fn arns<T>(rows: Vec<T>, arn: impl FnMut(T) -> String) -> Option<BTreeSet<String>> {
    let count = rows.len();
    let arns: BTreeSet<String> = rows.into_iter().map(arn).collect();
    (arns.len() == count).then_some(arns)
}

/// The tasks of a service when those of its calls have ended.
async fn tasks_left(replica: &Replica, idle: usize) -> usize {
    let began = Instant::now();
    while replica.tasks() > idle && began.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(10)).await;
    }
    replica.tasks()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures real time; tests/soak/run runs it"]
async fn every_invariant_holds_under_an_hour_of_traffic() {
    let seconds = setting("TAPEGATE_TRAFFIC_SECONDS", 60);
    let seed = setting("TAPEGATE_TRAFFIC_SEED", 1);
    let calls = HOUR * seconds / 3600;
    let town = Town::new(calls).await;
    let mut rng = Rng::with_seed(seed);
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| town.caller(number, rng.fork()))
        .collect();
    let callers = async {
        join_all(callers).await;
        town.over.store(true, Ordering::SeqCst);
    };
    let (weather, ()) = tokio::join!(town.weather(rng.fork()), callers);
    // What was sent before is then through, or has been given up.
    sleep(Duration::from_millis(1_000)).await;
    let creates = town.settle().await;

    let Town {
        sites, told, wrong, ..
    } = town;
    let (told, wrong) = (told.into_inner().unwrap(), wrong.into_inner().unwrap());
    println!(
        "{seconds} s of traffic from seed {seed}: {calls} calls, {creates} creates, {} wrong",
        wrong.len()
    );
    println!("weather: {weather:?}");
    println!("told: {told:?}");
    assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(5)].join("\n"));
    let not_told = told.get("not told").copied().unwrap_or_default();
    assert!(not_told * 50 <= calls, "{not_told} callers learned nothing");
    assert!(
        told["OK"] * 3 >= calls,
        "the weather was too bad to show anything"
    );

    for Site { link, replica, idle } in sites {
        // Connections that are kept for later are tasks too; the network ends them.
        link.set(State::Refusing);
        let left = tasks_left(&replica, idle).await;
        println!("tasks of a service: {idle} before, {left} after");
        assert!(left <= idle, "{left} tasks are left of {idle}");
        replica.stop().await;
    }
}
