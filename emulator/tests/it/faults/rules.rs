//! Which calls a rule hits, and which rules are right.

use super::*;
use crate::{KEY_ID, SECRET};

fn error(more: &Value) -> Value {
    let mut rule = json!({"kind": "error", "code": "ServiceUnavailable"});
    rule.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    rule
}

#[tokio::test]
async fn a_rule_hits_only_the_next_calls() {
    let emulator = with(&error(&json!({"calls": 2}))).await;
    assert_eq!(hits(&emulator, 4).await, [true, true, false, false]);
    let rule = &shown(&emulator).await[0];
    assert_eq!((&rule["seen"], &rule["hit"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn a_rule_hits_only_its_operations() {
    let emulator = with(&error(&json!({"operations": ["CreateTapeWithBarcode"]}))).await;
    let client = emulator.client();
    list(&client).await.unwrap();
    create(&client, "MINE01").await.unwrap_err();
    assert_eq!(shown(&emulator).await[0]["seen"], 1);
}

#[tokio::test]
async fn a_rule_hits_only_its_regions() {
    let emulator = with(&error(&json!({"regions": ["eu-west-1", "eu-west-2"]}))).await;
    list(&emulator.client()).await.unwrap();
    for region in ["eu-west-1", "eu-west-2"] {
        let client = emulator.client_of(region, KEY_ID, SECRET);
        list(&client).await.unwrap_err();
    }
    let unsigned = emulator.unsigned("ListTapes", "{}").send().await;
    assert_eq!(unsigned.status, 400);
    let rule = &shown(&emulator).await[0];
    assert_eq!(rule["seen"], 2);
    assert_eq!(rule["regions"], json!(["eu-west-1", "eu-west-2"]));
}

#[tokio::test]
async fn a_share_of_calls_is_hit_and_a_seed_hits_the_same_ones() {
    const CALLS: usize = 200;
    let runs = async |seed: u64| {
        let emulator = with(&error(&json!({"share": 0.3, "seed": seed}))).await;
        hits(&emulator, CALLS).await
    };
    let (first, again, other) = tokio::join!(runs(7), runs(7), runs(8));
    assert_eq!(first, again);
    assert_ne!(first, other);
    let hit = first.iter().filter(|hit| **hit).count();
    // Seven standard deviations of a fair draw are 45.
    assert!((15..=105).contains(&hit), "{hit}");
}

#[tokio::test]
async fn rules_without_a_seed_repeat_after_all_rules_are_deleted() {
    let rules = json!([error(&json!({"share": 0.5})), error(&json!({"share": 0.5}))]);
    let emulator = with(&rules).await;
    let first = hits(&emulator, 40).await;
    let seeds = |rules: &Value| (rules[0]["seed"].clone(), rules[1]["seed"].clone());
    let (one, two) = seeds(&shown(&emulator).await);
    assert_ne!(one, two, "two rules of the same luck");
    emulator.control("DELETE", FAULTS, "").send().await;
    emulator.control("POST", FAULTS, rules.to_string()).send().await;
    assert_eq!(hits(&emulator, 40).await, first);
}

#[tokio::test]
async fn the_first_rule_that_hits_acts() {
    let emulator = with(&json!([
        error(&json!({"calls": 1})),
        {"kind": "error", "code": "InternalFailure", "calls": 1},
    ]))
    .await;
    let client = emulator.client();
    assert_eq!(codes(&list(&client).await.unwrap_err()).0, "ServiceUnavailable");
    assert_eq!(codes(&list(&client).await.unwrap_err()).0, "InternalFailure");
    list(&client).await.unwrap();
}

#[tokio::test]
async fn rules_are_listed_and_deleted_one_by_one() {
    let emulator = with(&json!([
        {"kind": "latency", "min_ms": 5},
        {"kind": "reset", "operations": ["CreateTapes"], "share": 0.5, "calls": 9, "seed": 3, "when": "after"},
    ]))
    .await;
    let second = json!({
        "id": 2, "kind": "reset", "operations": ["CreateTapes"], "share": 0.5, "calls": 9, "seed": 3,
        "when": "after", "seen": 0, "hit": 0
    });
    assert_eq!(
        shown(&emulator).await,
        json!([
            {"id": 1, "kind": "latency", "min_ms": 5, "max_ms": 5, "when": "before", "share": 1.0, "seed": 1,
             "seen": 0, "hit": 0},
            second,
        ])
    );
    let left = emulator.control("DELETE", "/_emulator/faults/1", "").send().await;
    assert_eq!(left.json(), json!({"faults": [second]}));
}

#[tokio::test]
async fn every_problem_of_rules_is_reported_at_once_and_none_is_added() {
    let emulator = Running::start(settings()).await;
    let rules = json!([
        {"kind": "reset"},
        {"kind": "latency", "max_ms": -1, "share": 1.5, "calls": 0, "operations": ["MakeTapes"]},
        {"kind": "latency", "min_ms": 9, "max_ms": 3},
        {"kind": "explosion", "size": 3},
        {"kind": "error", "status": 200, "when": "later"},
        {"kind": "throttle", "rate": "fast"},
        {"kind": "clock-skew", "seconds": 1e9, "ms": 5},
        7,
        {"kind": "http", "status": 100, "content_type": "a\nb", "body": 1, "regions": []},
    ]);
    let answer = emulator.control("POST", FAULTS, rules.to_string()).send().await;
    assert_eq!(answer.status, 400);
    let body = answer.json();
    let errors = body["errors"].as_array().unwrap();
    let paths: Vec<&str> = errors
        .iter()
        .map(|error| error.as_str().unwrap().split(':').next().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "[1].operations",
            "[1].share",
            "[1].calls",
            "[1].min_ms",
            "[1].max_ms",
            "[2].max_ms",
            "[3].kind",
            "[4].code",
            "[4].status",
            "[4].when",
            "[5].rate",
            "[5].burst",
            "[6].seconds",
            "[6].ms",
            "[7]",
            "[8].regions",
            "[8].status",
            "[8].content_type",
            "[8].body",
        ],
        "{body:#}"
    );
    assert!(
        errors[13].as_str().unwrap().ends_with(
            "ms: is unknown; the members are operations, regions, share, calls, seed, kind, seconds"
        )
    );
    assert_eq!(shown(&emulator).await, json!([]));
}

#[tokio::test]
async fn at_most_a_thousand_rules_are_active() {
    let thousand = vec![json!({"kind": "latency", "min_ms": 0}); 1_000];
    let emulator = with(&json!(thousand)).await;
    let answer = emulator
        .control("POST", FAULTS, json!({"kind": "hang"}).to_string())
        .send()
        .await;
    assert_eq!(answer.status, 400);
    list(&emulator.client()).await.unwrap();
}
