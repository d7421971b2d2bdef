//! What a test sees and changes of callers over the control API: roles, sessions, signed calls, and
//! faults of STS.

use serde_json::{Value, json};

use super::{
    KEY_ID, Running,
    accounts::{OTHER, three},
    codes,
    sts::{ROLE, SESSION, keys},
};

impl Running {
    async fn page(&self, method: &'static str, path: &'static str, body: Value) -> Value {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let answer = self.control(method, path, body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }
}

#[tokio::test]
async fn the_control_api_refuses_roles_and_ends_sessions() {
    let emulator = Running::start(three()).await;
    let issued = emulator.assume(keys(KEY_ID), &[]).await.credentials();
    let client = emulator.client_with(issued);

    let refused = json!({ "role_arn": ROLE, "refused": true });
    let roles = emulator.page("PUT", "/_emulator/roles", refused).await;
    let expected = json!({ "roles": [{
        "role_arn": ROLE, "refused": true, "needs_external_id": false, "trusted_accounts": null,
    }] });
    assert_eq!(roles, expected);
    assert_eq!(
        emulator.page("GET", "/_emulator/roles", Value::Null).await,
        expected
    );
    let denied = emulator.assume(keys(KEY_ID), &[]).await;
    assert_eq!(denied.error(), (403, "AccessDenied".to_owned()));
    let allowed = json!({ "role_arn": ROLE, "refused": false });
    emulator.page("PUT", "/_emulator/roles", allowed).await;
    assert_eq!(emulator.assume(keys(KEY_ID), &[]).await.status, 200);

    let role = json!({ "role_arn": ROLE });
    let sessions = emulator
        .page("POST", "/_emulator/sessions/revoke", role.clone())
        .await;
    assert_eq!(sessions["sessions"][0]["state"], "revoked");
    let error = client.list_tapes().send().await.unwrap_err();
    assert_eq!(codes(&error).0, "AccessDeniedException");
    emulator.page("POST", "/_emulator/sessions/expire", role).await;
    let error = client.list_tapes().send().await.unwrap_err();
    assert_eq!(codes(&error).0, "ExpiredTokenException");

    let sessions = emulator.page("GET", "/_emulator/sessions", Value::Null).await;
    let session = &sessions["sessions"][0];
    for (member, value) in [
        ("account", OTHER),
        ("role_arn", ROLE),
        ("arn", SESSION),
        ("session_name", "tapegate-1"),
        ("assumed_by", "arn:aws:iam::123456789012:user/AKIDEXAMPLE"),
        ("region", "us-east-1"),
        ("state", "expired"),
    ] {
        assert_eq!(session[member], value, "{member}");
    }
    assert!(session["expires"].as_str().unwrap().ends_with('Z'));
    assert!(!sessions.to_string().contains("secret"));

    let wrong = emulator.control("PUT", "/_emulator/roles", r#"{"role_arn": "Tapes"}"#);
    assert_eq!(
        wrong.send().await.json()["errors"],
        json!([
            "role_arn: \"Tapes\" is wrong; it takes the ARN of an IAM role, such as \
             arn:aws:iam::123456789012:role/Tapes",
            "refused: is missing; it takes true or false",
        ])
    );
}

#[tokio::test]
async fn the_control_api_lists_who_signed_which_call() {
    let emulator = Running::start(three()).await;
    let issued = emulator
        .assume(keys(KEY_ID), &[("SourceIdentity", "tapegate")])
        .await
        .credentials();
    emulator.page("DELETE", "/_emulator/calls", Value::Null).await;
    let id = issued.access_key_id().to_owned();
    let client = emulator.client_in("eu-central-1", issued);
    client.list_gateways().send().await.unwrap();
    let unknown = client.delete_tape_archive();
    let tape = "arn:aws:storagegateway:eu-central-1:210987654321:tape/TST000001";
    unknown.tape_arn(tape).send().await.unwrap_err();
    emulator.client().list_tapes().send().await.unwrap();
    let calls = emulator.page("GET", "/_emulator/calls", Value::Null).await;
    let by_role = |operation: &str, outcome: &str| {
        json!({
            "service": "storagegateway", "operation": operation, "region": "eu-central-1", "account": OTHER,
            "access_key_id": id, "arn": SESSION, "role_arn": ROLE, "session_name": "tapegate-1",
            "source_identity": "tapegate", "outcome": outcome,
        })
    };
    assert_eq!(
        calls["calls"],
        json!([
            by_role("ListGateways", "OK"),
            by_role("DeleteTapeArchive", "InvalidGatewayRequestException TapeCartridgeNotFound"),
            {
                "service": "storagegateway", "operation": "ListTapes", "region": "us-east-1",
                "account": "123456789012", "access_key_id": KEY_ID,
                "arn": "arn:aws:iam::123456789012:user/AKIDEXAMPLE", "role_arn": null, "session_name": null,
                "source_identity": null, "outcome": "OK",
            },
        ])
    );
}

#[tokio::test]
async fn fault_rules_name_operations_of_sts() {
    let emulator = Running::start(three()).await;
    let rules = json!([
        { "kind": "error", "code": "RegionDisabledException", "operations": ["AssumeRole"], "calls": 1 },
        { "kind": "error", "code": "InternalFailure", "operations": ["AssumeRole"], "calls": 1 },
        { "kind": "throttle", "rate": 0, "burst": 0, "operations": ["GetCallerIdentity"] },
        { "kind": "error", "code": "ServiceUnavailable" },
    ]);
    emulator.page("POST", "/_emulator/faults", rules).await;
    let disabled = emulator.assume(keys(KEY_ID), &[]).await;
    assert_eq!(disabled.error(), (403, "RegionDisabledException".to_owned()));
    let failed = emulator.assume(keys(KEY_ID), &[]).await;
    assert_eq!(
        (failed.status, failed.text("Code")),
        (500, "InternalFailure".to_owned())
    );
    assert_eq!(failed.text("Type"), "Receiver");
    let throttled = emulator.sts(keys(KEY_ID), "us-east-1", &[("Action", "GetCallerIdentity")]);
    assert_eq!(throttled.await.error(), (400, "Throttling".to_owned()));
    // A rule without operations is about Storage Gateway.
    assert_eq!(emulator.assume(keys(KEY_ID), &[]).await.status, 200);
    let error = emulator.client().list_tapes().send().await.unwrap_err();
    assert_eq!(codes(&error).0, "ServiceUnavailable");
}
