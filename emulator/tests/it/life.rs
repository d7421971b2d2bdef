//! The life of a tape, on a clock that stands still but for the test's own steps.

use std::time::Duration;

use aws_sdk_storagegateway::{
    Client,
    primitives::DateTime,
    types::{RetentionLockType, Tape, TapeArchive, TapeStorageClass},
};
use tapegate_emulator::{DriveError, Life, Settings};

use super::{GATEWAY, GIB, Running, SIZE, assert_rejected, settings};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const POOL: &str = "pool-12345678";

/// What the three calls show of a tape: its status in each, or nothing.
type Shown = [Option<String>; 3];

fn shown(library: Option<&str>, archive: Option<&str>, list: Option<&str>) -> Shown {
    [library, archive, list].map(|status| status.map(str::to_owned))
}

fn in_library(status: &str) -> Shown {
    shown(Some(status), None, Some(status))
}

fn in_archive(status: &str) -> Shown {
    shown(None, Some(status), Some(status))
}

struct Account {
    running: Running,
    client: Client,
}

impl Account {
    async fn living(life: Life) -> Self {
        Self::with(Settings { life, ..settings() }).await
    }

    async fn with(settings: Settings) -> Self {
        let settings = Settings {
            time_scale: 0,
            ..settings
        };
        let running = Running::start(settings).await;
        let client = running.client();
        Self { running, client }
    }

    async fn create(&self, barcode: &str, pool: &str) -> String {
        let create = self.client.create_tape_with_barcode().gateway_arn(GATEWAY);
        let create = create.tape_size_in_bytes(SIZE).tape_barcode(barcode);
        create.pool_id(pool).send().await.unwrap().tape_arn.unwrap()
    }

    fn step(&self, by: Duration) {
        self.running.emulator.step(by);
    }

    fn eject(&self, arn: &str) {
        self.running.emulator.eject(arn).unwrap();
    }

    /// An empty tape that has just reached the archive.
    async fn archived(&self, barcode: &str, pool: &str) -> String {
        let arn = self.create(barcode, pool).await;
        self.eject(&arn);
        self.step(10 * MINUTE);
        assert_eq!(self.shown(&arn).await, in_archive("ARCHIVED"));
        arn
    }

    async fn retrieve(&self, arn: &str) {
        let retrieve = self.client.retrieve_tape_archive().tape_arn(arn);
        let answer = retrieve.gateway_arn(GATEWAY).send().await.unwrap();
        assert_eq!(answer.tape_arn(), Some(arn));
    }

    async fn tape(&self, arn: &str) -> Option<Tape> {
        let call = self.client.describe_tapes().gateway_arn(GATEWAY);
        let answer = call.tape_arns(arn).send().await.unwrap();
        answer.tapes.unwrap().pop()
    }

    async fn in_archive(&self, arn: &str) -> Option<TapeArchive> {
        let answer = self.client.describe_tape_archives().tape_arns(arn).send();
        answer.await.unwrap().tape_archives.unwrap().pop()
    }

    async fn shown(&self, arn: &str) -> Shown {
        let list = self.client.list_tapes().tape_arns(arn).send().await.unwrap();
        [
            self.tape(arn).await.and_then(|tape| tape.tape_status),
            self.in_archive(arn).await.and_then(|tape| tape.tape_status),
            list.tape_infos.unwrap().pop().and_then(|tape| tape.tape_status),
        ]
    }

    async fn progress(&self, arn: &str) -> Option<f64> {
        self.tape(arn).await.unwrap().progress
    }
}

/// A date in milliseconds since 1970.
fn time(of: Option<&DateTime>) -> i64 {
    // The wire's floating point is exact to a millisecond, no further.
    let micros = of.unwrap().as_nanos() / 1000;
    i64::try_from((micros + 500) / 1000).unwrap()
}

#[tokio::test]
async fn a_tape_lives_from_creating_to_deleted_and_is_shown_where_its_status_says() {
    let account = Account::living(Life {
        creating_time: MINUTE,
        ..Life::default()
    })
    .await;
    let arn = account.create("LIFE01", "GLACIER").await;
    assert_eq!(account.shown(&arn).await, in_library("CREATING"));
    account.step(MINUTE);
    assert_eq!(account.shown(&arn).await, in_library("AVAILABLE"));
    let created = time(account.tape(&arn).await.unwrap().tape_created_date());

    // 60 GiB at 128 MiB a second are 8 minutes, then 10 of archiving.
    account.running.emulator.write(&arn, 20 << 30).unwrap();
    account.running.emulator.write(&arn, 40 << 30).unwrap();
    assert_eq!(
        account.tape(&arn).await.unwrap().tape_used_in_bytes(),
        Some(60 * GIB)
    );
    account.eject(&arn);
    assert_eq!(account.shown(&arn).await, in_library("IN TRANSIT TO VTS"));
    assert_eq!(account.progress(&arn).await, Some(0.0));
    account.step(4 * MINUTE);
    assert_eq!(account.progress(&arn).await, Some(22.22));
    account.step(4 * MINUTE - Duration::from_millis(1));
    assert_eq!(account.shown(&arn).await, in_library("IN TRANSIT TO VTS"));
    account.step(Duration::from_millis(1));
    assert_eq!(account.shown(&arn).await, in_library("ARCHIVING"));
    assert_eq!(account.progress(&arn).await, Some(44.44));

    // The moment of a change is its own, whenever somebody looks.
    account.step(HOUR);
    assert_eq!(account.shown(&arn).await, in_archive("ARCHIVED"));
    let archived = account.in_archive(&arn).await.unwrap();
    assert_eq!(time(archived.completion_time()), created + 19 * 60_000);
    assert_eq!(archived.tape_used_in_bytes(), Some(60 * GIB));
    assert_eq!(
        (archived.retrieved_to(), archived.pool_id()),
        (None, Some("GLACIER"))
    );
    let listed = account.client.list_tapes().tape_arns(&arn).send().await.unwrap();
    assert_eq!(listed.tape_infos()[0].gateway_arn(), None);

    account.retrieve(&arn).await;
    assert_eq!(account.shown(&arn).await, in_archive("RETRIEVING"));
    assert_eq!(
        account.in_archive(&arn).await.unwrap().retrieved_to(),
        Some(GATEWAY)
    );
    account.step(5 * HOUR);
    let status = Some("RETRIEVED");
    assert_eq!(account.shown(&arn).await, shown(status, status, status));

    account.eject(&arn);
    assert_eq!(account.shown(&arn).await, in_archive("ARCHIVED"));
    assert_eq!(account.in_archive(&arn).await.unwrap().retrieved_to(), None);

    let delete = account.client.delete_tape_archive().tape_arn(&arn);
    assert_eq!(delete.send().await.unwrap().tape_arn(), Some(arn.as_str()));
    assert_eq!(account.shown(&arn).await, in_archive("DELETING"));
    account.step(MINUTE);
    assert_eq!(account.shown(&arn).await, in_archive("DELETED"));
    account.step(HOUR);
    assert_eq!(account.shown(&arn).await, shown(None, None, None));
    let again = account.client.create_tape_with_barcode().gateway_arn(GATEWAY);
    let again = again.tape_size_in_bytes(SIZE).tape_barcode("LIFE01").send();
    assert_rejected(again.await, "InvalidParameters");
}

#[tokio::test]
async fn a_small_tape_is_archiving_as_soon_as_it_is_ejected() {
    let account = Account::living(Life::default()).await;
    let small = account.create("SMALL1", "GLACIER").await;
    account.running.emulator.write(&small, (1 << 30) - 1).unwrap();
    account.eject(&small);
    assert_eq!(account.shown(&small).await, in_library("ARCHIVING"));
    let large = account.create("LARGE1", "GLACIER").await;
    account.running.emulator.write(&large, 1 << 30).unwrap();
    account.eject(&large);
    assert_eq!(account.shown(&large).await, in_library("IN TRANSIT TO VTS"));
}

#[tokio::test]
async fn a_retrieval_takes_3_to_5_hours_from_glacier_and_12_from_deep_archive() {
    let account = Account::living(Life::default()).await;
    let deep = account.archived("DEEP01", "DEEP_ARCHIVE").await;
    account.retrieve(&deep).await;
    account.step(12 * HOUR - Duration::from_millis(1));
    assert_eq!(account.shown(&deep).await, in_archive("RETRIEVING"));
    account.step(Duration::from_millis(1));
    assert_eq!(account.shown(&deep).await[0].as_deref(), Some("RETRIEVED"));

    let mut tapes = Vec::new();
    for n in 0..20 {
        let pool = if n % 2 == 0 { "GLACIER" } else { POOL };
        tapes.push(account.archived(&format!("GLAC{n:02}"), pool).await);
    }
    for arn in &tapes {
        account.retrieve(arn).await;
    }
    let mut back = Vec::new();
    for _ in 0..5 {
        account.step(HOUR);
        let mut count = 0;
        for arn in &tapes {
            count += usize::from(account.shown(arn).await[0].is_some());
        }
        back.push(count);
    }
    assert_eq!(back[1], 0, "none before 3 hours: {back:?}");
    assert!(
        0 < back[3] && back[3] < 20,
        "each tape has its own time: {back:?}"
    );
    assert_eq!(back[4], 20, "all after 5 hours: {back:?}");
}

#[tokio::test]
async fn which_call_shows_a_moving_tape_is_configurable() {
    let account = Account::living(Life {
        leaving_in_library: false,
        leaving_in_archive: true,
        retrieving_in_library: true,
        deleted_time: Duration::ZERO,
        ..Life::default()
    })
    .await;
    let arn = account.create("LIFE01", "GLACIER").await;
    account.running.emulator.write(&arn, 1 << 30).unwrap();
    account.eject(&arn);
    assert_eq!(account.shown(&arn).await, in_archive("IN TRANSIT TO VTS"));
    account.step(MINUTE);
    assert_eq!(account.shown(&arn).await, in_archive("ARCHIVING"));
    account.step(10 * MINUTE);
    account.retrieve(&arn).await;
    let status = Some("RETRIEVING");
    assert_eq!(account.shown(&arn).await, shown(status, status, status));
    account.step(5 * HOUR);
    account.eject(&arn);
    account
        .client
        .delete_tape_archive()
        .tape_arn(&arn)
        .send()
        .await
        .unwrap();
    account.step(MINUTE);
    assert_eq!(account.shown(&arn).await, shown(None, None, None));
}

#[tokio::test]
async fn a_tape_is_deleted_from_its_library() {
    let account = Account::living(Life::default()).await;
    let arn = account.create("LIFE01", "GLACIER").await;
    let delete = || account.client.delete_tape().gateway_arn(GATEWAY).tape_arn(&arn);
    delete().send().await.unwrap();
    assert_eq!(account.shown(&arn).await, in_library("DELETING"));
    assert_rejected(delete().send().await, "InvalidParameters");
    account.step(MINUTE);
    assert_eq!(account.shown(&arn).await, in_library("DELETED"));
    assert_rejected(delete().send().await, "TapeCartridgeNotFound");
    account.step(HOUR);
    assert_eq!(account.shown(&arn).await, shown(None, None, None));
}

#[tokio::test]
async fn a_rejected_action_of_a_drive_changes_nothing() {
    let account = Account::living(Life::default()).await;
    let emulator = &account.running.emulator;
    for arn in [
        "",
        "TST000001",
        "arn:aws:storagegateway:us-east-1:123456789012:tape/NOSUCH1",
        "arn:aws:storagegateway:eu-west-1:123456789012:tape/TST000001",
        "arn:aws:storagegateway:us-east-1:210987654321:tape/TST000001",
        "arn:aws:storagegateway:us-east-1:123456789012:tape/TST000012", // deleted
    ] {
        assert_eq!(emulator.eject(arn), Err(DriveError::NotFound(arn.to_owned())));
        assert_eq!(emulator.write(arn, 1), Err(DriveError::NotFound(arn.to_owned())));
    }
    let arn = account.create("LIFE01", "GLACIER").await;
    let free = u64::try_from(SIZE).unwrap();
    assert_eq!(emulator.write(&arn, u64::MAX), Err(DriveError::Full { free }));
    emulator.write(&arn, free).unwrap();
    assert_eq!(emulator.write(&arn, 1), Err(DriveError::Full { free: 0 }));
    emulator.eject(&arn).unwrap();
    for refused in [emulator.eject(&arn), emulator.write(&arn, 1)] {
        assert!(matches!(refused, Err(DriveError::Status { .. })), "{refused:?}");
    }
    let retrieved = "arn:aws:storagegateway:us-east-1:123456789012:tape/TST000007";
    let error = emulator.write(retrieved, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tape is RETRIEVED; to write it, it must be AVAILABLE"
    );
}

#[tokio::test]
async fn an_operation_is_rejected_in_a_wrong_status() {
    let account = Account::living(Life::default()).await;
    let client = &account.client;
    let seeded = |n: u32| format!("arn:aws:storagegateway:us-east-1:123456789012:tape/TST{n:06}");
    let (available, archiving, retrieved, retrieving) = (seeded(1), seeded(6), seeded(7), seeded(16));
    for arn in [&available, &archiving, &retrieved, &retrieving] {
        let retrieve = client.retrieve_tape_archive().tape_arn(arn).gateway_arn(GATEWAY);
        assert_rejected(retrieve.send().await, "InvalidParameters");
        let delete = client.delete_tape_archive().tape_arn(arn);
        assert_rejected(delete.send().await, "InvalidParameters");
    }
    for arn in [&archiving, &retrieved] {
        let delete = client.delete_tape().tape_arn(arn).gateway_arn(GATEWAY);
        assert_rejected(delete.send().await, "InvalidParameters");
        let assign = client.assign_tape_pool().tape_arn(arn).pool_id("GLACIER");
        assert_rejected(assign.send().await, "InvalidParameters");
    }
    // The archive is no library; a gateway of nowhere, a tape of nowhere.
    let archived = seeded(250);
    let delete = client.delete_tape().tape_arn(&archived).gateway_arn(GATEWAY);
    assert_rejected(delete.send().await, "TapeCartridgeNotFound");
    let nowhere = GATEWAY.replace("12A3456B", "00000000");
    let delete = client.delete_tape().tape_arn(&available).gateway_arn(&nowhere);
    assert_rejected(delete.send().await, "GatewayNotFound");
    let retrieve = client
        .retrieve_tape_archive()
        .tape_arn(&archived)
        .gateway_arn(nowhere);
    assert_rejected(retrieve.send().await, "GatewayNotFound");
    let delete = client.delete_tape_archive().tape_arn(seeded(999_999));
    assert_rejected(delete.send().await, "TapeCartridgeNotFound");
}

#[tokio::test]
async fn a_retrieving_tape_counts_against_the_library_and_a_deleted_one_does_not() {
    let account = Account::with(Settings {
        seed_tapes: 0,
        tapes_per_library: 1,
        ..settings()
    })
    .await;
    let first = account.archived("LIFE01", "GLACIER").await;
    let second = account.archived("LIFE02", "GLACIER").await;
    account.retrieve(&first).await;
    let full = || {
        let retrieve = account.client.retrieve_tape_archive().tape_arn(&second);
        retrieve.gateway_arn(GATEWAY).send()
    };
    assert_rejected(full().await, "MaximumTapeCartridgeCountExceeded");
    account.step(5 * HOUR);
    assert_rejected(full().await, "MaximumTapeCartridgeCountExceeded");
    account.eject(&first);
    let third = account.create("LIFE03", "GLACIER").await;
    let delete = account.client.delete_tape().gateway_arn(GATEWAY).tape_arn(third);
    delete.send().await.unwrap();
    assert_rejected(full().await, "MaximumTapeCartridgeCountExceeded");
    account.step(MINUTE);
    full().await.unwrap();
}

#[tokio::test]
async fn an_archived_tape_moves_only_towards_deep_archive() {
    let account = Account::living(Life::default()).await;
    let arn = account.archived("LIFE01", "GLACIER").await;
    let assign = |pool: &str| {
        account
            .client
            .assign_tape_pool()
            .tape_arn(&arn)
            .pool_id(pool)
            .send()
    };
    assert_rejected(assign("pool-00000000").await, "InvalidParameters");
    assert_eq!(
        assign("DEEP_ARCHIVE").await.unwrap().tape_arn(),
        Some(arn.as_str())
    );
    assert_eq!(
        account.in_archive(&arn).await.unwrap().pool_id(),
        Some("DEEP_ARCHIVE")
    );
    for glacier in ["GLACIER", POOL] {
        assert_rejected(assign(glacier).await, "InvalidParameters");
    }
    // One that is not archived yet moves as it likes, and is archived where it ends.
    let arn = account.create("LIFE02", "DEEP_ARCHIVE").await;
    let assign = account.client.assign_tape_pool().tape_arn(&arn).pool_id(POOL);
    assign.send().await.unwrap();
    let tape = account.tape(&arn).await.unwrap();
    assert_eq!((tape.pool_id(), tape.pool_entry_date()), (Some(POOL), None));
    account.eject(&arn);
    account.step(10 * MINUTE);
    let tape = account.in_archive(&arn).await.unwrap();
    assert_eq!(tape.pool_entry_date(), tape.completion_time());
    assert_eq!(tape.retention_start_date(), tape.completion_time());
}

#[tokio::test]
async fn a_retention_lock_holds_an_archived_tape_for_its_time() {
    let account = Account::living(Life::default()).await;
    let pool = async |lock: RetentionLockType| {
        let create = account.client.create_tape_pool().pool_name("Locked");
        let create = create.storage_class(TapeStorageClass::Glacier);
        let create = create.retention_lock_type(lock).retention_lock_time_in_days(2);
        let arn = create.send().await.unwrap().pool_arn.unwrap();
        arn.rsplit_once('/').unwrap().1.to_owned()
    };
    let governance = pool(RetentionLockType::Governance).await;
    let compliance = pool(RetentionLockType::Compliance).await;
    let delete = |arn: &str, bypass: bool| {
        let delete = account.client.delete_tape_archive().tape_arn(arn);
        delete.bypass_governance_retention(bypass).send()
    };
    let assign = |arn: &str, bypass: bool| {
        let assign = account
            .client
            .assign_tape_pool()
            .tape_arn(arn)
            .pool_id("DEEP_ARCHIVE");
        assign.bypass_governance_retention(bypass).send()
    };
    let (one, two) = (
        account.archived("GOV001", &governance).await,
        account.archived("GOV002", &governance).await,
    );
    let held = account.archived("COM001", &compliance).await;
    assert_rejected(delete(&one, false).await, "InvalidParameters");
    assert_rejected(assign(&two, false).await, "InvalidParameters");
    delete(&one, true).await.unwrap();
    assign(&two, true).await.unwrap();
    assert_eq!(
        account.in_archive(&two).await.unwrap().retention_start_date(),
        None
    );

    // Coming back and going again starts no new term.
    account.retrieve(&held).await;
    account.step(DAY);
    account.eject(&held);
    for bypass in [false, true] {
        assert_rejected(delete(&held, bypass).await, "InvalidParameters");
        assert_rejected(assign(&held, bypass).await, "InvalidParameters");
    }
    account.step(DAY);
    delete(&held, false).await.unwrap();
}
