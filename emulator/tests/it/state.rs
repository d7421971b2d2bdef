//! The state file: what a restart finds. A crash is a copy of the file as it lies on the disk;
//! the process that is really killed is in `tests/clients/process/test_state.py`.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use aws_sdk_storagegateway::{
    Client,
    types::{RetentionLockType, Tag, TapeStorageClass},
};
use futures_util::future::join_all;
use proptest::prelude::*;
use redb::{Database, TableDefinition};
use serde_json::Value;
use tapegate_emulator::{Emulator, Life, Settings, StateError};
use tempfile::TempDir;

use super::{GATEWAY, Running, SIZE, settings};

/// A folder that goes with the test, and a state file in it.
struct Place {
    folder: TempDir,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("emulator.redb");
        Self { folder, file }
    }

    fn open(&self, settings: Settings) -> Emulator {
        Emulator::with_state(settings, &self.file).unwrap()
    }

    /// What a start after a crash at this moment would find.
    fn crashed(&self, settings: Settings) -> Emulator {
        let copy = self.folder.path().join("crashed.redb");
        fs::copy(&self.file, &copy).unwrap();
        Emulator::with_state(settings, &copy).unwrap()
    }
}

/// The state, and its clock apart.
fn state(emulator: &Emulator) -> (Value, i64) {
    let mut document: Value = serde_json::from_slice(&emulator.snapshot()).unwrap();
    let clock = document["clock"].take().as_i64().unwrap();
    (document, clock)
}

fn refusal(settings: Settings, file: &Path) -> StateError {
    match Emulator::with_state(settings, file) {
        Ok(_) => panic!("{} was taken", file.display()),
        Err(error) => error,
    }
}

async fn create(client: &Client, barcode: String) -> bool {
    let create = client.create_tape_with_barcode().gateway_arn(GATEWAY);
    let create = create.tape_size_in_bytes(SIZE).tape_barcode(barcode);
    create.send().await.is_ok()
}

#[derive(Clone, Debug)]
enum Act {
    CreateMany(u8),
    Create,
    Tag,
    Pool,
    DeletePool,
    Assign(bool),
    Write,
    Eject,
    Retrieve,
    Delete,
    DeleteArchive,
    Step(u64),
}

/// A tape, by number, and what is done to it.
fn acts() -> impl Strategy<Value = Vec<(u8, Act)>> {
    let act = prop_oneof![
        2 => (0_u8..4).prop_map(Act::CreateMany),
        4 => Just(Act::Create),
        1 => Just(Act::Tag),
        1 => Just(Act::Pool),
        1 => Just(Act::DeletePool),
        2 => any::<bool>().prop_map(Act::Assign),
        1 => Just(Act::Write),
        4 => Just(Act::Eject),
        2 => Just(Act::Retrieve),
        2 => Just(Act::Delete),
        1 => Just(Act::DeleteArchive),
        4 => proptest::sample::select(vec![1, 300, 5 * 3600, 12 * 3600]).prop_map(Act::Step),
    ];
    proptest::collection::vec((0_u8..5, act), 1..40)
}

/// Does it. Whether the emulator lets it is its own affair.
async fn act(emulator: &Running, client: &Client, tape: u8, act: Act) {
    let arn = format!("arn:aws:storagegateway:us-east-1:123456789012:tape/STATE{tape}");
    let pools = client.list_tape_pools().send().await.unwrap();
    let pool = pools.pool_infos().first().and_then(|pool| pool.pool_arn());
    match act {
        Act::CreateMany(token) => {
            let tag = Tag::builder().key("team").value("größe").build().unwrap();
            let many = client
                .create_tapes()
                .gateway_arn(GATEWAY)
                .tape_size_in_bytes(SIZE);
            let many = many.client_token(format!("token-{token}")).tags(tag);
            drop(
                many.num_tapes_to_create(3)
                    .tape_barcode_prefix("MANY")
                    .send()
                    .await,
            );
        }
        Act::Create => drop(create(client, format!("STATE{tape}")).await),
        Act::Tag => {
            let tag = Tag::builder().key(arn.clone()).value("").build().unwrap();
            drop(
                client
                    .add_tags_to_resource()
                    .resource_arn(GATEWAY)
                    .tags(tag)
                    .send()
                    .await,
            );
        }
        Act::Pool => {
            let pool = client.create_tape_pool().pool_name("Kept");
            let pool = pool.storage_class(TapeStorageClass::DeepArchive);
            let pool = pool.retention_lock_type(RetentionLockType::Compliance);
            drop(pool.retention_lock_time_in_days(1).send().await);
        }
        Act::DeletePool => {
            drop(
                client
                    .delete_tape_pool()
                    .set_pool_arn(pool.map(Into::into))
                    .send()
                    .await,
            );
        }
        Act::Assign(custom) => {
            let id = pool.filter(|_| custom).and_then(|arn| arn.rsplit('/').next());
            let assign = client.assign_tape_pool().tape_arn(arn);
            drop(assign.pool_id(id.unwrap_or("DEEP_ARCHIVE")).send().await);
        }
        Act::Write => drop(emulator.emulator.write(&arn, 3 << 30)),
        Act::Eject => drop(emulator.emulator.eject(&arn)),
        Act::Retrieve => {
            let retrieve = client.retrieve_tape_archive().tape_arn(arn);
            drop(retrieve.gateway_arn(GATEWAY).send().await);
        }
        Act::Delete => {
            let delete = client.delete_tape().gateway_arn(GATEWAY);
            drop(delete.tape_arn(arn).send().await);
        }
        Act::DeleteArchive => drop(client.delete_tape_archive().tape_arn(arn).send().await),
        Act::Step(seconds) => emulator.emulator.step(Duration::from_secs(seconds)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(24)))]

    #[test]
    fn whatever_was_done_is_there_after_a_crash_an_orderly_end_and_in_a_snapshot(acts in acts()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let settings = || Settings {
                time_scale: 0,
                seed_tapes: 17,
                life: Life { creating_time: Duration::from_secs(2), ..Life::default() },
                ..settings()
            };
            let running = Running::serving(place.open(settings())).await;
            let client = running.client();
            for (tape, one) in acts {
                act(&running, &client, tape, one).await;
            }
            running.emulator.flush().await.unwrap();
            let left = state(&running.emulator);

            let again = Emulator::new(settings());
            again.restore(&running.emulator.snapshot()).unwrap();
            assert_eq!(state(&again), left, "restored from the snapshot");

            // The clock stands, so nothing becomes due by the restart but by its own time,
            // which a clock that was stepped is ahead of.
            let crashed = place.crashed(settings());
            running.emulator.close();
            let restarted = place.open(settings());
            for (found, how) in [(crashed, "crashed"), (restarted, "ended")] {
                let clock = state(&found).1;
                assert!(clock >= left.1, "{how}: {clock} after {}", left.1);
                again.restore(&running.emulator.snapshot()).unwrap();
                again.step(Duration::from_millis(u64::try_from(clock - left.1).unwrap()));
                assert_eq!(state(&found), state(&again), "{how}");
            }
        });
    }
}

/// Creates of so many callers at once, one after the other each, and how many there were in
/// a second.
async fn creates(emulator: &Running, callers: usize, each: usize) -> f64 {
    let started = Instant::now();
    let streams = (0..callers).map(|caller| async move {
        let client = emulator.client();
        for n in 0..each {
            assert!(create(&client, format!("AT{callers:03}X{caller:03}X{n:03}")).await);
        }
    });
    join_all(streams).await;
    (callers * each) as f64 / started.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_creates_are_all_saved_before_they_are_answered() {
    let place = Place::new();
    let settings = || Settings {
        seed_tapes: 0,
        ..settings()
    };
    let kept = Running::serving(place.open(settings())).await;
    let in_memory = Running::start(settings()).await;
    for callers in [1, 32] {
        let (kept, in_memory) = (
            creates(&kept, callers, 20).await,
            creates(&in_memory, callers, 20).await,
        );
        println!("{callers} callers: {kept:.0} creates a second with a state file, {in_memory:.0} in memory");
    }
    let found = state(&place.crashed(settings())).0;
    let barcodes = |state: &Value| {
        let tapes = state["regions"]["us-east-1"]["tapes"].as_object().unwrap();
        tapes.keys().cloned().collect::<Vec<_>>()
    };
    let made = barcodes(&state(&in_memory.emulator).0);
    assert_eq!(made.len(), 33 * 20);
    assert_eq!(barcodes(&found), made);
}

#[tokio::test]
async fn the_time_shown_is_never_later_than_that_of_a_restart() {
    for time_scale in [0, 1, 1_000_000] {
        let place = Place::new();
        let settings = || Settings {
            time_scale,
            ..settings()
        };
        let emulator = place.open(settings());
        emulator.step(Duration::from_secs(86_400));
        for _ in 0..3 {
            let shown = state(&emulator).1;
            emulator.flush().await.unwrap();
            let found = state(&place.crashed(settings())).1;
            assert!(found >= shown, "{found} after {shown} at {time_scale}");
        }
        let shown = state(&emulator).1;
        emulator.close();
        assert!(state(&place.open(settings())).1 >= shown, "at {time_scale}");
    }
}

#[tokio::test]
async fn an_existing_file_is_not_seeded_but_a_reset_seeds_it() {
    let place = Place::new();
    let with = |seed_tapes| Settings {
        seed_tapes,
        ..settings()
    };
    let first = place.open(with(3));
    let info = first.state_file().unwrap().clone();
    assert_eq!((info.tapes, info.is_new), (3, true));
    drop(first);

    let second = place.open(with(20));
    let info = second.state_file().unwrap().clone();
    assert_eq!((info.tapes, info.is_new), (3, false));
    second.reset();
    second.flush().await.unwrap();
    let fresh = state(&Emulator::new(with(20))).0;
    assert_eq!(state(&second).0, fresh);
    assert_eq!(state(&place.crashed(with(3))).0, fresh);
}

#[tokio::test]
async fn an_empty_file_and_a_file_of_a_killed_first_start_are_made_anew() {
    let place = Place::new();
    let unfinished = place.folder.path().join("emulator.redb.new");
    fs::write(&place.file, "").unwrap();
    fs::write(&unfinished, "half of something").unwrap();
    let info = place.open(settings()).state_file().unwrap().clone();
    assert_eq!((info.tapes, info.is_new), (250, true));
    assert!(!unfinished.exists());
}

#[tokio::test]
async fn files_that_are_not_the_state_are_rejected_and_unchanged() {
    let place = Place::new();
    let emulator = place.open(settings());
    assert!(matches!(refusal(settings(), &place.file), StateError::InUse));
    emulator.close();

    let other = Settings {
        account_id: "999999999999".to_owned(),
        ..settings()
    };
    let error = refusal(other, &place.file).to_string();
    assert!(
        error.contains("123456789012") && error.contains("999999999999"),
        "{error}"
    );

    let at = |name: &str| place.folder.path().join(name);
    fs::write(at("text"), "not a database").unwrap();
    let error = refusal(settings(), &at("text"));
    assert!(matches!(error, StateError::Foreign(_)), "{error}");
    assert_eq!(fs::read(at("text")).unwrap(), b"not a database");

    for (name, table, about) in [
        ("foreign", "other", r"{}"),
        ("newer", "about", r#"{"format": 2, "more": []}"#),
        (
            "damaged",
            "about",
            r#"{"format": 1, "account_id": "123456789012"}"#,
        ),
    ] {
        let database = Database::create(at(name)).unwrap();
        let transaction = database.begin_write().unwrap();
        let definition = TableDefinition::<&str, &[u8]>::new(table);
        let mut open = transaction.open_table(definition).unwrap();
        open.insert("state", about.as_bytes()).unwrap();
        drop(open);
        transaction.commit().unwrap();
        drop(database);
        let error = refusal(settings(), &at(name));
        let is_right = match name {
            "foreign" => matches!(error, StateError::Foreign(_)),
            "newer" => matches!(error, StateError::Format { found: 2 }),
            _ => matches!(error, StateError::Damaged(_)),
        };
        assert!(is_right, "{name}: {error}");
    }

    let error = refusal(settings(), place.folder.path());
    assert!(matches!(error, StateError::Io(_)), "a folder: {error}");
    let error = refusal(settings(), &at("nowhere/state"));
    assert!(matches!(error, StateError::Io(_)), "no folder: {error}");
}

#[tokio::test]
async fn a_change_after_the_file_is_closed_is_rejected() {
    let place = Place::new();
    let running = Running::serving(place.open(settings())).await;
    let client = running.client();
    assert!(create(&client, "BEFORE".to_owned()).await);
    running.emulator.close();
    assert!(!create(&client, "AFTER".to_owned()).await);
    let found = state(&place.open(settings())).0;
    let tapes = &found["regions"]["us-east-1"]["tapes"];
    assert!(tapes["BEFORE"].is_object() && tapes["AFTER"].is_null());
}

/// Settings with few tapes, so that the file is small.
fn few() -> Settings {
    Settings {
        seed_tapes: 20,
        ..settings()
    }
}

/// A state file, and the state in it.
fn undamaged() -> &'static (Vec<u8>, Value) {
    static UNDAMAGED: OnceLock<(Vec<u8>, Value)> = OnceLock::new();
    UNDAMAGED.get_or_init(|| {
        let place = Place::new();
        let emulator = place.open(few());
        let state = state(&emulator).0;
        emulator.close();
        (fs::read(&place.file).unwrap(), state)
    })
}

/// Checks that a file with these bytes is rejected as damaged, or has the whole state.
fn assert_whole_or_rejected(bytes: &[u8]) {
    let place = Place::new();
    fs::write(&place.file, bytes).unwrap();
    match Emulator::with_state(few(), &place.file) {
        Ok(emulator) => assert!(state(&emulator).0 == undamaged().1, "other contents"),
        Err(StateError::Damaged(_) | StateError::Foreign(_) | StateError::Format { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_is_found(at: prop::sample::Index, bit in 0..8) {
        let mut bytes = undamaged().0.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        assert_whole_or_rejected(&bytes);
    }

    #[test]
    fn a_damaged_file_is_rejected(
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..64)), 1..20),
        length: Option<prop::sample::Index>,
    ) {
        let mut bytes = undamaged().0.clone();
        for (at, written) in damage {
            let at = at.index(bytes.len() - written.len());
            bytes[at..at + written.len()].copy_from_slice(&written);
        }
        if let Some(length) = length {
            bytes.truncate(length.index(bytes.len()).max(1));
        }
        assert_whole_or_rejected(&bytes);
    }
}
