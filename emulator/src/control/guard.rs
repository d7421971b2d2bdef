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

use super::Refusal;
use crate::connection::Peer;

/// Lets a request pass that comes from this machine, and from no web page.
///
/// # Errors
///
/// 403, with everything that speaks against it. A server that does not say who its peers
/// are lets nobody pass.
pub(super) async fn check(request: Request, next: Next) -> Result<Response, Refusal> {
    let mut against = Vec::new();
    match peer(&request) {
        Some(peer) if peer.ip().to_canonical().is_loopback() => {}
        Some(peer) => against.push(format!(
            "the control API is for this machine alone, and {} is not loopback",
            peer.ip()
        )),
        None => against.push("this server does not say who its peers are; use Emulator::serve".to_owned()),
    }
    if !names_loopback(request.uri(), request.headers()) {
        against.push("Host has to be localhost, or an address in 127.0.0.0/8, or [::1]".to_owned());
    }
    if request.headers().contains_key(ORIGIN) {
        against.push("Origin is set: web pages may not use the control API".to_owned());
    }
    if against.is_empty() {
        Ok(next.run(request).await)
    } else {
        Err(Refusal::all(StatusCode::FORBIDDEN, against))
    }
}

/// The address at the other end, as the emulator's own server or another one of axum says it.
fn peer(request: &Request) -> Option<SocketAddr> {
    let extensions = request.extensions();
    let own = extensions.get().map(|ConnectInfo::<Peer>(peer)| peer.address);
    own.or_else(|| extensions.get().map(|ConnectInfo::<SocketAddr>(peer)| *peer))
}

/// Whether a request is addressed to loopback, wherever it says so, and says so at all.
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
