use serde_json::Value;
use tapegate_emulator::Role;
use tonic::Code;

use super::*;
use crate::harness::{eventually, get, refusal};

/// `/readyz`: the status and the page.
async fn readyz(program: &Program) -> (u16, Value) {
    let (status, page) = get(&format!("{}/readyz", program.admin)).await;
    (status, serde_json::from_str(&page).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_role_is_told_and_touches_no_other_account() {
    let world = World::new().await;
    world.emulator.refuse_role(&role(BACKUP));
    let program = world.serve(
        ACCOUNTS,
        &[
            "--allow-anonymous",
            "--upstream-credentials-pause=200ms",
            "--log-filter=error",
        ],
    );
    let mut client = connect(&program).await;
    for _ in 0..20 {
        list(&mut client, MAIN, "us-east-1").await.unwrap();
        list(&mut client, CHINA, "cn-north-1").await.unwrap();
        let status = list(&mut client, BACKUP, "us-east-1").await.unwrap_err();
        let refused = refusal(&status);
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (Code::Unavailable, "NO_AWS_CREDENTIALS")
        );
        assert!(!status.message().contains(":iam::"), "{}", status.message());
    }
    let (status, page) = readyz(&program).await;
    assert_eq!((status, &page["ready"]), (200, &Value::Bool(true)), "{page}");
    let [one] = &page["aws"].as_array().unwrap()[..] else {
        panic!("{page}");
    };
    assert_eq!(
        [&one["account"], &one["region"], &one["condition"]],
        ["backup", "us-east-1", "credentials_missing"]
    );
    let cause = one["cause"].as_str().unwrap();
    assert!(
        cause.contains(&role(BACKUP)) && cause.contains("AccessDenied"),
        "{cause}"
    );
    let (_, metrics) = get(&format!("{}/metrics", program.admin)).await;
    for (account, condition, value) in [
        ("backup", "credentials_missing", 1),
        ("main", "credentials_missing", 0),
    ] {
        let found = metrics.lines().any(|line| {
            line.starts_with("tapegate_upstream_condition{")
                && line.contains(&format!("tapegate_account=\"{account}\""))
                && line.contains(condition)
                && line.ends_with(&format!(" {value}"))
        });
        assert!(found, "{account} {condition}\n{metrics}");
    }
    // As soon as the role can be assumed, the account is served.
    world.emulator.allow_role(&role(BACKUP));
    let served = async || {
        list(&mut connect(&program).await, BACKUP, "us-east-1")
            .await
            .is_ok()
    };
    eventually("the account is served", served).await;
    assert_eq!(readyz(&program).await.1["aws"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_external_id_is_a_refused_role() {
    let of_backup = Role {
        external_id: Some("site-8".to_owned()),
        ..Role::new(role(BACKUP))
    };
    let world = World::with(&[of_backup]).await;
    let program = world.serve(
        ACCOUNTS,
        &[
            "--allow-anonymous",
            "--upstream-credentials-pause=200ms",
            "--log-filter=error",
        ],
    );
    let told = async || {
        let (_, page) = readyz(&program).await;
        let all = page["aws"].as_array().unwrap().iter();
        let of_backup = all.filter(|one| one["account"] == "backup");
        of_backup
            .map(|one| one["cause"].to_string())
            .any(|cause| cause.contains("AccessDenied"))
    };
    eventually("the refusal is told", told).await;
}
