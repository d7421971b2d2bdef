//! What backup software does to tapes, by the control API.

use serde_json::{Value, json};
use tapegate_emulator::Settings;

use super::{Answer, GATEWAY, Running, SIZE, settings};

const TAPES: &str = "arn:aws:storagegateway:us-east-1:123456789012:tape/";

fn arn(n: usize) -> String {
    format!("{TAPES}TST{n:06}")
}

fn drive(n: usize) -> String {
    format!("{GATEWAY}/device/AMZN_SGW-12A3456B_TAPEDRIVE_{n:05}")
}

async fn start() -> Running {
    let settings = Settings {
        time_scale: 0,
        ..settings()
    };
    Running::start(settings).await
}

async fn post(emulator: &Running, path: &'static str, body: Value) -> Answer {
    emulator.control("POST", path, body.to_string()).send().await
}

async fn done(emulator: &Running, path: &'static str, body: Value) -> Value {
    let answer = post(emulator, path, body).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

async fn refused(emulator: &Running, path: &'static str, body: Value) -> (u16, String) {
    let answer = post(emulator, path, body).await;
    let json = answer.json();
    let [error] = json["errors"].as_array().unwrap().as_slice() else {
        panic!("not one error: {json}")
    };
    (answer.status, error.as_str().unwrap().to_owned())
}

/// The drive that AWS clients see the tape in.
async fn device(emulator: &Running, arn: &str) -> Option<String> {
    let call = emulator.client().describe_tapes().gateway_arn(GATEWAY);
    let answer = call.tape_arns(arn).send().await.unwrap();
    answer.tapes.unwrap().pop().unwrap().vtl_device
}

#[tokio::test]
async fn a_tape_is_loaded_written_unloaded_and_ejected() {
    let emulator = start().await;
    let tape = arn(1);
    let state = |status: &str, device: Value, used: u64| json!({"arn": tape, "status": status, "device": device, "used": used, "size": SIZE});
    // A seeded tape is in the first drive.
    let loaded = done(&emulator, "/_emulator/load", json!({ "tape_arn": tape })).await;
    assert_eq!(loaded, state("AVAILABLE", json!(drive(2)), 0));
    assert_eq!(device(&emulator, &tape).await, Some(drive(2)));
    let write = json!({"tape_arn": tape, "bytes": 1_000});
    let written = done(&emulator, "/_emulator/write", write.clone()).await;
    assert_eq!(written, state("AVAILABLE", json!(drive(2)), 1_000));
    let unloaded = done(&emulator, "/_emulator/unload", json!({ "tape_arn": tape })).await;
    assert_eq!(unloaded, state("AVAILABLE", Value::Null, 1_000));
    assert_eq!(device(&emulator, &tape).await, None);
    let written = done(&emulator, "/_emulator/write", write).await;
    assert_eq!(written, state("AVAILABLE", Value::Null, 2_000));
    done(&emulator, "/_emulator/load", json!({ "tape_arn": tape })).await;
    let ejected = done(&emulator, "/_emulator/eject", json!({ "tape_arn": tape })).await;
    assert_eq!(ejected, state("ARCHIVING", Value::Null, 2_000));
}

#[tokio::test]
async fn a_gateway_has_ten_drives_and_the_first_free_one_is_taken() {
    let emulator = start().await;
    for (n, tape) in (18..).take(9).enumerate() {
        let loaded = done(&emulator, "/_emulator/load", json!({ "tape_arn": arn(tape) })).await;
        assert_eq!(loaded["device"], drive(n + 2));
    }
    let full = refused(&emulator, "/_emulator/load", json!({ "tape_arn": arn(30) })).await;
    let all = "all 10 tape drives of the gateway are in use; unload or eject a tape";
    assert_eq!(full, (409, all.to_owned()));
    done(&emulator, "/_emulator/eject", json!({ "tape_arn": arn(20) })).await;
    done(&emulator, "/_emulator/unload", json!({ "tape_arn": arn(19) })).await;
    for (tape, number) in [(30, 3), (31, 4)] {
        let loaded = done(&emulator, "/_emulator/load", json!({ "tape_arn": arn(tape) })).await;
        assert_eq!(loaded["device"], drive(number));
    }
}

#[tokio::test]
async fn a_drive_rejects_an_impossible_action_with_the_reason() {
    let emulator = start().await;
    let tape = |n: usize| json!({ "tape_arn": arn(n) });
    let statuses = "AVAILABLE, RETRIEVED or RECOVERED";
    for (path, body, status, error) in [
        (
            "/_emulator/load",
            tape(3),
            409,
            format!("the tape is already in the drive {}", drive(1)),
        ),
        (
            "/_emulator/load",
            tape(4),
            409,
            format!("the tape is CREATING; to load it, it must be {statuses}"),
        ),
        (
            "/_emulator/load",
            tape(200),
            409,
            format!("the tape is ARCHIVED; to load it, it must be {statuses}"),
        ),
        (
            "/_emulator/unload",
            tape(1),
            409,
            "the tape is not in a drive; load it first".to_owned(),
        ),
        (
            "/_emulator/eject",
            tape(200),
            409,
            "the tape is ARCHIVED; to eject it, it must be AVAILABLE or RETRIEVED".to_owned(),
        ),
        (
            "/_emulator/write",
            json!({"tape_arn": arn(7), "bytes": 1}),
            409,
            "the tape is RETRIEVED; to write it, it must be AVAILABLE".to_owned(),
        ),
        (
            "/_emulator/write",
            json!({"tape_arn": arn(1), "bytes": SIZE + 1}),
            409,
            format!("the tape has room for {SIZE} more bytes"),
        ),
    ] {
        assert_eq!(
            refused(&emulator, path, body.clone()).await,
            (status, error),
            "{path} {body}"
        );
    }
    for nowhere in [arn(999), arn(12), "TST000001".to_owned(), String::new()] {
        for path in ["/_emulator/load", "/_emulator/unload", "/_emulator/eject"] {
            let refused = refused(&emulator, path, json!({ "tape_arn": nowhere })).await;
            let expected = format!("no tape has the ARN {nowhere}");
            assert_eq!(refused, (404, expected), "{path}");
        }
    }
    for tape in [7, 9] {
        let loaded = done(&emulator, "/_emulator/load", json!({ "tape_arn": arn(tape) })).await;
        assert!(loaded["device"].is_string(), "{loaded}");
    }
}

#[tokio::test]
async fn a_wrong_request_gets_a_list_of_every_problem() {
    let emulator = start().await;
    let answer = post(
        &emulator,
        "/_emulator/write",
        json!({"tape": "x", "tape_arn": 1, "bytes": -1}),
    )
    .await;
    let expected = json!({"errors": [
        "tape_arn: 1 is wrong; it takes the ARN of a tape",
        "bytes: -1 is wrong; it takes a whole number of bytes, 0 or more",
        "tape: is unknown; the members are tape_arn, bytes",
    ]});
    assert_eq!((answer.status, answer.json()), (400, expected));
    for path in ["/_emulator/load", "/_emulator/unload", "/_emulator/eject"] {
        let expected = "tape_arn: is missing; it takes the ARN of a tape".to_owned();
        assert_eq!(refused(&emulator, path, json!({})).await, (400, expected));
    }
}
