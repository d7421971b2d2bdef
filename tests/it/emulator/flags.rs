//! Each setting of the emulator, given as a flag, changes what a client sees.

use std::time::{Duration, SystemTime};

use aws_sdk_storagegateway::{
    Client,
    operation::create_tapes::{CreateTapesError, CreateTapesOutput},
    types::Tag,
};
use serde_json::{Value, json};
use tapegate::app::{
    cli::{self, Command},
    settings::SETTINGS,
};

use super::{Answer, GATEWAY, GIB, KEY_ID, Running, SECRET, SIZE, assert_refused};

type SdkError<E> = aws_sdk_storagegateway::error::SdkError<E>;

const OTHER: &str = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-0F0F0F0F";
const ABROAD: &str = "arn:aws:storagegateway:eu-west-1:123456789012:gateway/sgw-0E0E0E0E";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// An emulator as `tapegate emulator` makes it of these flags, with its clock stopped.
async fn flagged(flags: &[&str]) -> Running {
    let arguments = ["tapegate", "emulator", "--time-scale=0"];
    let arguments = arguments.iter().chain(flags);
    match cli::parse(arguments, Vec::<(String, String)>::new()) {
        Ok(Command::Emulator(standalone)) => Running::start(standalone.emulator.settings).await,
        other => panic!("{other:?}"),
    }
}

/// The same, with a second gateway in its region and one in another.
async fn with_gateways(flags: &[&str]) -> Running {
    let emulator = flagged(flags).await;
    for path in [
        "/_emulator/gateways/us-east-1/sgw-0F0F0F0F",
        "/_emulator/gateways/eu-west-1/sgw-0E0E0E0E",
    ] {
        let answer = emulator.control("PUT", path, "{}").send().await;
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
    emulator
}

impl Running {
    async fn ask(&self, operation: &str, body: Value) -> Answer {
        self.request(operation, body.to_string()).send().await
    }

    /// The answer of a call that succeeds.
    async fn answer(&self, operation: &str, body: Value) -> Value {
        let answer = self.ask(operation, body).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }

    /// The nested code of a call that is refused.
    async fn code(&self, operation: &str, body: Value) -> String {
        let answer = self.ask(operation, body).await;
        assert_eq!(answer.status, 400, "{}", answer.json());
        answer.json()["error"]["errorCode"].as_str().unwrap().to_owned()
    }

    fn abroad(&self) -> Client {
        self.client_of("eu-west-1", KEY_ID, SECRET)
    }

    fn step(&self, by: Duration) {
        self.emulator.step(by);
    }

    async fn status(&self, barcode: &str) -> String {
        let rows = self
            .answer("ListTapes", json!({ "TapeARNs": [tape(barcode)] }))
            .await;
        let status = rows["TapeInfos"][0]["TapeStatus"].as_str();
        status.unwrap_or("gone").to_owned()
    }

    /// Makes a tape, with so many bytes on it.
    async fn made(&self, barcode: &str, bytes: u64) -> String {
        let mut body = create(barcode);
        body["PoolId"] = "DEEP_ARCHIVE".into();
        self.answer("CreateTapeWithBarcode", body).await;
        if bytes > 0 {
            self.emulator.write(&tape(barcode), bytes).unwrap();
        }
        tape(barcode)
    }
}

fn tape(barcode: &str) -> String {
    format!("arn:aws:storagegateway:us-east-1:123456789012:tape/{barcode}")
}

fn create(barcode: &str) -> Value {
    json!({ "GatewayARN": GATEWAY, "TapeSizeInBytes": SIZE, "TapeBarcode": barcode })
}

async fn tapes(
    client: &Client,
    gateway: &str,
    token: &str,
) -> Result<Vec<String>, SdkError<CreateTapesError>> {
    let call = client.create_tapes().gateway_arn(gateway).client_token(token);
    let call = call.tape_size_in_bytes(SIZE).num_tapes_to_create(2);
    let answer = call.tape_barcode_prefix("NEW").send().await;
    answer.map(|answer: CreateTapesOutput| answer.tape_arns.unwrap())
}

#[test]
fn every_flag_of_the_emulator_is_tried_here_or_beside_what_it_is_about() {
    let elsewhere = [
        "listen",
        "seed-tapes",
        "access-key-id",
        "secret-access-key",
        "credentials",
        "faults",
        "fault-seed",
        "state",
        "max-snapshot-bytes",
    ];
    let mine = include_str!("flags.rs");
    for setting in SETTINGS.iter().filter(|setting| setting.path().0 == "emulator") {
        let flag = setting.flag().unwrap();
        let flag = flag.strip_prefix("emulator-").unwrap();
        let tried = mine.contains(&format!("\"--{flag}=")) || elsewhere.contains(&flag);
        assert!(tried, "--{flag}");
    }
}

#[tokio::test]
async fn a_token_stands_for_one_creation_in_its_scope() {
    for (flag, at_other_gateway, abroad) in [
        ("--token-scope=region", false, true),
        ("--token-scope=gateway", true, true),
        ("--token-scope=account", false, false),
    ] {
        let emulator = with_gateways(&[flag]).await;
        let first = tapes(&emulator.client(), GATEWAY, "token-1").await.unwrap();
        assert_eq!(
            tapes(&emulator.client(), GATEWAY, "token-1").await.unwrap(),
            first,
            "{flag}"
        );
        for (client, gateway, is_new) in [
            (emulator.client(), OTHER, at_other_gateway),
            (emulator.abroad(), ABROAD, abroad),
        ] {
            let answer = tapes(&client, gateway, "token-1").await;
            if is_new {
                let made = answer.unwrap();
                assert!(made.iter().all(|arn| !first.contains(arn)), "{flag}: {made:?}");
                assert_eq!(tapes(&client, gateway, "token-1").await.unwrap(), made);
            } else {
                assert_refused(answer, "InvalidParameters");
            }
        }
    }
}

#[tokio::test]
async fn a_token_with_other_parameters_is_refused_or_replayed() {
    let flags = ["--token-mismatch=replay", "--token-scope=account"];
    let emulator = with_gateways(&flags).await;
    let first = tapes(&emulator.client(), GATEWAY, "token-1").await.unwrap();
    for (client, gateway) in [(emulator.client(), OTHER), (emulator.abroad(), ABROAD)] {
        assert_eq!(tapes(&client, gateway, "token-1").await.unwrap(), first);
    }
    let emulator = with_gateways(&["--token-mismatch=refuse"]).await;
    tapes(&emulator.client(), GATEWAY, "token-1").await.unwrap();
    assert_refused(
        tapes(&emulator.client(), OTHER, "token-1").await,
        "InvalidParameters",
    );
}

#[tokio::test]
async fn a_token_is_forgotten_after_its_window() {
    let emulator = flagged(&["--token-window=1h"]).await;
    let client = emulator.client();
    let first = tapes(&client, GATEWAY, "token-1").await.unwrap();
    emulator.step(HOUR - SECOND);
    assert_eq!(tapes(&client, GATEWAY, "token-1").await.unwrap(), first);
    emulator.step(SECOND);
    let second = tapes(&client, GATEWAY, "token-1").await.unwrap();
    assert!(second.iter().all(|arn| !first.contains(arn)), "{second:?}");
    // Its window began anew.
    emulator.step(HOUR - SECOND);
    assert_eq!(tapes(&client, GATEWAY, "token-1").await.unwrap(), second);

    let forgetful = flagged(&["--token-window=0s"]).await;
    let client = forgetful.client();
    let first = tapes(&client, GATEWAY, "token-1").await.unwrap();
    assert_ne!(tapes(&client, GATEWAY, "token-1").await.unwrap(), first);
}

#[tokio::test]
async fn a_barcode_is_unique_in_its_scope() {
    for (flag, is_free) in [
        ("--barcode-scope=region", true),
        ("--barcode-scope=account", false),
    ] {
        let emulator = with_gateways(&[flag]).await;
        let abroad = emulator.abroad();
        let call = abroad.create_tape_with_barcode().gateway_arn(ABROAD);
        let call = call.tape_size_in_bytes(SIZE).tape_barcode("TST000001");
        let answer = call.send().await;
        let barcodes = |arns: Vec<String>| {
            let names = arns
                .into_iter()
                .map(|arn| arn.split('/').nth(1).unwrap().to_owned());
            names.collect::<Vec<_>>()
        };
        let here = barcodes(tapes(&emulator.client(), GATEWAY, "token-1").await.unwrap());
        let there = barcodes(tapes(&abroad, ABROAD, "token-1").await.unwrap());
        if is_free {
            answer.unwrap();
            assert_eq!(here, there);
        } else {
            assert_refused(answer, "InvalidParameters");
            assert!(here.iter().all(|barcode| !there.contains(barcode)), "{there:?}");
        }
    }
}

#[tokio::test]
async fn what_a_create_leaves_out_is_filled_in_as_set() {
    let emulator = flagged(&[
        "--default-pool=DEEP_ARCHIVE",
        "--kms-key-required=true",
        "--tags-with-barcode=true",
        "--worm-when-false=true",
    ])
    .await;
    let mut body = create("NEW001");
    body["Tags"] = json!([{ "Key": "team", "Value": "backup" }]);
    emulator.answer("CreateTapeWithBarcode", body).await;
    let rows = json!({ "GatewayARN": GATEWAY, "TapeARNs": [tape("NEW001")] });
    let rows = emulator.answer("DescribeTapes", rows).await;
    assert_eq!(rows["Tapes"][0]["PoolId"], "DEEP_ARCHIVE");
    assert_eq!(rows["Tapes"][0]["Worm"], false);
    let rows = emulator
        .answer("DescribeTapeArchives", json!({ "TapeARNs": [tape("TST000013")] }))
        .await;
    assert_eq!(rows["TapeArchives"][0]["Worm"], false);
    let tags = emulator.client().list_tags_for_resource();
    let tags = tags.resource_arn(tape("NEW001")).send().await.unwrap();
    let tag = Tag::builder().key("team").value("backup").build().unwrap();
    assert_eq!(tags.tags(), [tag]);

    let mut body = create("NEW002");
    body["KMSEncrypted"] = true.into();
    assert_eq!(
        emulator.code("CreateTapeWithBarcode", body.clone()).await,
        "InvalidParameters"
    );
    body["KMSKey"] = "arn:aws:kms:us-east-1:123456789012:key/1234abcd".into();
    emulator.answer("CreateTapeWithBarcode", body).await;
}

#[tokio::test]
async fn unknown_tape_arns_are_left_out_or_refused() {
    for (operation, known, rows) in [
        ("DescribeTapes", "TST000001", "Tapes"),
        ("DescribeTapeArchives", "TST000013", "TapeArchives"),
        ("ListTapes", "TST000013", "TapeInfos"),
    ] {
        let body = |arns: &[String]| json!({ "GatewayARN": GATEWAY, "TapeARNs": arns });
        let foreign = tape("TST000001").replace("us-east-1", "eu-west-1");
        let omitting = flagged(&["--unknown-tape-arns=omit"]).await;
        let refusing = flagged(&["--unknown-tape-arns=refuse"]).await;
        for unknown in [tape("NOWHERE"), foreign] {
            let both = body(&[tape(known), unknown.clone()]);
            let answer = omitting.answer(operation, both.clone()).await;
            assert_eq!(answer[rows].as_array().unwrap().len(), 1, "{operation}");
            let answer = refusing.ask(operation, both).await;
            assert_eq!(answer.json()["error"]["errorCode"], "TapeCartridgeNotFound");
            assert!(answer.message().contains(&unknown), "{}", answer.message());
        }
        let answer = refusing.answer(operation, body(&[tape(known)])).await;
        assert_eq!(answer[rows].as_array().unwrap().len(), 1, "{operation}");
    }
    // In a region where there is nothing at all.
    let refusing = flagged(&["--unknown-tape-arns=refuse"]).await;
    let call = refusing.abroad().list_tapes().tape_arns(tape("TST000001"));
    assert_refused(call.send().await, "TapeCartridgeNotFound");
}

#[tokio::test]
async fn tape_arns_and_a_marker_go_together_as_set() {
    let arns = ["TST000001", "TST000002", "TST000013"].map(tape);
    let filter = json!({ "TapeARNs": arns, "Limit": 2 });
    let paged = flagged(&["--tape-arns-with-marker=page"]).await;
    let marker = paged.answer("ListTapes", filter.clone()).await["Marker"].clone();
    let mut next = filter.clone();
    next["Marker"] = marker.clone();
    let rest = paged.answer("ListTapes", next.clone()).await;
    assert_eq!(rest["TapeInfos"].as_array().unwrap().len(), 1);

    let ignoring = flagged(&["--tape-arns-with-marker=ignore"]).await;
    let refusing = flagged(&["--tape-arns-with-marker=refuse"]).await;
    for emulator in [&ignoring, &refusing] {
        let whole = emulator.answer("ListTapes", filter.clone()).await;
        assert_eq!(whole["TapeInfos"].as_array().unwrap().len(), 3);
        assert_eq!(whole["Marker"], Value::Null);
        // Without a filter nothing is otherwise.
        let page = emulator.answer("ListTapes", json!({ "Limit": 2 })).await;
        let next = json!({ "Limit": 2, "Marker": page["Marker"] });
        assert_ne!(emulator.answer("ListTapes", next).await, page);
    }
    let again = ignoring.answer("ListTapes", next.clone()).await;
    assert_eq!(again["TapeInfos"].as_array().unwrap().len(), 3);
    assert_eq!(refusing.code("ListTapes", next).await, "InvalidParameters");
}

#[tokio::test]
async fn a_marker_expires_after_its_lifetime() {
    let emulator = with_gateways(&["--marker-lifetime=1m"]).await;
    let pool = json!({ "PoolName": "Second", "StorageClass": "GLACIER" });
    emulator.answer("CreateTapePool", pool).await;
    for operation in [
        "ListTapes",
        "DescribeTapes",
        "DescribeTapeArchives",
        "ListGateways",
        "ListTapePools",
    ] {
        let first = json!({ "GatewayARN": GATEWAY, "Limit": 1 });
        let page = emulator.answer(operation, first.clone()).await;
        let mut next = first;
        next["Marker"] = page["Marker"].clone();
        emulator.step(MINUTE);
        emulator.answer(operation, next.clone()).await;
        emulator.step(SECOND);
        assert_eq!(
            emulator.code(operation, next).await,
            "InvalidParameters",
            "{operation}"
        );
    }
    // Nor is one good that does not say when it was made.
    let other = flagged(&[]).await;
    let page = other.answer("ListTapes", json!({ "Limit": 1 })).await;
    let next = json!({ "Limit": 1, "Marker": page["Marker"] });
    assert_eq!(emulator.code("ListTapes", next).await, "InvalidParameters");
}

#[tokio::test]
async fn in_transit_to_vts_is_spelled_as_set() {
    for (flag, spelling) in [
        ("--in-transit-spelling=spaces", "IN TRANSIT TO VTS"),
        ("--in-transit-spelling=underscores", "IN_TRANSIT_TO_VTS"),
        ("--in-transit-spelling=joined", "INTRANSITTOVTS"),
    ] {
        let emulator = flagged(&[flag, "--leaving-in-archive=true"]).await;
        let filter = json!({ "GatewayARN": GATEWAY, "TapeARNs": [tape("TST000005")] });
        for (operation, rows) in [
            ("ListTapes", "TapeInfos"),
            ("DescribeTapes", "Tapes"),
            ("DescribeTapeArchives", "TapeArchives"),
        ] {
            let answer = emulator.answer(operation, filter.clone()).await;
            assert_eq!(answer[rows][0]["TapeStatus"], spelling, "{operation}");
        }
    }
}

#[tokio::test]
async fn a_retrieved_tape_is_listed_as_often_as_set_however_long_the_pages_are() {
    for (flag, times) in [("--retrieved-listed=once", 1), ("--retrieved-listed=twice", 2)] {
        let emulator = flagged(&[flag, "--seed-tapes=12"]).await;
        for limit in [1, 2, 3, 7, 100] {
            let (mut rows, mut marker) = (Vec::new(), Value::Null);
            loop {
                let mut body = json!({ "Limit": limit });
                if !marker.is_null() {
                    body["Marker"] = marker;
                }
                let page = emulator.answer("ListTapes", body).await;
                let shown = page["TapeInfos"].as_array().unwrap();
                assert!(shown.len() <= limit);
                rows.extend(shown.clone());
                marker = page["Marker"].clone();
                if marker.is_null() {
                    break;
                }
            }
            assert_eq!(rows.len(), 11 + times, "{flag} {limit}");
            let retrieved = rows.iter().filter(|row| row["TapeStatus"] == "RETRIEVED");
            let gateways: Vec<_> = retrieved.map(|row| row["GatewayARN"].as_str()).collect();
            assert_eq!(gateways, [Some(GATEWAY), None][..times], "{flag} {limit}");
        }
    }
}

#[tokio::test]
async fn internal_server_error_has_the_status_that_is_set() {
    for (flag, status) in [
        ("--internal-server-error-status=500", 500),
        ("--internal-server-error-status=400", 400),
    ] {
        let emulator = flagged(&[flag]).await;
        let rule = r#"{"kind": "error", "code": "InternalServerError", "calls": 1}"#;
        let rules = emulator.control("POST", "/_emulator/faults", rule).send().await;
        assert_eq!(rules.json()["faults"][0]["status"], status);
        let answer = emulator.ask("ListTapes", json!({})).await;
        assert_eq!(
            (answer.status, answer.kind().as_str()),
            (status, "InternalServerError")
        );
        let rule = r#"{"kind": "error", "code": "InternalServerError", "status": 503}"#;
        emulator.control("POST", "/_emulator/faults", rule).send().await;
        assert_eq!(emulator.ask("ListTapes", json!({})).await.status, 503);
    }
}

#[tokio::test]
async fn limits_are_those_that_are_set() {
    let emulator = flagged(&[
        "--account-id=210987654321",
        "--min-tape-size-gib=1",
        "--max-tape-size-gib=2",
        "--tapes-per-page=3",
        "--max-request-bytes=2048",
        "--clock-skew=1m",
    ])
    .await;
    let gateway = GATEWAY.replace("123456789012", "210987654321");
    for (gib, fits) in [(1, true), (2, true), (3, false), (100, false)] {
        let mut body = create(&format!("NEW{gib:03}"));
        body["GatewayARN"] = gateway.clone().into();
        body["TapeSizeInBytes"] = (gib * GIB).into();
        let answer = emulator.ask("CreateTapeWithBarcode", body).await;
        assert_eq!(answer.status == 200, fits, "{}", answer.json());
    }
    let page = emulator.answer("ListTapes", json!({ "Limit": 100 })).await;
    assert_eq!(page["TapeInfos"].as_array().unwrap().len(), 3);
    let long = json!({ "Odd": "x".repeat(2048) });
    assert_eq!(
        emulator.code("ListTapes", long).await,
        "MaximumContentLengthExceeded"
    );
    for (age, status) in [(MINUTE / 2, 200), (2 * MINUTE, 400)] {
        let mut request = emulator.unsigned("ListTapes", "{}");
        request.sign(KEY_ID, SECRET, SystemTime::now() - age);
        assert_eq!(request.send().await.status, status);
    }
}

#[tokio::test]
async fn a_library_is_full_at_what_is_set() {
    let few = flagged(&["--tapes-per-library=1", "--seed-tapes=0"]).await;
    let small = format!("--bytes-per-library={}", 2 * SIZE - 1);
    let small = flagged(&[
        &small,
        "--code-of-full-library=InvalidParameters",
        "--seed-tapes=0",
    ])
    .await;
    for (emulator, code) in [
        (few, "MaximumTapeCartridgeCountExceeded"),
        (small, "InvalidParameters"),
    ] {
        emulator.answer("CreateTapeWithBarcode", create("NEW001")).await;
        assert_eq!(
            emulator.code("CreateTapeWithBarcode", create("NEW002")).await,
            code
        );
    }
}

#[tokio::test]
async fn a_gateway_without_cache_or_connection_answers_as_set() {
    let emulator = flagged(&[
        "--code-without-cache=InvalidParameters",
        "--describe-offline=false",
    ])
    .await;
    let path = "/_emulator/gateways/us-east-1/sgw-12A3456B";
    emulator.control("PUT", path, r#"{"cache": false}"#).send().await;
    assert_eq!(
        emulator.code("CreateTapeWithBarcode", create("NEW001")).await,
        "InvalidParameters"
    );
    emulator
        .control("PUT", path, r#"{"connected": false}"#)
        .send()
        .await;
    assert_eq!(
        emulator
            .code("DescribeTapes", json!({ "GatewayARN": GATEWAY }))
            .await,
        "GatewayNotConnected"
    );
}

#[tokio::test]
async fn a_tapes_life_takes_the_times_that_are_set() {
    let emulator = flagged(&[
        "--creating-time=1s",
        "--upload-bytes-per-second=1024",
        "--small-tape-bytes=2048",
        "--archiving-time=2s",
        "--min-retrieving-time-glacier=4s",
        "--max-retrieving-time-glacier=4s",
        "--retrieving-time-deep-archive=8s",
        "--deleting-time=5s",
        "--deleted-time=6s",
    ])
    .await;
    emulator.answer("CreateTapeWithBarcode", create("NEW001")).await;
    let passes = async |from: &str, wait: Duration, to: &str| {
        assert_eq!(emulator.status("NEW001").await, from);
        emulator.step(wait - Duration::from_millis(1));
        assert_eq!(emulator.status("NEW001").await, from);
        emulator.step(Duration::from_millis(1));
        assert_eq!(emulator.status("NEW001").await, to);
    };
    let arn = tape("NEW001");
    passes("CREATING", SECOND, "AVAILABLE").await;
    emulator.emulator.write(&arn, 3072).unwrap();
    emulator.emulator.eject(&arn).unwrap();
    passes("IN TRANSIT TO VTS", 3 * SECOND, "ARCHIVING").await;
    passes("ARCHIVING", 2 * SECOND, "ARCHIVED").await;
    let retrieve = json!({ "GatewayARN": GATEWAY, "TapeARN": arn });
    emulator.answer("RetrieveTapeArchive", retrieve.clone()).await;
    passes("RETRIEVING", 4 * SECOND, "RETRIEVED").await;
    emulator.emulator.eject(&arn).unwrap();
    let deep = json!({ "TapeARN": arn, "PoolId": "DEEP_ARCHIVE" });
    emulator.answer("AssignTapePool", deep).await;
    emulator.answer("RetrieveTapeArchive", retrieve).await;
    passes("RETRIEVING", 8 * SECOND, "RETRIEVED").await;
    emulator.emulator.eject(&arn).unwrap();
    emulator
        .answer("DeleteTapeArchive", json!({ "TapeARN": arn }))
        .await;
    passes("DELETING", 5 * SECOND, "DELETED").await;
    passes("DELETED", 6 * SECOND, "gone").await;

    // One with fewer bytes is not seen on its way.
    let emulator = flagged(&["--small-tape-bytes=2048"]).await;
    let arn = emulator.made("NEW001", 2047).await;
    emulator.emulator.eject(&arn).unwrap();
    assert_eq!(emulator.status("NEW001").await, "ARCHIVING");
}

#[tokio::test]
async fn the_calls_that_show_a_moving_tape_are_those_that_are_set() {
    let filter = |barcode: &str| json!({ "GatewayARN": GATEWAY, "TapeARNs": [tape(barcode)] });
    for (flags, barcode, in_library, in_archive) in [
        ([].as_slice(), "TST000005", true, false),
        (&["--leaving-in-library=false"], "TST000005", false, false),
        (&["--leaving-in-archive=true"], "TST000006", true, true),
        (&[], "TST000016", false, true),
        (&["--retrieving-in-library=true"], "TST000016", true, true),
    ] {
        let emulator = flagged(flags).await;
        let library = emulator.answer("DescribeTapes", filter(barcode)).await;
        let archive = emulator.answer("DescribeTapeArchives", filter(barcode)).await;
        let is_shown = |rows: &Value| !rows.as_array().unwrap().is_empty();
        assert_eq!(is_shown(&library["Tapes"]), in_library, "{flags:?}");
        assert_eq!(is_shown(&archive["TapeArchives"]), in_archive, "{flags:?}");
    }
}
