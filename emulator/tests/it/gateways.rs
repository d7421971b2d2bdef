//! Gateways that are made, changed and cut off, and what an AWS client is told of them.

use std::time::Duration;

use aws_sdk_storagegateway::Client;
use serde_json::{Value, json};
use tapegate_emulator::{ErrorCode, Settings, Undocumented};

use super::{Answer, GATEWAY, GIB, Raw, Running, SIZE, assert_rejected, settings};

const LIST: &str = "/_emulator/gateways";
const SEEDED: &str = "/_emulator/gateways/us-east-1/sgw-12A3456B";
const OTHER: &str = "/_emulator/gateways/us-east-1/sgw-0F0F0F0F";
const OTHER_ARN: &str = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-0F0F0F0F";
const ARCHIVED: &str = "arn:aws:storagegateway:us-east-1:123456789012:tape/TST000200";
const AVAILABLE: &str = "arn:aws:storagegateway:us-east-1:123456789012:tape/TST000001";
const MINUTE: Duration = Duration::from_secs(60);

async fn start() -> Running {
    stopped(settings()).await
}

async fn stopped(settings: Settings) -> Running {
    let settings = Settings {
        time_scale: 0,
        ..settings
    };
    Running::start(settings).await
}

async fn put(emulator: &Running, path: &'static str, body: Value) -> Answer {
    emulator.control("PUT", path, body.to_string()).send().await
}

/// Makes or changes a gateway, as it is shown then.
async fn made(emulator: &Running, path: &'static str, body: Value) -> Value {
    let answer = put(emulator, path, body).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

async fn listed(emulator: &Running) -> Vec<Value> {
    let answer = emulator.control("GET", LIST, "").send().await;
    answer.json()["gateways"].as_array().unwrap().clone()
}

/// What each operation that needs a tape gateway answers: its nested code, or none.
async fn answers(client: &Client, gateway: &str) -> [Option<String>; 5] {
    macro_rules! code {
        ($call:expr) => {
            $call.send().await.err().map(|error| super::codes(&error).1)
        };
    }
    let create = client.create_tapes().gateway_arn(gateway);
    let create = create.tape_size_in_bytes(SIZE).num_tapes_to_create(2);
    let barcode = client.create_tape_with_barcode().gateway_arn(gateway);
    [
        code!(create.tape_barcode_prefix("NEW").client_token(gateway)),
        code!(barcode.tape_size_in_bytes(SIZE).tape_barcode("NEW001")),
        code!(client.describe_tapes().gateway_arn(gateway)),
        code!(
            client
                .retrieve_tape_archive()
                .gateway_arn(gateway)
                .tape_arn(ARCHIVED)
        ),
        code!(client.delete_tape().gateway_arn(gateway).tape_arn(AVAILABLE)),
    ]
}

fn all(code: &str) -> [Option<String>; 5] {
    [(); 5].map(|()| Some(code.to_owned()))
}

#[tokio::test]
async fn a_gateway_is_made_changed_member_by_member_and_listed() {
    let emulator = start().await;
    let seeded = json!({
        "arn": GATEWAY, "region": "us-east-1", "id": "sgw-12A3456B", "type": "VTL",
        "name": "sgw-12A3456B", "cache": true, "connected": true,
    });
    assert_eq!(listed(&emulator).await, std::slice::from_ref(&seeded));
    let expected = json!({
        "arn": OTHER_ARN, "region": "us-east-1", "id": "sgw-0F0F0F0F", "type": "VTL",
        "name": "sgw-0F0F0F0F", "cache": true, "connected": true,
    });
    assert_eq!(made(&emulator, OTHER, json!({})).await, expected);
    assert_eq!(listed(&emulator).await, [expected.clone(), seeded]);
    for (change, value) in [
        ("name", json!("Cellar")),
        ("cache", json!(false)),
        ("connected", json!(false)),
        ("type", json!("FILE_S3")),
    ] {
        let mut expected = made(&emulator, OTHER, json!({})).await;
        expected[change] = value.clone();
        assert_eq!(made(&emulator, OTHER, json!({ change: value })).await, expected);
    }
    let china = "/_emulator/gateways/cn-north-1/sgw-0123456789ABCDEF0";
    let made = made(&emulator, china, json!({"name": "Far", "type": "CACHED"})).await;
    let arn = "arn:aws-cn:storagegateway:cn-north-1:123456789012:gateway/sgw-0123456789ABCDEF0";
    assert_eq!((&made["arn"], &made["name"]), (&json!(arn), &json!("Far")));
}

#[tokio::test]
async fn every_problem_of_a_gateway_is_reported_at_once_and_nothing_changes() {
    let emulator = start().await;
    let before = listed(&emulator).await;
    let wrong = json!({"type": "TAPE", "name": "a/b", "cache": "yes", "connected": 1, "tapes": []});
    let answer = put(&emulator, "/_emulator/gateways/US/gateway", wrong).await;
    assert_eq!(answer.status, 400);
    let errors = answer.json()["errors"].clone();
    let errors: Vec<&str> = errors
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for member in ["region", "id", "type", "name", "cache", "connected", "tapes"] {
        let about = format!("{member}: ");
        let found = errors.iter().filter(|error| error.starts_with(&about)).count();
        assert_eq!(found, 1, "{member}: {errors:?}");
    }
    for path in [
        "/_emulator/gateways/us-east-1/sgw-1234567",
        "/_emulator/gateways/us-east-1/sgw-12345678901234567890123456789",
        "/_emulator/gateways/us-east-1/sgw-1234567%2F",
        "/_emulator/gateways/us-east-1/tgw-12345678",
        "/_emulator/gateways/1-east/sgw-12345678",
        "/_emulator/gateways/us-east-1-and-further-away/sgw-12345678",
        "/_emulator/gateways/us%3Aeast/sgw-12345678",
    ] {
        assert_eq!(put(&emulator, path, json!({})).await.status, 400, "{path}");
    }
    for name in ["x", " ", "a\\b", "caf\u{e9}"] {
        assert_eq!(
            put(&emulator, OTHER, json!({ "name": name })).await.status,
            400,
            "{name}"
        );
    }
    assert_eq!(listed(&emulator).await, before);
}

#[tokio::test]
async fn a_gateway_with_tapes_keeps_its_type() {
    let emulator = start().await;
    let answer = put(&emulator, SEEDED, json!({"type": "FILE_S3", "name": "Files"})).await;
    assert_eq!(answer.status, 409);
    let errors = &answer.json()["errors"];
    assert_eq!(
        errors,
        &json!(["the gateway's library holds 130 tapes; a gateway with tapes must keep the type VTL"])
    );
    assert_eq!(listed(&emulator).await[0]["name"], "sgw-12A3456B");
    made(&emulator, SEEDED, json!({"type": "VTL", "name": "Tapes"})).await;
}

#[tokio::test]
async fn the_number_of_gateways_is_limited() {
    let emulator = start().await;
    let mut statuses = Vec::new();
    for n in 0..1_000 {
        let path = Box::leak(format!("/_emulator/gateways/us-west-2/sgw-{n:08}").into_boxed_str());
        statuses.push(put(&emulator, path, json!({})).await.status);
    }
    assert!(statuses[..999].iter().all(|status| *status == 200));
    assert_eq!(statuses[999], 409);
    made(&emulator, SEEDED, json!({"name": "Still"})).await;
}

#[tokio::test]
async fn aws_clients_see_gateways_made_by_the_control_api() {
    let emulator = start().await;
    made(&emulator, OTHER, json!({"name": "Cellar", "type": "CACHED"})).await;
    let client = emulator.client();
    let gateways = client.list_gateways().send().await.unwrap().gateways.unwrap();
    let rows: Vec<_> = gateways
        .iter()
        .map(|row| [row.gateway_arn(), row.gateway_name(), row.gateway_type()].map(Option::unwrap))
        .collect();
    assert_eq!(
        rows,
        [[OTHER_ARN, "Cellar", "CACHED"], [GATEWAY, "sgw-12A3456B", "VTL"]]
    );
    let described = client.describe_gateway_information().gateway_arn(OTHER_ARN);
    let described = described.send().await.unwrap();
    assert_eq!(described.gateway_type(), Some("CACHED"));
    assert_eq!(described.gateway_name(), Some("Cellar"));
}

#[tokio::test]
async fn tape_operations_reject_a_gateway_of_another_type() {
    for kind in ["CACHED", "STORED", "FILE_S3", "FILE_FSX_SMB"] {
        let emulator = start().await;
        made(
            &emulator,
            OTHER,
            json!({"type": kind, "cache": false, "connected": false}),
        )
        .await;
        assert_eq!(
            answers(&emulator.client(), OTHER_ARN).await,
            all("NotSupported"),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_gateway_without_a_cache_accepts_no_tape() {
    let emulator = start().await;
    made(&emulator, SEEDED, json!({"cache": false})).await;
    let client = emulator.client();
    let none = || Some("NoDisksAvailable".to_owned());
    assert_eq!(
        answers(&client, GATEWAY).await,
        [none(), none(), None, none(), None]
    );
    made(&emulator, SEEDED, json!({"cache": true})).await;
    let again = client
        .retrieve_tape_archive()
        .gateway_arn(GATEWAY)
        .tape_arn(ARCHIVED);
    again.send().await.unwrap();

    let told = Settings {
        undocumented: Undocumented {
            code_without_cache: ErrorCode::InvalidGateway,
            ..Undocumented::default()
        },
        ..settings()
    };
    let emulator = stopped(told).await;
    made(&emulator, SEEDED, json!({"cache": false})).await;
    let none = || Some("InvalidGateway".to_owned());
    let answers = answers(&emulator.client(), GATEWAY).await;
    assert_eq!(answers, [none(), none(), None, none(), None]);
}

#[tokio::test]
async fn a_gateway_that_is_not_connected_rejects_operations_but_is_listed() {
    let emulator = start().await;
    let client = emulator.client();
    let create = |token: &str| {
        let create = client.create_tapes().gateway_arn(GATEWAY).client_token(token);
        let create = create.tape_size_in_bytes(SIZE).num_tapes_to_create(1);
        create.tape_barcode_prefix("NEW").send()
    };
    let first = create("token").await.unwrap().tape_arns;
    made(&emulator, SEEDED, json!({"connected": false})).await;
    let off = || Some("GatewayNotConnected".to_owned());
    assert_eq!(
        answers(&client, GATEWAY).await,
        [off(), off(), None, off(), off()]
    );
    let described = client.describe_gateway_information().gateway_arn(GATEWAY);
    assert_rejected(described.send().await, "GatewayNotConnected");
    let gateways = client.list_gateways().send().await.unwrap().gateways.unwrap();
    assert_eq!(gateways[0].gateway_operational_state(), Some("ACTIVE"));
    assert_eq!(create("token").await.unwrap().tape_arns, first);

    made(&emulator, SEEDED, json!({"connected": true})).await;
    assert_eq!(answers(&client, GATEWAY).await, [const { None }; 5]);
}

#[tokio::test]
async fn describing_tapes_of_an_offline_gateway_is_configurable() {
    let settings = Settings {
        undocumented: Undocumented {
            describe_offline: false,
            ..Undocumented::default()
        },
        ..settings()
    };
    let emulator = stopped(settings).await;
    made(&emulator, SEEDED, json!({"connected": false})).await;
    assert_eq!(
        answers(&emulator.client(), GATEWAY).await,
        all("GatewayNotConnected")
    );
}

#[tokio::test]
async fn an_offline_gateway_pauses_its_uploads_and_resumes_them() {
    let emulator = start().await;
    let client = emulator.client();
    let described = async || {
        let call = client.describe_tapes().gateway_arn(GATEWAY).tape_arns(AVAILABLE);
        let tape = call.send().await.unwrap().tapes.unwrap().pop();
        tape.map(|tape| (tape.tape_status.unwrap(), tape.progress.unwrap()))
    };
    let in_transit = |progress: f64| Some(("IN TRANSIT TO VTS".to_owned(), progress));
    // 75 GiB at 128 MiB a second take 10 minutes, as ARCHIVING does.
    emulator.emulator.write(AVAILABLE, 75 * GIB as u64).unwrap();
    emulator.emulator.eject(AVAILABLE).unwrap();
    emulator.emulator.step(5 * MINUTE);
    assert_eq!(described().await, in_transit(25.0));

    made(&emulator, SEEDED, json!({"connected": false})).await;
    emulator.emulator.step(60 * MINUTE);
    assert_eq!(described().await, in_transit(25.0));
    made(&emulator, SEEDED, json!({"connected": false, "name": "Off"})).await;

    made(&emulator, SEEDED, json!({"connected": true})).await;
    assert_eq!(described().await, in_transit(25.0));
    emulator.emulator.step(4 * MINUTE);
    assert_eq!(described().await, in_transit(45.0));
    emulator.emulator.step(MINUTE);
    assert_eq!(described().await, Some(("ARCHIVING".to_owned(), 50.0)));

    // What AWS does by itself goes on without the gateway.
    made(&emulator, SEEDED, json!({"connected": false})).await;
    emulator.emulator.step(10 * MINUTE);
    assert_eq!(described().await, None);
    let archive = client.describe_tape_archives().tape_arns(AVAILABLE).send();
    let tape = archive.await.unwrap().tape_archives.unwrap().pop().unwrap();
    assert_eq!(tape.tape_status(), Some("ARCHIVED"));
}

#[tokio::test]
async fn drives_of_an_offline_gateway_reject_every_action() {
    let emulator = start().await;
    made(&emulator, SEEDED, json!({"connected": false})).await;
    for (path, bytes) in [
        ("/_emulator/load", None),
        ("/_emulator/write", Some(1)),
        ("/_emulator/eject", None),
    ] {
        let mut body = json!({ "tape_arn": AVAILABLE });
        if let Some(bytes) = bytes {
            body["bytes"] = json!(bytes);
        }
        let answer = Raw::control(emulator.address, "POST", path, body.to_string())
            .send()
            .await;
        assert_eq!(answer.status, 409, "{path}");
        let expected = format!("the gateway {GATEWAY} is not connected; connect it first");
        assert_eq!(answer.json(), json!({ "errors": [expected] }), "{path}");
    }
}
