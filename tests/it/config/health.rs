//! What `tapegate health` makes of servers in every state.

use std::net::SocketAddr;

use tapegate::app::cli::health::{Question, Unhealthy};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use super::*;
use crate::harness::{Ca, Site};

fn question(call: &Call) -> Question {
    match call.parse() {
        Ok(Command::Health(question)) => question,
        other => panic!("{other:?}"),
    }
}

async fn ask(address: SocketAddr, service: &str) -> Result<(), Unhealthy> {
    let call = Call::new("health")
        .arg(format!("--address={address}"))
        .arg(format!("--service={service}"));
    question(&call).ask().await
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn it_asks_where_the_settings_say_that_the_service_listens() {
    let address = |call: Call| question(&call).address.to_string();
    let bare = Call::new("health");
    assert_eq!(address(bare.clone()), "127.0.0.1:50051");
    assert_eq!(
        address(bare.clone().var("TAPEGATE_LISTEN", "127.0.0.1:7")),
        "127.0.0.1:7"
    );
    assert_eq!(address(bare.clone().file("listen = '0.0.0.0:8'")), "127.0.0.1:8");
    assert_eq!(address(bare.clone().file("listen = '[::]:9'")), "[::1]:9");
    // An address needs no settings, so that wrong ones do not matter.
    assert_eq!(
        address(bare.clone().arg("--address=[::]:1").var("TAPEGATE_LISTEN", "?")),
        "[::1]:1"
    );
    assert_faults(
        &bare.clone().var("TAPEGATE_LISTEN", "?"),
        &[("TAPEGATE_LISTEN: \"?\" is wrong", "")],
    );
    assert_eq!(question(&bare.clone()).timeout, Duration::from_secs(3));
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
        unknown.to_string().contains("knows no service \"nobody\""),
        "{unknown}"
    );

    reporter.set_service_status("", ServingStatus::NotServing).await;
    let closed = ask(address, "").await.unwrap_err();
    assert_eq!(closed.to_string(), format!("{address} is NOT_SERVING"));
    server.abort();
}

#[tokio::test]
async fn over_tls_it_believes_the_one_certificate_that_the_service_has() {
    let site = Site::new();
    let service = site.run(&site.config_with_tls(), &[]).await;
    let address = format!("--address={}", service.addresses.grpc);
    let at = |cert: &str| {
        Call::new("health")
            .arg(&address)
            .arg(format!("--cert={}", site.path(cert).display()))
    };
    question(&at("server.pem")).ask().await.unwrap();
    // By the settings of the service itself, too.
    let file = format!("[tls]\ncert = {:?}", site.path("server.pem"));
    question(&Call::new("health").arg(&address).file(file))
        .ask()
        .await
        .unwrap();
    site.write("other.pem", &Ca::new("another").server().cert);
    let error = question(&at("other.pem")).ask().await.unwrap_err();
    assert!(matches!(error, Unhealthy::Unreachable { .. }), "{error}");
    let error = question(&at("missing.pem")).ask().await.unwrap_err();
    assert!(
        error.to_string().contains("missing.pem cannot be used"),
        "{error}"
    );
    let plain = question(&Call::new("health").arg(&address))
        .ask()
        .await
        .unwrap_err();
    assert!(!plain.to_string().is_empty());
}

#[tokio::test]
async fn whoever_is_not_there_or_silent_or_no_grpc_server_is_unhealthy() {
    let (gone, address) = listener().await;
    drop(gone);
    let error = ask(address, "").await.unwrap_err();
    assert!(matches!(error, Unhealthy::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");

    // Takes connections, and says nothing.
    let (silent, address) = listener().await;
    let call = Call::new("health")
        .arg(format!("--address={address}"))
        .arg("--timeout=50ms");
    let error = question(&call).ask().await.unwrap_err();
    assert_eq!(error.to_string(), format!("{address} gave no answer within 50ms"));
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
    assert!(
        matches!(error, Unhealthy::Refused { .. } | Unhealthy::Unreachable { .. }),
        "{error}"
    );
    web.await.unwrap();

    // Has no health service.
    let (bare, address) = listener().await;
    let reflection = tonic_reflection::server::Builder::configure().build_v1().unwrap();
    let server = Server::builder()
        .add_service(reflection)
        .serve_with_incoming(TcpListenerStream::new(bare));
    let server = tokio::spawn(server);
    let error = ask(address, "").await.unwrap_err();
    assert!(
        matches!(
            error,
            Unhealthy::Refused {
                code: tonic::Code::Unimplemented,
                ..
            }
        ),
        "{error}"
    );
    server.abort();
}
