use std::{collections::BTreeSet, time::Duration};

use aws_sdk_storagegateway::{
    Client,
    operation::{
        create_tape_with_barcode::builders::CreateTapeWithBarcodeFluentBuilder,
        create_tapes::builders::CreateTapesFluentBuilder,
    },
    types::{Tag, Tape},
};
use tapegate_emulator::{Settings, Undocumented};

use super::{GATEWAY, GIB, Running, SIZE, assert_rejected, settings};

fn one(client: &Client, barcode: &str) -> CreateTapeWithBarcodeFluentBuilder {
    client
        .create_tape_with_barcode()
        .gateway_arn(GATEWAY)
        .tape_size_in_bytes(SIZE)
        .tape_barcode(barcode)
}

fn many(client: &Client, token: &str, count: i32) -> CreateTapesFluentBuilder {
    client
        .create_tapes()
        .gateway_arn(GATEWAY)
        .tape_size_in_bytes(SIZE)
        .client_token(token)
        .num_tapes_to_create(count)
        .tape_barcode_prefix("NEW")
}

async fn described(client: &Client, arn: &str) -> Tape {
    let answer = client
        .describe_tapes()
        .gateway_arn(GATEWAY)
        .tape_arns(arn)
        .send()
        .await
        .unwrap();
    let [tape] = answer.tapes() else {
        panic!("not one tape: {answer:?}")
    };
    tape.clone()
}

fn tag(key: &str) -> Tag {
    Tag::builder().key(key).value("v").build().unwrap()
}

#[tokio::test]
async fn a_created_tape_has_the_requested_attributes() {
    let emulator = Running::start(settings()).await;
    let client = emulator.client();
    let key = "alias/tapes";
    let arn = one(&client, "MINE01")
        .pool_id("pool-12345678")
        .worm(true)
        .kms_encrypted(true)
        .kms_key(key)
        .tags(tag("team"))
        .send()
        .await
        .unwrap();
    let arn = arn.tape_arn().unwrap();
    assert_eq!(arn, "arn:aws:storagegateway:us-east-1:123456789012:tape/MINE01");

    let tape = described(&client, arn).await;
    assert_eq!(tape.tape_arn(), Some(arn));
    assert_eq!(tape.tape_barcode(), Some("MINE01"));
    assert_eq!(tape.tape_size_in_bytes(), Some(SIZE));
    assert_eq!(tape.tape_used_in_bytes(), Some(0));
    assert_eq!(tape.tape_status(), Some("AVAILABLE"));
    assert_eq!(tape.pool_id(), Some("pool-12345678"));
    assert_eq!(tape.kms_key(), Some(key));
    assert!(tape.worm());
    assert_eq!(tape.retention_start_date(), None);
    let age = std::time::SystemTime::now()
        .duration_since((*tape.tape_created_date().unwrap()).try_into().unwrap())
        .unwrap();
    assert!(age < Duration::from_secs(60), "created {age:?} ago");
}

#[tokio::test]
async fn a_tape_keeps_its_pool_and_without_one_is_in_glacier() {
    let emulator = Running::start(settings()).await;
    let client = emulator.client();
    let cases = [
        (None, "GLACIER"),
        (Some("GLACIER"), "GLACIER"),
        (Some("DEEP_ARCHIVE"), "DEEP_ARCHIVE"),
        (Some("pool-12345678"), "pool-12345678"),
    ];
    for (n, (asked, got)) in cases.into_iter().enumerate() {
        let answer = many(&client, &format!("token-{n}"), 1)
            .set_pool_id(asked.map(str::to_owned))
            .send()
            .await
            .unwrap();
        let tape = described(&client, &answer.tape_arns()[0]).await;
        assert_eq!(tape.pool_id(), Some(got), "asked for {asked:?}");
    }
}

#[tokio::test]
async fn created_barcodes_are_the_prefix_and_six_digits_and_the_same_in_every_run() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let emulator = Running::start(settings()).await;
        let answer = many(&emulator.client(), "token-1", 10).send().await.unwrap();
        runs.push(answer.tape_arns().to_vec());
    }
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0].iter().collect::<BTreeSet<_>>().len(), 10);
    let form =
        regex::Regex::new("^arn:aws:storagegateway:us-east-1:123456789012:tape/NEW[0-9A-F]{6}$").unwrap();
    assert!(runs[0].iter().all(|arn| form.is_match(arn)), "{runs:?}");
}

#[tokio::test]
async fn a_token_returns_its_tapes_and_rejects_other_parameters() {
    let emulator = Running::start(settings()).await;
    let client = emulator.client();
    let first = many(&client, "token-1", 3)
        .pool_id("GLACIER")
        .send()
        .await
        .unwrap();
    let again = many(&client, "token-1", 3)
        .pool_id("GLACIER")
        .send()
        .await
        .unwrap();
    assert_eq!(first.tape_arns(), again.tape_arns());
    let other = many(&client, "token-2", 3)
        .pool_id("GLACIER")
        .send()
        .await
        .unwrap();
    assert!(
        other
            .tape_arns()
            .iter()
            .all(|arn| !first.tape_arns().contains(arn))
    );

    assert_rejected(
        many(&client, "token-1", 2).pool_id("GLACIER").send().await,
        "InvalidParameters",
    );
    assert_rejected(
        many(&client, "token-1", 3).pool_id("DEEP_ARCHIVE").send().await,
        "InvalidParameters",
    );
    assert_rejected(
        many(&client, "token-1", 3)
            .pool_id("GLACIER")
            .worm(true)
            .send()
            .await,
        "InvalidParameters",
    );
}

#[tokio::test]
async fn simultaneous_retries_with_one_token_create_its_tapes_once() {
    let emulator = Running::start(Settings {
        seed_tapes: 0,
        ..settings()
    })
    .await;
    let client = emulator.client();
    let calls = (0..12).map(|_| many(&client, "token-1", 5).send());
    let answers = futures_util::future::try_join_all(calls).await.unwrap();
    assert!(
        answers
            .iter()
            .all(|answer| answer.tape_arns() == answers[0].tape_arns())
    );
    let library = client.describe_tapes().gateway_arn(GATEWAY).send().await.unwrap();
    assert_eq!(library.tapes().len(), 5);
}

#[tokio::test]
async fn exactly_one_of_simultaneous_creates_of_one_barcode_succeeds() {
    let emulator = Running::start(settings()).await;
    let client = emulator.client();
    let calls = (0..16).map(|_| one(&client, "RACE001").send());
    let (made, refused): (Vec<_>, Vec<_>) = futures_util::future::join_all(calls)
        .await
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 15));
    for answer in refused {
        assert_rejected(answer, "InvalidParameters");
    }
}

#[tokio::test]
async fn a_barcode_cannot_be_reused() {
    let emulator = Running::start(settings()).await;
    let client = emulator.client();
    one(&client, "MINE01").send().await.unwrap();
    // One of the library, a deleted one, an archived one.
    for taken in ["MINE01", "TST000001", "TST000012", "TST000250"] {
        assert_rejected(one(&client, taken).send().await, "InvalidParameters");
    }
}

#[tokio::test]
async fn constraints_outside_the_model_are_rejected_as_invalid_parameters() {
    let emulator = Running::start(settings()).await;
    let client = emulator.client();
    for size in [0, -SIZE, SIZE - GIB, SIZE + 1, 15 * 1024 * GIB + GIB, i64::MAX] {
        assert_rejected(
            one(&client, "BAD01").tape_size_in_bytes(size).send().await,
            "InvalidParameters",
        );
        assert_rejected(
            many(&client, "token", 1).tape_size_in_bytes(size).send().await,
            "InvalidParameters",
        );
    }
    let key = "alias/tapes";
    assert_rejected(
        one(&client, "BAD01").kms_key(key).send().await,
        "InvalidParameters",
    );
    assert_rejected(
        one(&client, "BAD01")
            .kms_key(key)
            .kms_encrypted(false)
            .send()
            .await,
        "InvalidParameters",
    );
    for pool in ["pool-87654321", "Glacier Pool", "glacier"] {
        assert_rejected(
            one(&client, "BAD01").pool_id(pool).send().await,
            "InvalidParameters",
        );
    }
    assert_rejected(
        one(&client, "BAD01").tags(tag("aws:owner")).send().await,
        "InvalidParameters",
    );
    assert_rejected(
        one(&client, "BAD01").tags(tag("a")).tags(tag("a")).send().await,
        "InvalidParameters",
    );
    let fifty_one = (0..51).map(|n| tag(&format!("k{n}"))).collect();
    assert_rejected(
        one(&client, "BAD01").set_tags(Some(fifty_one)).send().await,
        "InvalidParameters",
    );

    // None of that took the barcode, and the bounds themselves pass.
    let fifty = (0..50).map(|n| tag(&format!("k{n}"))).collect();
    one(&client, "BAD01").set_tags(Some(fifty)).send().await.unwrap();
    one(&client, "BIG01")
        .tape_size_in_bytes(15 * 1024 * GIB)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn an_unknown_gateway_or_one_of_another_region_or_account_is_not_found() {
    let emulator = Running::start(settings()).await;
    let client = emulator.client();
    for gateway in [
        "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-FFFFFFFF",
        "arn:aws:storagegateway:us-east-1:210987654321:gateway/sgw-12A3456B",
        "arn:aws:storagegateway:eu-west-1:123456789012:gateway/sgw-12A3456B",
        "this is no ARN at all, but it is fifty characters long",
    ] {
        assert_rejected(
            one(&client, "LOST01").gateway_arn(gateway).send().await,
            "GatewayNotFound",
        );
        assert_rejected(
            many(&client, "token", 1).gateway_arn(gateway).send().await,
            "GatewayNotFound",
        );
        assert_rejected(
            client.describe_tapes().gateway_arn(gateway).send().await,
            "GatewayNotFound",
        );
    }
    let abroad = emulator.client_of("eu-west-1", super::KEY_ID, super::SECRET);
    assert_rejected(one(&abroad, "LOST01").send().await, "GatewayNotFound");
    assert_rejected(
        abroad.describe_tapes().gateway_arn(GATEWAY).send().await,
        "GatewayNotFound",
    );
}

#[tokio::test]
async fn a_full_library_rejects_a_create_as_a_whole() {
    let emulator = Running::start(Settings {
        seed_tapes: 0,
        tapes_per_library: 12,
        ..settings()
    })
    .await;
    let client = emulator.client();
    let first = many(&client, "token-1", 10).send().await.unwrap();
    assert_rejected(
        many(&client, "token-2", 3).send().await,
        "MaximumTapeCartridgeCountExceeded",
    );
    assert_eq!(client.list_tapes().send().await.unwrap().tape_infos().len(), 10);
    many(&client, "token-2", 2).send().await.unwrap();
    assert_rejected(
        one(&client, "MINE01").send().await,
        "MaximumTapeCartridgeCountExceeded",
    );
    // A replay makes nothing, so it needs no room.
    let again = many(&client, "token-1", 10).send().await.unwrap();
    assert_eq!(first.tape_arns(), again.tape_arns());
}

#[tokio::test]
async fn a_library_holds_1500_tapes_by_default() {
    let emulator = Running::start(Settings {
        seed_tapes: 0,
        ..settings()
    })
    .await;
    let client = emulator.client();
    for n in 0..150 {
        many(&client, &format!("token-{n}"), 10).send().await.unwrap();
    }
    assert_rejected(
        one(&client, "MINE01").send().await,
        "MaximumTapeCartridgeCountExceeded",
    );
}

#[tokio::test]
async fn tags_sent_with_a_barcode_are_kept_only_if_configured() {
    for kept in [false, true] {
        let emulator = Running::start(Settings {
            undocumented: Undocumented {
                tags_with_barcode: kept,
                ..Undocumented::default()
            },
            ..settings()
        })
        .await;
        let client = emulator.client();
        let made = one(&client, "MINE01").tags(tag("team")).send().await.unwrap();
        let tags = client
            .list_tags_for_resource()
            .resource_arn(made.tape_arn.unwrap());
        let tags = tags.send().await.unwrap().tags.unwrap();
        assert_eq!(tags, if kept { vec![tag("team")] } else { Vec::new() });
    }
}
