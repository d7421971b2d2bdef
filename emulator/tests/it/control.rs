//! Who may use the control API, and how it refuses the rest.

use std::net::SocketAddr;

use axum::{Extension, extract::ConnectInfo};
use serde_json::{Value, json};
use tapegate_emulator::{Emulator, Settings};
use tokio::net::TcpListener;

use super::{Raw, Running, settings};

const FAULTS: &str = "/_emulator/faults";

async fn start() -> Running {
    Running::start(settings()).await
}

fn get(address: SocketAddr, path: &'static str) -> Raw {
    Raw::control(address, "GET", path, "")
}

fn errors(body: &Value) -> Vec<&str> {
    let errors = body["errors"].as_array().unwrap();
    errors.iter().map(|error| error.as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_program_on_this_machine_may_use_any_loopback_name() {
    let emulator = start().await;
    for host in [
        "127.0.0.1:4588",
        "127.8.8.8",
        "localhost",
        "LOCALHOST:80",
        "[::1]:4588",
    ] {
        let mut request = emulator.control("GET", FAULTS, "");
        request.set("host", host);
        let answer = request.send().await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"faults": []})),
            "{host}"
        );
    }
}

#[tokio::test]
async fn a_web_page_may_not_use_it() {
    let emulator = start().await;
    let rule = json!({"kind": "hang"}).to_string();
    let hosts = [
        "evil.example",
        "evil.example:4588",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "user@evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "",
    ];
    for host in hosts {
        let mut rebound = emulator.control("POST", FAULTS, rule.clone());
        rebound.set("host", host);
        assert!(matches!(rebound.send().await.status, 403 | 400), "{host}");
    }
    for origin in ["https://evil.example", "null", "http://127.0.0.1:4588"] {
        let mut request = emulator.control("POST", FAULTS, rule.clone());
        request.set("origin", origin);
        let answer = request.send().await;
        assert_eq!(answer.status, 403, "{origin}");
        let expected = ["Origin is set: web pages may not use the control API"];
        assert_eq!(errors(&answer.json()), expected);
    }
    assert_eq!(
        emulator.control("GET", FAULTS, "").send().await.json(),
        json!({"faults": []})
    );
}

#[tokio::test]
async fn a_rejection_lists_every_reason() {
    let mut request = start().await.control("GET", FAULTS, "");
    request.set("host", "evil.example");
    request.set("origin", "http://evil.example");
    assert_eq!(errors(&request.send().await.json()).len(), 2);
}

/// A server whose connections all come from `peer`, as it says.
async fn as_if_from(peer: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Emulator::new(Settings::default()).router();
    let router = router.layer(Extension(ConnectInfo(peer)));
    tokio::spawn(axum::serve(listener, router).into_future());
    address
}

#[tokio::test]
async fn a_peer_that_is_not_on_loopback_is_rejected_on_every_path() {
    let outside = [
        "203.0.113.9:40000",
        "10.0.0.1:1",
        "0.0.0.0:1",
        "[2001:db8::9]:1",
        "[::ffff:203.0.113.9]:1",
    ];
    for peer in outside {
        let address = as_if_from(peer.parse().unwrap()).await;
        for (method, path) in [
            ("GET", FAULTS),
            ("GET", "/_emulator/gateways"),
            ("PUT", "/_emulator/gateways/us-east-1/sgw-00000000"),
            ("POST", "/_emulator/load"),
            ("POST", "/_emulator/unload"),
            ("POST", "/_emulator/write"),
            ("POST", "/_emulator/eject"),
            ("GET", "/_emulator/clock"),
            ("POST", "/_emulator/clock"),
            ("GET", "/_emulator/nothing"),
        ] {
            let answer = Raw::control(address, method, path, "{}").send().await;
            assert_eq!(answer.status, 403, "{peer} {method} {path}");
            let body = answer.json();
            assert!(errors(&body)[0].contains("is for this machine only"), "{body}");
        }
    }
}

#[tokio::test]
async fn any_server_that_provides_the_peer_address_accepts_loopback_peers() {
    for peer in ["127.0.0.1:9", "127.3.2.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
        let address = as_if_from(peer.parse().unwrap()).await;
        assert_eq!(get(address, FAULTS).send().await.status, 200, "{peer}");
    }
}

#[tokio::test]
async fn a_server_without_peer_addresses_rejects_every_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Emulator::new(Settings::default()).router();
    tokio::spawn(axum::serve(listener, router).into_future());
    let answer = get(address, FAULTS).send().await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        errors(&answer.json()),
        ["this server does not provide the peer's address; use Emulator::serve"]
    );
}

#[tokio::test]
async fn wrong_paths_methods_and_bodies_are_rejected_in_json() {
    let emulator = start().await;
    for (method, path, body, status) in [
        ("GET", "/_emulator/fault", "", 404),
        ("PUT", FAULTS, "", 405),
        ("POST", FAULTS, "{", 400),
        ("POST", FAULTS, "", 400),
        ("DELETE", "/_emulator/faults/1", "", 404),
        ("DELETE", "/_emulator/faults/x", "", 404),
        ("DELETE", "/_emulator/gateways", "", 405),
        ("GET", "/_emulator/gateways/us-east-1", "", 404),
        ("PUT", "/_emulator/gateways/us-east-1/sgw-12A3456B", "[", 400),
        ("GET", "/_emulator/load", "", 405),
        ("POST", "/_emulator/eject", "7", 400),
        ("PUT", "/_emulator/clock", "{}", 405),
    ] {
        let answer = emulator.control(method, path, body).send().await;
        assert_eq!(answer.status, status, "{method} {path} {body}");
        assert_eq!(errors(&answer.json()).len(), 1, "{method} {path} {body}");
        assert_eq!(
            status == 405,
            answer.head.contains("\r\nallow: "),
            "{}",
            answer.head
        );
    }
}
