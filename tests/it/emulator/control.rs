//! Who may use the control API, and how it refuses the rest.

use std::{future::pending, net::SocketAddr};

use serde_json::{Value, json};
use tapegate::emulator::{Emulator, Settings};
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
async fn a_program_on_this_machine_may_use_it_by_any_name_of_loopback() {
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
async fn every_reason_of_a_refusal_is_given_at_once() {
    let mut request = start().await.control("GET", FAULTS, "");
    request.set("host", "evil.example");
    request.set("origin", "http://evil.example");
    assert_eq!(errors(&request.send().await.json()).len(), 2);
}

/// Nothing but loopback is at hand on every machine that runs this, so a machine that has
/// an address of its own shows what one from outside would see.
#[tokio::test]
async fn a_peer_that_is_not_loopback_is_refused() {
    let Some(own) = own_address().await else {
        println!("this machine has no address but loopback: the refusal of others is not shown");
        return;
    };
    let listener = TcpListener::bind((own, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let emulator = Emulator::new(Settings::default());
    tokio::spawn(async move { emulator.serve(listener, pending()).await });
    let mut request = get(address, FAULTS);
    request.set("host", "127.0.0.1");
    let answer = request.send().await;
    assert_eq!(answer.status, 403);
    let body = answer.json();
    assert!(errors(&body)[0].contains("is for this machine alone"), "{body}");
}

#[tokio::test]
async fn a_server_that_does_not_know_its_peers_lets_nobody_in() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Emulator::new(Settings::default()).router();
    tokio::spawn(axum::serve(listener, router).into_future());
    let answer = get(address, FAULTS).send().await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        errors(&answer.json()),
        ["this server does not say who its peers are; use Emulator::serve"]
    );
}

#[tokio::test]
async fn wrong_paths_methods_and_bodies_are_refused_in_json() {
    let emulator = start().await;
    for (method, path, body, status) in [
        ("GET", "/_emulator/fault", "", 404),
        ("PUT", FAULTS, "", 405),
        ("POST", FAULTS, "{", 400),
        ("POST", FAULTS, "", 400),
        ("DELETE", "/_emulator/faults/1", "", 404),
        ("DELETE", "/_emulator/faults/x", "", 404),
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

/// The address that this machine would send from, if it has a network at all.
async fn own_address() -> Option<std::net::IpAddr> {
    let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await.ok()?;
    // Sends nothing: a datagram socket only looks up its route.
    socket.connect("192.0.2.1:9").await.ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}
