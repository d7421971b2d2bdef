use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::Router;
use serde_json::Value;
use tapegate_emulator::Role;
use tonic::Code;

use super::*;
use crate::harness::{HttpServer, Site, bearer, collect, eventually, get, refusal};

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
        let message = status.message();
        assert!(
            message.contains(&format!("no AWS credentials for account {BACKUP};")),
            "{message}"
        );
        assert!(!message.contains(":iam::"), "{message}");
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
    let role_and_session = format!("cannot assume {} in the session tapegate: STS at ", role(BACKUP));
    assert!(cause.starts_with(&role_and_session), "{cause}");
    assert!(cause.contains(": AccessDenied: User: arn:aws:"), "{cause}");
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

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_operator_says_that_an_account_has_lost_its_credentials() {
    let world = World::new().await;
    let arguments = [
        "--allow-anonymous",
        "--upstream-credentials-pause=1h",
        "--log-filter=error",
    ];
    let program = world.serve(ACCOUNTS, &arguments);
    let mut client = connect(&program).await;
    list(&mut client, BACKUP, "us-east-1").await.unwrap();
    world.emulator.refuse_role(&role(BACKUP));
    world.emulator.expire_sessions(&role(BACKUP));
    let lost = async || {
        list(&mut client.clone(), BACKUP, "us-east-1").await.is_err()
            && get(&format!("{}/", program.admin))
                .await
                .1
                .contains("none; last obtained ")
    };
    eventually("the page says so", lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sts_that_hangs_is_named_while_the_service_waits_for_it() {
    let world = World::new().await;
    // Connections are accepted by the kernel, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sts = format!("http://{}", silent.local_addr().unwrap());
    let program = world.serve_with_sts(&sts, ACCOUNTS, &["--allow-anonymous", "--log-filter=error"]);
    let (status, page) = readyz(&program).await;
    assert_eq!(status, 503);
    let reasons = page["reasons"].to_string();
    for account in [MAIN, BACKUP, CHINA] {
        let waits = format!("waiting for a session of {} by STS at {sts}", role(account));
        assert!(reasons.contains(&waits), "{reasons}");
    }
    assert!(!reasons.contains("check the service's role"), "{reasons}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_whose_sessions_were_revoked_gets_a_new_one() {
    let world = World::new().await;
    let arguments = [
        "--allow-anonymous",
        "--upstream-credentials-pause=100ms",
        "--log-filter=error",
    ];
    let program = world.serve(ACCOUNTS, &arguments);
    let mut client = connect(&program).await;
    list(&mut client, BACKUP, "us-east-1").await.unwrap();
    world.emulator.revoke_sessions(&role(BACKUP));
    let status = list(&mut client, BACKUP, "us-east-1").await.unwrap_err();
    assert_eq!(refusal(&status).reason, "ACCESS_DENIED_EXCEPTION");
    let served = async || list(&mut client.clone(), BACKUP, "us-east-1").await.is_ok();
    eventually("a new session is used", served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refused_session_of_one_caller_leaves_the_others_and_readiness_alone() {
    let of_main = Role {
        refused_sessions: vec!["tapegate-two".to_owned()],
        ..Role::new(role(MAIN))
    };
    let world = World::with(&[of_main]).await;
    let site = Site::new();
    site.policies("permit (principal, action, resource);");
    let account = format!(
        "[[account]]\nid = \"{MAIN}\"\nrole = \"{}\"\nsession_per_caller = true\n",
        role(MAIN)
    );
    let config = format!("{}\n{account}", site.config());
    let program = world.serve(
        &config,
        &["--upstream-credentials-pause=100ms", "--log-filter=error"],
    );
    let list = async |name: &str| {
        let channel = Channel::from_shared(program.grpc.clone()).unwrap().connect_lazy();
        let mut client = bearer(channel, Some(&site.jwt(name, &[])));
        collect(client.list_tapes(ListTapesRequest::default()).await)
            .await
            .map(drop)
    };
    list("one").await.unwrap();
    for _ in 0..5 {
        let status = list("two").await.unwrap_err();
        assert_eq!(refusal(&status).reason, "NO_AWS_CREDENTIALS");
        list("one").await.unwrap();
        list("three").await.unwrap();
        let (status, page) = readyz(&program).await;
        assert_eq!((status, &page["aws"]), (200, &Value::Array(Vec::new())), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_sts_rejects_are_told_before_the_first_call() {
    let world = World::new().await;
    write_keys(
        world.home.path(),
        "[default]\naws_access_key_id = AKIDUNKNOWN\naws_secret_access_key = x\n",
    );
    let config = "region = \"us-east-1\"\naccount_id = \"123456789012\"\n";
    let program = world.serve(config, &["--allow-anonymous", "--log-filter=error"]);
    let told = async || {
        let (status, page) = readyz(&program).await;
        let reasons = page["reasons"].to_string();
        status == 503 && reasons.contains("AWS rejects them") && reasons.contains("InvalidClientTokenId")
    };
    eventually("the rejection is told", told).await;
}

/// An STS that gives sessions of this account, until this time, with so much after them.
async fn strange_sts(account: &str, expires: &str, more: usize) -> (HttpServer, Arc<AtomicU32>) {
    let body = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <AssumedRoleUser><Arn>arn:aws:sts::{account}:assumed-role/tapegate/tapegate</Arn>\
         <AssumedRoleId>AROA:tapegate</AssumedRoleId></AssumedRoleUser><Credentials>\
         <AccessKeyId>AKIDMAIN</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
         <SessionToken>token</SessionToken><Expiration>{expires}</Expiration></Credentials>\
         </AssumeRoleResult></AssumeRoleResponse>{}",
        " ".repeat(more)
    );
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let router = Router::new().fallback(move || {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready(body.clone())
    });
    (HttpServer::start(router).await, asked)
}

fn main_alone() -> String {
    let role = role(MAIN);
    format!(
        "region = \"us-east-1\"\naccount_id = \"{MAIN}\"\n[[account]]\nid = \"{MAIN}\"\nrole = \"{role}\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_another_account_and_an_endless_answer_are_no_credentials() {
    for (account, more, part) in [
        (BACKUP, 0, "sent a session of another account"),
        (MAIN, 64 << 20, "length limit"),
    ] {
        let world = World::new().await;
        let (sts, _) = strange_sts(account, "2999-01-01T00:00:00Z", more).await;
        let mut program = world.serve_with_sts(&sts.url, &main_alone(), &["--allow-anonymous"]);
        let line = program.logged("no AWS credentials").await;
        assert!(line.contains(part), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_seems_to_have_expired_is_not_begun_for_each_call() {
    let world = World::new().await;
    let (sts, asked) = strange_sts(MAIN, "2001-01-01T00:00:00Z", 0).await;
    let arguments = ["--allow-anonymous", "--log-filter=error"];
    let program = world.serve_with_sts(&sts.url, &main_alone(), &arguments);
    let mut client = connect(&program).await;
    for _ in 0..10 {
        // The emulator does not know the session.
        list(&mut client, MAIN, "us-east-1").await.unwrap_err();
    }
    assert!(asked.load(Ordering::Relaxed) <= 3, "{asked:?}");
}
