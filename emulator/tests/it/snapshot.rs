//! The whole state as a document, by the control API.

use serde_json::{Value, json};
use tapegate_emulator::Settings;

use super::{GATEWAY, Running, SIZE, assert_rejected, settings};

const SNAPSHOT: &str = "/_emulator/snapshot";

async fn taken(emulator: &Running) -> Value {
    let answer = emulator.control("GET", SNAPSHOT, "").send().await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json"));
    answer.json()
}

async fn stopped() -> Running {
    Running::start(Settings {
        time_scale: 0,
        ..settings()
    })
    .await
}

#[tokio::test]
async fn a_snapshot_restores_tapes_tokens_and_the_time() {
    let emulator = stopped().await;
    let client = emulator.client();
    let many = || {
        let many = client
            .create_tapes()
            .gateway_arn(GATEWAY)
            .tape_size_in_bytes(SIZE);
        let many = many.client_token("token").tape_barcode_prefix("SNAP");
        many.num_tapes_to_create(2)
    };
    let made = many().send().await.unwrap();
    let before = taken(&emulator).await;

    let tape = made.tape_arns()[0].clone();
    let delete = client.delete_tape().gateway_arn(GATEWAY).tape_arn(&tape);
    delete.send().await.unwrap();
    emulator.emulator.step(std::time::Duration::from_secs(86_400));
    assert_ne!(taken(&emulator).await, before);

    let other = stopped().await;
    for emulator in [&emulator, &other] {
        let restored = emulator.control("PUT", SNAPSHOT, before.to_string()).send().await;
        assert_eq!(restored.status, 204);
        assert_eq!(taken(emulator).await, before);
    }
    let again = many().send().await.unwrap();
    assert_eq!(again.tape_arns(), made.tape_arns());
    assert_rejected(many().num_tapes_to_create(3).send().await, "InvalidParameters");
    assert_eq!(taken(&emulator).await, before);
}

#[tokio::test]
async fn every_problem_of_a_snapshot_is_reported_and_nothing_changes() {
    let emulator = stopped().await;
    let before = taken(&emulator).await;
    let mut wrong = before.clone();
    wrong["format"] = json!(2);
    wrong["account_id"] = json!("1");
    wrong["clock"] = json!(-1);
    wrong["more"] = json!(null);
    let region = &mut wrong["regions"]["us-east-1"];
    region["counters"] = json!({"barcodes": -1});
    region["gateways"]["sgw-1"] = json!({"name": "x", "kind": "VTL", "cache": true, "connected": true});
    region["pools"]["x"] = json!({"name": "x", "class": "GLACIER", "lock": "NONE"});
    region["tags"]["x"] = json!({"key": 1});
    region["tapes"]["TST000001"]["gateway"] = json!("gone");
    region["tapes"]["TST000002"]["pool"] = json!("gone");
    region["tapes"]["TST000003"]["used"] = json!(-1);
    region["tapes"]["TST000004"] = json!({"status": "LOST", "size": "1", "pool": "GLACIER", "odd": 1});
    region["tapes"]["lower"] = before["regions"]["us-east-1"]["tapes"]["TST000001"].clone();
    region["tokens"]["token"] = json!({"barcodes": ["NONE00"], "at": -1, "gateway": "", "size": 1, "tags": [],
        "count": 1, "prefix": "A"});
    let answer = emulator.control("PUT", SNAPSHOT, wrong.to_string()).send().await;
    assert_eq!(answer.status, 400);
    let body = answer.json();
    let mut named: Vec<&str> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error.as_str().unwrap().split(": ").next().unwrap())
        .collect();
    named.sort_unstable();
    let mut expected = [
        "format",
        "account_id",
        "clock",
        "more",
        "regions.us-east-1.counters.barcodes",
        "regions.us-east-1.counters.pools",
        "regions.us-east-1.gateways.sgw-1",
        "regions.us-east-1.pools.x",
        "regions.us-east-1.tags.x.key",
        "regions.us-east-1.tapes.TST000001.gateway",
        "regions.us-east-1.tapes.TST000002.pool",
        "regions.us-east-1.tapes.TST000003.used",
        "regions.us-east-1.tapes.TST000004.created",
        "regions.us-east-1.tapes.TST000004.odd",
        "regions.us-east-1.tapes.TST000004.size",
        "regions.us-east-1.tapes.TST000004.status",
        "regions.us-east-1.tapes.lower",
        "regions.us-east-1.tokens.token.at",
        "regions.us-east-1.tokens.token.barcodes",
    ];
    expected.sort_unstable();
    assert_eq!(named, expected, "{body}");
    assert_eq!(taken(&emulator).await, before);
}

#[tokio::test]
async fn an_invalid_document_is_rejected() {
    let emulator = stopped().await;
    let before = taken(&emulator).await;
    for body in ["", "{", "[]", "{}", "null", r#"{"regions": {"us-east-1": 1}}"#] {
        let answer = emulator.control("PUT", SNAPSHOT, body).send().await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(!answer.json()["errors"].as_array().unwrap().is_empty(), "{body}");
    }
    assert_eq!(taken(&emulator).await, before);
}

#[tokio::test]
async fn a_snapshot_over_the_limit_is_rejected_naming_the_setting() {
    let emulator = Running::start(Settings {
        max_snapshot_bytes: 1_024,
        ..settings()
    })
    .await;
    let answer = emulator.control("PUT", SNAPSHOT, "x".repeat(1_025)).send().await;
    assert_eq!(answer.status, 413);
    let body = answer.json();
    let error = body["errors"][0].as_str().unwrap();
    assert!(
        error.contains("1024 bytes") && error.contains("the setting max_snapshot_bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn a_reset_restores_the_seed_and_the_initial_rules() {
    let rule = json!([{"kind": "latency", "min_ms": 1, "max_ms": 1}]).to_string();
    let emulator = Running::start(Settings {
        time_scale: 0,
        faults: tapegate_emulator::FaultRule::read_all(&rule).unwrap(),
        ..settings()
    })
    .await;
    let fresh = taken(&emulator).await;
    let rules = || emulator.control("GET", "/_emulator/faults", "").send();
    let first = rules().await.json();

    let create = emulator.client().create_tape_with_barcode().gateway_arn(GATEWAY);
    let create = create.tape_size_in_bytes(SIZE).tape_barcode("RESET1");
    create.send().await.unwrap();
    emulator.emulator.step(std::time::Duration::from_secs(86_400));
    emulator.control("DELETE", "/_emulator/faults", "").send().await;

    assert_eq!(
        emulator
            .control("POST", "/_emulator/reset", "")
            .send()
            .await
            .status,
        204
    );
    let reset = taken(&emulator).await;
    assert_eq!(reset["regions"], fresh["regions"]);
    let ran = reset["clock"].as_i64().unwrap() - fresh["clock"].as_i64().unwrap();
    assert!((0..86_400_000).contains(&ran), "{ran}");
    assert_eq!(rules().await.json(), first);
}
