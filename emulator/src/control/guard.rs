use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request},
    http::{
        HeaderMap, StatusCode, Uri,
        header::{HOST, ORIGIN},
        uri::Authority,
    },
    middleware::Next,
    response::Response,
};

use super::ErrorResponse;
use crate::connection::Peer;

/// Accepts a request that comes from this machine, and not from a web page.
///
/// # Errors
/// 403, with every reason. Without the peer's address every request is rejected.
pub(super) async fn check(request: Request, next: Next) -> Result<Response, ErrorResponse> {
    let mut against = Vec::new();
    match peer(&request) {
        Some(peer) if peer.ip().to_canonical().is_loopback() => {}
        Some(peer) => against.push(format!(
            "the control API is for this machine only, and {} is not a loopback address",
            peer.ip()
        )),
        None => {
            against.push("this server does not provide the peer's address; use Emulator::serve".to_owned());
        }
    }
    if !names_loopback(request.uri(), request.headers()) {
        against.push("Host must be localhost, an address in 127.0.0.0/8, or [::1]".to_owned());
    }
    if request.headers().contains_key(ORIGIN) {
        against.push("Origin is set: web pages may not use the control API".to_owned());
    }
    if against.is_empty() {
        Ok(next.run(request).await)
    } else {
        Err(ErrorResponse::all(StatusCode::FORBIDDEN, against))
    }
}

/// The address of the peer, from the emulator's own server or another server of axum.
fn peer(request: &Request) -> Option<SocketAddr> {
    let extensions = request.extensions();
    let own = extensions.get().map(|ConnectInfo::<Peer>(peer)| peer.address);
    own.or_else(|| extensions.get().map(|ConnectInfo::<SocketAddr>(peer)| *peer))
}

/// Whether every host that a request names is loopback, and there is one.
fn names_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let hosts = headers
        .get_all(HOST)
        .iter()
        .map(|host| host.to_str().ok()?.parse().ok());
    let mut named = hosts.chain(uri.authority().cloned().map(Some)).peekable();
    named.peek().is_some() && named.all(|authority| authority.as_ref().is_some_and(is_loopback))
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let address = literal.unwrap_or(host).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}
