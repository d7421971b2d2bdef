use tapegate::grpc::proto::ListTapesRequest;

use super::*;
use crate::harness::{Site, bearer, collect, eventually, get};

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_has_a_session_of_its_own_where_the_operator_wants_it() {
    let world = World::new().await;
    let site = Site::new();
    site.policies("permit (principal, action, resource);");
    let config = format!(
        r#"{}
        [upstream]
        max_caller_sessions = 2

        [[account]]
        id = "{MAIN}"
        role = "{}"
        session_name = "berlin"
        session_per_caller = true
        session_tags = true
        "#,
        site.config(),
        role(MAIN),
    );
    let program = world.serve(&config, &[]);
    let channel = Channel::from_shared(program.grpc.clone()).unwrap().connect_lazy();
    let names = ["agent-1", "spiffe://example.org/agent 2", "agent-3"];
    for name in names.iter().chain(&names[1..]) {
        let mut client = bearer(channel.clone(), Some(&site.jwt(name, &[])));
        collect(client.list_tapes(ListTapesRequest::default()).await)
            .await
            .unwrap();
    }
    let sessions: Vec<_> = world
        .signed()
        .into_iter()
        .map(|[.., session, _]| session)
        .collect();
    let [one, two, three] = [
        "berlin-agent-1",
        "berlin-spiffe___example.org_agent_2-460f39",
        "berlin-agent-3",
    ];
    assert_eq!(sessions, [one, two, three, two, three]);
    let begun = world.emulator.sessions();
    let tags: Vec<_> = begun.iter().map(|(session, _)| &session.tags).collect();
    assert!(
        tags.iter().all(|tags| tags["tapegate:service"] == "berlin"),
        "{tags:?}"
    );
    let callers: Vec<_> = begun
        .iter()
        .filter_map(|(session, _)| session.tags.get("tapegate:caller"))
        .map(String::as_str)
        .collect();
    // Those that were used last are kept.
    assert_eq!(
        callers.iter().filter(|name| **name != "agent-1").count(),
        2,
        "{callers:?}"
    );
    assert!(callers.contains(&names[1]), "{callers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_callers_may_not_assume_is_told() {
    let world = World::new().await;
    let config = format!("{ACCOUNTS}session_per_caller = true\n");
    let flags = [
        "--allow-anonymous",
        "--upstream-credentials-pause=200ms",
        "--log-filter=error",
    ];
    let program = world.serve(&config, &flags);
    // The session of the service has begun, and lasts.
    world.emulator.refuse_role(&role(CHINA));
    let mut client = connect(&program).await;
    list(&mut client, CHINA, "cn-north-1").await.unwrap_err();
    let told = async || {
        let (_, page) = get(&format!("{}/readyz", program.admin)).await;
        page.contains("credentials_missing") && page.contains(&role(CHINA))
    };
    for _ in 0..5 {
        eventually("the refusal is told", told).await;
    }
    world.emulator.allow_role(&role(CHINA));
    let served = async || {
        list(&mut connect(&program).await, CHINA, "cn-north-1")
            .await
            .is_ok()
    };
    eventually("the account is served", served).await;
}
