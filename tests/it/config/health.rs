//! `tapegate health`, against servers in every state.

use std::net::SocketAddr;

use tapegate::{
    app::cli::health::{HealthCheck, Unhealthy},
    grpc::reflection::Reflection,
};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;

use super::*;
use crate::harness::{Ca, Site};

fn health_check(call: &Call) -> HealthCheck {
    match call.parse() {
        Ok(Command::Health(check)) => check,
        other => panic!("{other:?}"),
    }
}

async fn ask(address: SocketAddr, service: &str) -> Result<(), Unhealthy> {
    let call = Call::new("health")
        .arg(format!("--address={address}"))
        .arg(format!("--service={service}"));
    health_check(&call).run().await
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn the_default_address_is_the_listener_of_the_settings() {
    let address = |call: Call| health_check(&call).address.to_string();
    let bare = Call::new("health");
    assert_eq!(address(bare.clone()), "127.0.0.1:50051");
    assert_eq!(
        address(bare.clone().var("TAPEGATE_LISTEN", "127.0.0.1:7")),
        "127.0.0.1:7"
    );
    assert_eq!(address(bare.clone().file("listen = '0.0.0.0:8'")), "127.0.0.1:8");
    assert_eq!(address(bare.clone().file("listen = '[::]:9'")), "[::1]:9");
    // Host names are resolved when the check runs.
    assert_eq!(
        address(bare.clone().arg("--address=gate.example:50051")),
        "gate.example:50051"
    );
    for wrong in [
        "gate.example",
        "gate.example:",
        "gate.example:70000",
        ":1",
        "a b:1",
        "http://a:1",
    ] {
        assert!(
            bare.clone()
                .arg(format!("--address={wrong}"))
                .usage()
                .contains("expected HOST:PORT, such as localhost:50051"),
            "{wrong}"
        );
    }
    // With --address, invalid settings do not matter.
    assert_eq!(
        address(bare.clone().arg("--address=[::]:1").var("TAPEGATE_LISTEN", "?")),
        "[::1]:1"
    );
    assert_faults(
        &bare.clone().var("TAPEGATE_LISTEN", "?"),
        &[("TAPEGATE_LISTEN: invalid value \"?\"", "")],
    );
    assert_eq!(health_check(&bare.clone()).timeout, Duration::from_secs(3));
    for timeout in ["0s", "-1s", "soon", "", "1y"] {
        assert!(
            bare.clone()
                .arg(format!("--timeout={timeout}"))
                .usage()
                .contains("from 1ms to 10m")
        );
    }
}

#[tokio::test]
async fn only_serving_is_healthy() {
    let (listener, address) = listener().await;
    let (reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder()
        .add_service(health)
        .serve_with_incoming(TcpListenerStream::new(listener));
    let server = tokio::spawn(server);

    reporter.set_service_status("", ServingStatus::Serving).await;
    ask(address, "").await.unwrap();
    let unknown = ask(address, "nobody").await.unwrap_err();
    assert!(matches!(unknown, Unhealthy::UnknownService { .. }), "{unknown}");
    assert!(
        unknown.to_string().contains("has no service \"nobody\""),
        "{unknown}"
    );

    reporter.set_service_status("", ServingStatus::NotServing).await;
    let closed = ask(address, "").await.unwrap_err();
    assert_eq!(closed.to_string(), format!("{address} is NOT_SERVING"));
    server.abort();
}

#[tokio::test]
async fn over_tls_only_the_given_certificate_is_accepted() {
    let site = Site::new();
    let service = site.run(&site.config_with_tls(), &[]).await;
    let address = format!("--address={}", service.addresses.grpc);
    let at = |cert: &str| {
        Call::new("health")
            .arg(&address)
            .arg(format!("--cert={}", site.path(cert).display()))
    };
    health_check(&at("server.pem")).run().await.unwrap();
    // Also with the settings of the service itself.
    let file = format!("[tls]\ncert = {:?}", site.path("server.pem"));
    health_check(&Call::new("health").arg(&address).file(file))
        .run()
        .await
        .unwrap();
    let port = service.addresses.grpc.port();
    let pinned = |address: String| {
        Call::new("health")
            .arg(format!("--address={address}"))
            .arg(format!("--cert={}", site.path("server.pem").display()))
    };
    health_check(&pinned(format!("localhost:{port}")))
        .run()
        .await
        .unwrap();

    site.write("other.pem", &Ca::new("another").server().cert);
    let other = health_check(&at("other.pem")).run().await.unwrap_err();
    let missing = health_check(&at("missing.pem")).run().await.unwrap_err();
    let plain = health_check(&Call::new("health").arg(&address))
        .run()
        .await
        .unwrap_err();
    let (insecure, insecure_address) = listener().await;
    let server = Server::builder()
        .add_service(tonic_health::server::health_reporter().1)
        .serve_with_incoming(TcpListenerStream::new(insecure));
    let server = tokio::spawn(server);
    let to_plain = health_check(&pinned(insecure_address.to_string()))
        .run()
        .await
        .unwrap_err();
    server.abort();
    for (error, told) in [
        (other, "its certificate is not the first one in"),
        (missing, "missing.pem cannot be used"),
        (plain, "if the service uses TLS, give its certificate with --cert"),
        (to_plain, "it does not use TLS"),
    ] {
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[tokio::test]
async fn an_unreachable_or_unresponsive_server_and_one_without_grpc_are_unhealthy() {
    let (gone, address) = listener().await;
    drop(gone);
    let error = ask(address, "").await.unwrap_err();
    assert!(matches!(error, Unhealthy::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");

    // Accepts connections, and never responds.
    let (silent, address) = listener().await;
    let call = Call::new("health")
        .arg(format!("--address={address}"))
        .arg("--timeout=50ms");
    let error = health_check(&call).run().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no response from {address} within 50ms")
    );
    drop(silent);

    // Speaks HTTP/1.
    let (web, address) = listener().await;
    let web = tokio::spawn(async move {
        let (mut stream, _) = web.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let error = ask(address, "").await.unwrap_err();
    assert!(matches!(error, Unhealthy::NoResponse { .. }), "{error}");
    web.await.unwrap();

    // Has no health service.
    let (bare, address) = listener().await;
    let reflection = ServerReflectionServer::new(Reflection::new());
    let server = Server::builder()
        .add_service(reflection)
        .serve_with_incoming(TcpListenerStream::new(bare));
    let server = tokio::spawn(server);
    let error = ask(address, "").await.unwrap_err();
    assert!(
        matches!(
            error,
            Unhealthy::Failed {
                code: tonic::Code::Unimplemented,
                ..
            }
        ),
        "{error}"
    );
    server.abort();
}
