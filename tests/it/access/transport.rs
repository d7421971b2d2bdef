//! Other ways to claim an identity or to reach the service.

use http::HeaderName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::attacks::{OPERATORS, attack};
use crate::harness::{Site, client_config, refusal};

#[tokio::test]
async fn no_metadata_but_authorization_identifies_a_caller() {
    let site = Site::new();
    let service = site.run(&site.config(), &[]).await;
    let token = site.token("somebody", OPERATORS);
    for (name, value) in [
        ("authorization-bin", token.as_str()),
        ("proxy-authorization", &format!("Bearer {token}")),
        ("x-authorization", &format!("Bearer {token}")),
        ("grpc-authorization", &format!("Bearer {token}")),
        ("cookie", &format!("authorization={token}")),
        ("x-forwarded-user", "somebody"),
        ("x-remote-user", "somebody"),
        ("x-tapegate-principal", "somebody"),
        ("x-tapegate-groups", "operators"),
        ("x-forwarded-client-cert", "URI=spiffe://example.org/agent"),
        ("x-ssl-client-cert", "spiffe://example.org/agent"),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1;by=somebody"),
        ("x-original-uri", "/grpc.health.v1.Health/Check"),
        ("x-http-method-override", "GET"),
    ] {
        let headers = [(name.parse::<HeaderName>().unwrap(), value.parse().unwrap())];
        for status in attack(&service.channel(), headers.into_iter().collect()).await {
            let rejected = refusal(&status);
            assert_eq!(rejected.reason, "CREDENTIALS_MISSING", "{name}");
        }
    }
}

#[tokio::test]
async fn http_1_is_rejected() {
    let site = Site::new();
    let token = site.token("somebody", OPERATORS);
    let service = site.run(&site.config(), &[]).await;
    let path = "/tapegate.v1.TapeService/ListTapes";
    for request in [
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/grpc\r\ncontent-length: 5\r\n\r\n\0\0\0\0\0"
        ),
        format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: \r\n\r\n"
        ),
        format!("GET {path} HTTP/1.0\r\n\r\n"),
    ] {
        let mut socket = TcpStream::connect(service.addresses.grpc).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The connection may be reset before all of the answer is read.
        let _ = socket.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            !answer.starts_with("HTTP/1.1 2") && !answer.contains("tape"),
            "{answer}"
        );
    }

    // Over TLS, the handshake fails, because the service does not offer HTTP/1.1.
    let service = site.run(&site.config_with_tls(), &[]).await;
    let mut config = client_config(&site.ca.pem(), None);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let socket = TcpStream::connect(service.addresses.grpc).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let connected = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config))
        .connect(name, socket)
        .await;
    assert!(connected.is_err(), "the service accepted HTTP/1.1");
}
