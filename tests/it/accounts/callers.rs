use tapegate::grpc::proto::ListTapesRequest;

use super::*;
use crate::harness::{Site, bearer, collect};

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
        "berlin-spiffe___example.org_agent_2",
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
