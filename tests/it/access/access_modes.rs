//! The settings `auth.health` and `auth.reflection`.

use http::{HeaderMap, header::AUTHORIZATION};
use tonic::{Code, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use crate::harness::{Site, With};

async fn health(channel: Channel, with: With) -> Result<(), Status> {
    let mut client = HealthClient::with_interceptor(channel, with);
    client.check(HealthCheckRequest::default()).await.map(drop)
}

async fn reflection(channel: Channel, with: With) -> Result<(), Status> {
    let mut client = ServerReflectionClient::with_interceptor(channel, with);
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let answers = client.server_reflection_info(tokio_stream::once(request)).await?;
    answers.into_inner().message().await.map(drop)
}

#[tokio::test]
async fn health_and_reflection_are_open_identified_or_closed() {
    let site = Site::new();
    let bearer = |token: &str| {
        let value = format!("Bearer {token}").parse().unwrap();
        With(HeaderMap::from_iter([(AUTHORIZATION, value)]))
    };
    let authenticated = bearer(&site.token("somebody", &[]));
    // For a caller without credentials, an authenticated caller, and one with an invalid token.
    let modes = [
        ("open", [Code::Ok, Code::Ok, Code::Ok]),
        (
            "identified",
            [Code::Unauthenticated, Code::Ok, Code::Unauthenticated],
        ),
        ("closed", [Code::Unimplemented; 3]),
    ];
    for (mode, expected) in modes {
        let flags = [
            format!("--auth-health={mode}"),
            format!("--auth-reflection={mode}"),
        ];
        let flags = [flags[0].as_str(), flags[1].as_str()];
        let service = site.run(&site.config(), &flags).await;
        let callers = [
            With(HeaderMap::new()),
            authenticated.clone(),
            bearer("tapegate_bad"),
        ];
        for (caller, expected) in callers.into_iter().zip(expected) {
            let code = |result: Result<(), Status>| result.map_or_else(|status| status.code(), |()| Code::Ok);
            let answered = code(health(service.channel(), caller.clone()).await);
            assert_eq!(answered, expected, "health, {mode}");
            let answered = code(reflection(service.channel(), caller).await);
            assert_eq!(answered, expected, "reflection, {mode}");
        }
    }
}
