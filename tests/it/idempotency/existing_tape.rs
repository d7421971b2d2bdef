//! A create with a barcode that is taken: what the caller learns about the existing tape.

use std::time::Duration;

use serde_json::json;
use tapegate::grpc::proto::{CreateTapeWithBarcodeRequest, PoolId, create_tape_with_barcode_request::Pool};
use tapegate_emulator::Settings;
use tonic::Code;

use super::{
    account::Account,
    aws::{Aws, BARCODE, CreateResult, KEY, QUICK, create, failed, listed, refused, tape},
};
use crate::harness::{GATEWAY, Reply, Service, tape_arn};

const DAY: Duration = Duration::from_secs(86_400);
const NOW: Duration = Duration::ZERO;

fn taken() -> Aws {
    Aws::answering(&[refused("InvalidParameters")])
}

async fn ask(aws: Aws, tape: CreateTapeWithBarcodeRequest) -> CreateResult {
    let upstream = aws.serve().await;
    create(&Service::over(&upstream, &QUICK).await, tape, false).await
}

#[tokio::test]
async fn a_tape_of_another_gateway_is_reported_without_its_properties() {
    let aws = Aws {
        list: listed(&json!({ "GatewayARN": format!("{GATEWAY}X"), "TapeSizeInBytes": 7_000 })),
        ..taken()
    };
    for creates in [
        vec![refused("InvalidParameters")],
        vec![failed(), refused("InvalidParameters")],
    ] {
        let upstream = Aws {
            creates,
            ..aws.clone()
        }
        .serve()
        .await;
        let service = Service::over(&upstream, &QUICK).await;
        let told = create(&service, tape(), false).await.refusal();
        assert_eq!(
            (told.code, told.reason.as_str()),
            (Code::AlreadyExists, "BARCODE_TAKEN")
        );
        // A barcode is taken for ever: no request of the call can have made a tape, or ever will.
        assert_eq!(told.metadata["outcome"], "not_applied");
        let text = format!("{told:?}");
        assert!(
            !text.contains("sgw-12A3456BX") && !text.contains("7000") && !text.contains("differs"),
            "{text}"
        );
        let looked = upstream.asked();
        assert!(
            looked
                .iter()
                .all(|asked| !asked.operation.starts_with("Describe"))
        );
    }
}

#[tokio::test]
async fn an_old_matching_tape_is_not_taken_for_the_result() {
    ask(taken().with(&json!({}), DAY), tape())
        .await
        .exists("", "not_applied");
    let lost = Aws::answering(&[failed(), refused("InvalidParameters")]);
    ask(lost.with(&json!({}), DAY), tape())
        .await
        .exists("", "not_applied");
}

#[tokio::test]
async fn a_new_matching_tape_leaves_the_outcome_unknown_when_the_first_attempt_was_rejected() {
    ask(taken().with(&json!({}), NOW), tape())
        .await
        .exists("", "unknown");
}

#[tokio::test]
async fn a_tape_of_another_size_differs() {
    let aws = Aws::answering(&[failed(), refused("InvalidParameters")]);
    let aws = aws.with(&json!({ "TapeSizeInBytes": 1_u64 << 40 }), NOW);
    ask(aws, tape()).await.exists("tape_size_in_bytes", "not_applied");
}

#[tokio::test]
async fn a_tape_with_another_worm_setting_differs() {
    let aws = Aws::answering(&[failed(), refused("InvalidParameters")]);
    let worm = CreateTapeWithBarcodeRequest {
        worm: Some(true),
        ..tape()
    };
    ask(aws.clone().with(&json!({}), NOW), worm.clone())
        .await
        .exists("worm", "not_applied");
    ask(aws.clone().with(&json!({ "Worm": true }), NOW), tape())
        .await
        .exists("worm", "not_applied");
    ask(aws.with(&json!({ "Worm": true }), NOW), worm).await.made();
}

#[tokio::test]
async fn a_new_tape_in_another_pool_differs_with_unknown_outcome() {
    let aws = Aws::answering(&[failed(), refused("InvalidParameters")]);
    let deep = CreateTapeWithBarcodeRequest {
        pool: Some(Pool::PoolId(PoolId::DeepArchive.into())),
        ..tape()
    };
    ask(aws.clone().with(&json!({}), NOW), deep.clone())
        .await
        .exists("pool", "unknown");
    ask(aws.clone().with(&json!({}), DAY), deep)
        .await
        .exists("pool", "not_applied");
    // Where none was asked for, any is right.
    let custom = json!({ "PoolId": "pool-12345678" });
    ask(aws.with(&custom, NOW), tape()).await.made();
}

#[tokio::test]
async fn a_tape_with_another_kms_key_differs_unless_an_alias_hides_the_key() {
    let encrypted = |key: Option<&str>| CreateTapeWithBarcodeRequest {
        kms_encrypted: Some(true),
        kms_key: key.map(str::to_owned),
        ..tape()
    };
    let other = "arn:aws:kms:us-east-1:123456789012:key/other";
    let cases = [
        (encrypted(Some(KEY)), Some(KEY), true),
        (encrypted(Some(KEY)), Some(other), false),
        // An alias may stand for any key.
        (encrypted(Some("alias/mine")), Some(other), true),
        (
            encrypted(Some("arn:aws:kms:us-east-1:123456789012:alias/mine")),
            Some(other),
            true,
        ),
        (encrypted(Some(KEY)), Some("alias/mine"), true),
        // AWS chose one.
        (encrypted(None), Some(other), true),
        // What is not encrypted at all is not what was asked for.
        (encrypted(Some("alias/mine")), None, false),
        (tape(), Some(KEY), false),
        (tape(), None, true),
    ];
    for (tape, has, is_own) in cases {
        let aws = Aws::answering(&[failed(), refused("InvalidParameters")]);
        let told = ask(aws.with(&json!({ "KMSKey": has }), NOW), tape).await;
        match is_own {
            true => told.made(),
            false => told.exists("kms_key", "unknown"),
        }
    }
}

#[tokio::test]
async fn a_tape_without_a_creation_date_is_not_taken_for_the_result() {
    let aws = Aws::answering(&[failed(), refused("InvalidParameters")]);
    let aws = aws.with(&json!({ "TapeCreatedDate": null }), NOW);
    ask(aws, tape()).await.exists("", "unknown");
}

#[tokio::test]
async fn a_tape_that_is_listed_but_not_described_is_not_taken_for_the_result() {
    let aws = Aws::answering(&[failed(), refused("InvalidParameters")]).with(&json!({}), NOW);
    let nothing = [
        Reply::ok(&json!({ "Tapes": [] })),
        refused("TapeCartridgeNotFound"),
    ];
    for library in nothing {
        let aws = Aws {
            library,
            ..aws.clone()
        };
        ask(aws, tape()).await.exists("tape_status", "unknown");
    }
}

/// An account with the tapes that it is seeded with, all of them old.
async fn seeded() -> (Account, Service) {
    let account = Account::new(Settings::default()).await;
    let service = Service::at(&account.endpoint, &QUICK).await;
    (account, service)
}

fn seed(barcode: &str, size: i64) -> CreateTapeWithBarcodeRequest {
    CreateTapeWithBarcodeRequest {
        tape_barcode: barcode.into(),
        tape_size_in_bytes: size,
        ..tape()
    }
}

#[tokio::test]
async fn an_archived_tape_differs_in_its_gateway() {
    let (account, service) = seeded().await;
    let archived = account
        .client()
        .describe_tape_archives()
        .tape_arns(tape_arn("TST000013"));
    let archived = archived.send().await.unwrap();
    let size = archived.tape_archives()[0].tape_size_in_bytes().unwrap();
    let told = create(&service, seed("TST000013", size), false).await.refusal();
    assert_eq!(told.reason, "TAPE_EXISTS");
    assert_eq!(told.metadata["differs"], "gateway_arn");
    assert_eq!(told.metadata["matches"], "false");
    assert_eq!(told.metadata["outcome"], "not_applied");
}

#[tokio::test]
async fn the_barcode_of_a_deleted_tape_stays_taken() {
    let (account, service) = seeded().await;
    let arn = account.client().create_tape_with_barcode().gateway_arn(GATEWAY);
    let arn = arn
        .tape_size_in_bytes(tape().tape_size_in_bytes)
        .tape_barcode(BARCODE);
    let arn = arn.send().await.unwrap().tape_arn().unwrap().to_owned();
    let delete = account.client().delete_tape().gateway_arn(GATEWAY).tape_arn(arn);
    delete.send().await.unwrap();
    // DELETING, and then DELETED. It is new, and nobody knows who made it.
    create(&service, tape(), false)
        .await
        .exists("tape_status", "unknown");
    account.emulator.step(Duration::from_secs(120));
    create(&service, tape(), false)
        .await
        .exists("tape_status", "unknown");
    account.emulator.step(Duration::from_secs(7_200));
    create(&service, tape(), false).await.invalid("not_applied");
}

/// The tape of an earlier call, whose response was lost, has filled the library.
#[tokio::test]
async fn a_full_library_is_reported_as_the_matching_tape_that_exists() {
    let full = Aws::answering(&[refused("MaximumTapeCartridgeCountExceeded")]);
    ask(full.clone().with(&json!({}), NOW), tape())
        .await
        .exists("", "unknown");
    let cannot_look = Aws {
        list: refused("NotSupported"),
        ..full.clone()
    };
    for aws in [full, cannot_look] {
        let told = ask(aws, tape()).await.refusal();
        assert_eq!(told.reason, "MAXIMUM_TAPE_CARTRIDGE_COUNT_EXCEEDED");
        assert_eq!(told.metadata["outcome"], "not_applied");
        assert_eq!(told.metadata["outcome_scope"], "call");
    }
}

#[tokio::test]
async fn a_look_up_that_finds_no_tape_says_that_none_has_the_barcode() {
    let told = ask(taken(), tape()).await.refusal();
    assert_eq!(told.reason, "INVALID_PARAMETERS");
    assert_eq!(told.metadata["outcome"], "not_applied");
    assert_eq!(told.metadata["outcome_scope"], "barcode");
    assert!(
        told.message.contains("no tape has this barcode"),
        "{}",
        told.message
    );
}
