//! The quotas of AWS and the locks of pools, with the code that a client sees.

use std::time::Duration;

use aws_sdk_storagegateway::{
    Client,
    operation::create_tapes::builders::CreateTapesFluentBuilder,
    types::{RetentionLockType, Tag, TapeStorageClass},
};
use serde_json::json;
use tapegate_emulator::{ErrorCode, Settings, Undocumented};

use super::{GATEWAY, GIB, Running, SIZE, assert_rejected, settings};

const FULL: &str = "MaximumTapeCartridgeCountExceeded";

/// An empty library, on a stopped clock.
async fn empty(settings: Settings) -> Running {
    let settings = Settings {
        seed_tapes: 0,
        time_scale: 0,
        ..settings
    };
    Running::start(settings).await
}

fn create(client: &Client, count: i32, size: i64) -> CreateTapesFluentBuilder {
    let create = client
        .create_tapes()
        .gateway_arn(GATEWAY)
        .num_tapes_to_create(count);
    let create = create.tape_size_in_bytes(size).tape_barcode_prefix("NEW");
    create.client_token(uuid::Uuid::new_v4().to_string())
}

async fn count(client: &Client) -> usize {
    let listed = client.list_tapes().limit(1_000).send().await.unwrap();
    listed.tape_infos().len()
}

#[tokio::test]
async fn a_library_holds_1_pib_by_default_and_not_a_gib_more() {
    let emulator = empty(settings()).await;
    let client = emulator.client();
    let largest = 15 * 1024 * GIB;
    for _ in 0..6 {
        create(&client, 10, largest).send().await.unwrap();
    }
    // 900 TiB are taken, and 124 are left: 8 tapes of 15 TiB and one of 4.
    assert_rejected(create(&client, 9, largest).send().await, FULL);
    assert_eq!(count(&client).await, 60);
    create(&client, 8, largest).send().await.unwrap();
    assert_rejected(create(&client, 1, 4 * 1024 * GIB + GIB).send().await, FULL);
    create(&client, 1, 4 * 1024 * GIB).send().await.unwrap();
    assert_rejected(create(&client, 1, SIZE).send().await, FULL);
    let barcode = client.create_tape_with_barcode().gateway_arn(GATEWAY);
    let barcode = barcode.tape_size_in_bytes(SIZE).tape_barcode("ONEMORE");
    assert_rejected(barcode.send().await, FULL);
    assert_eq!(count(&client).await, 69);
}

#[tokio::test]
async fn only_tapes_in_a_library_count_against_its_bytes() {
    let told = Settings {
        bytes_per_library: 2 * SIZE as u64,
        undocumented: Undocumented {
            code_of_full_library: ErrorCode::LocalStorageLimitExceeded,
            ..Undocumented::default()
        },
        ..settings()
    };
    let emulator = empty(told).await;
    let client = emulator.client();
    let mut arns = create(&client, 2, SIZE).send().await.unwrap().tape_arns.unwrap();
    let (first, second) = (arns.remove(0), arns.remove(0));
    let code = "LocalStorageLimitExceeded";
    assert_rejected(create(&client, 1, SIZE).send().await, code);

    // One on its way to the archive still takes its place, one in it none.
    emulator.emulator.eject(&first).unwrap();
    assert_rejected(create(&client, 1, SIZE).send().await, code);
    emulator.emulator.step(Duration::from_secs(600));
    create(&client, 1, SIZE).send().await.unwrap();
    let retrieve = || {
        let retrieve = client.retrieve_tape_archive().gateway_arn(GATEWAY);
        retrieve.tape_arn(&first).send()
    };
    assert_rejected(retrieve().await, code);

    // A deleted one has left; one that is being retrieved has come.
    let delete = client.delete_tape().gateway_arn(GATEWAY).tape_arn(&second);
    delete.send().await.unwrap();
    assert_rejected(retrieve().await, code);
    emulator.emulator.step(Duration::from_secs(60));
    retrieve().await.unwrap();
    assert_rejected(create(&client, 1, SIZE).send().await, code);
}

#[tokio::test]
async fn a_call_creates_at_most_10_tapes() {
    let emulator = empty(settings()).await;
    let client = emulator.client();
    for count in [11, 0, -1] {
        let error = create(&client, count, SIZE).send().await.unwrap_err();
        assert_eq!(
            super::codes(&error),
            ("ValidationException".to_owned(), String::new())
        );
    }
    assert_eq!(count(&client).await, 0);
    create(&client, 10, SIZE).send().await.unwrap();
    assert_eq!(count(&client).await, 10);
}

#[tokio::test]
async fn a_tape_has_at_most_50_tags() {
    let emulator = empty(settings()).await;
    let client = emulator.client();
    let tags = |count: usize| {
        let tag = |n: usize| Tag::builder().key(format!("k{n}")).value("v").build().unwrap();
        Some((0..count).map(tag).collect())
    };
    let more = create(&client, 1, SIZE).set_tags(tags(51));
    assert_rejected(more.send().await, "InvalidParameters");
    assert_eq!(count(&client).await, 0);
    let made = create(&client, 1, SIZE).set_tags(tags(50)).send().await.unwrap();
    let arn = &made.tape_arns()[0];
    let one = Tag::builder().key("more").value("v").build().unwrap();
    let add = client.add_tags_to_resource().resource_arn(arn).tags(one);
    assert_rejected(add.send().await, "InvalidParameters");
}

#[tokio::test]
async fn a_locked_worm_tape_can_neither_be_deleted_nor_moved() {
    for lock in [RetentionLockType::Governance, RetentionLockType::Compliance] {
        let emulator = empty(settings()).await;
        let client = emulator.client();
        let pool = client.create_tape_pool().pool_name("Kept");
        let pool = pool
            .storage_class(TapeStorageClass::Glacier)
            .retention_lock_type(lock.clone());
        let pool = pool.retention_lock_time_in_days(1).send().await.unwrap();
        let pool = pool.pool_arn().unwrap().rsplit_once('/').unwrap().1;
        let made = create(&client, 1, SIZE)
            .worm(true)
            .pool_id(pool)
            .send()
            .await
            .unwrap();
        let arn = &made.tape_arns()[0];
        emulator.emulator.eject(arn).unwrap();
        emulator.emulator.step(Duration::from_secs(600));
        let archive = client
            .describe_tape_archives()
            .tape_arns(arn)
            .send()
            .await
            .unwrap();
        assert!(archive.tape_archives()[0].worm());

        let bypasses = if lock == RetentionLockType::Compliance {
            vec![None, Some(false), Some(true)]
        } else {
            vec![None, Some(false)]
        };
        for bypass in bypasses {
            let delete = client.delete_tape_archive().tape_arn(arn);
            let delete = delete.set_bypass_governance_retention(bypass);
            assert_rejected(delete.send().await, "InvalidParameters");
            let assign = client.assign_tape_pool().tape_arn(arn).pool_id("GLACIER");
            let assign = assign.set_bypass_governance_retention(bypass);
            assert_rejected(assign.send().await, "InvalidParameters");
            let delete = client.delete_tape_pool();
            let delete = delete.pool_arn(format!(
                "{}{pool}",
                "arn:aws:storagegateway:us-east-1:123456789012:tapepool/"
            ));
            assert_rejected(delete.send().await, "InvalidParameters");
        }

        // Over the wire of the control API time passes, and with it the lock.
        let step = json!({"step_seconds": 86_400}).to_string();
        let stepped = emulator.control("POST", "/_emulator/clock", step).send().await;
        assert_eq!(stepped.status, 200);
        client.delete_tape_archive().tape_arn(arn).send().await.unwrap();
    }
}
