use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    HeaderMap, StatusCode,
    header::{HOST, ORIGIN},
    uri::Authority,
};

/// Who may see the operators' pages, which contain names of callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminAccess {
    /// Programs on this machine, including connections that `ssh -L` or `kubectl port-forward`
    /// forwards to it. The `Host` header is checked too: without that, DNS rebinding would let a web
    /// page in an operator's browser read these pages.
    Loopback,
    /// Every client that reaches the address. DNS rebinding is then possible.
    Open,
}

/// Lets an allowed request pass.
///
/// # Errors
///
/// 403, with every reason why the request is not allowed.
pub(super) async fn check(
    State(admin_access): State<AdminAccess>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Result<Response, (StatusCode, String)> {
    let mut objections = Vec::new();
    // Browsers set it on every cross-origin request that could change something.
    if request.headers().contains_key(ORIGIN) {
        objections.push(
            "the request has an Origin header: other web pages may not use this page; open it directly"
                .to_owned(),
        );
    }
    if admin_access == AdminAccess::Loopback {
        objections.extend(not_local(peer, request.headers()));
    }
    if objections.is_empty() {
        return Ok(next.run(request).await);
    }
    Err((StatusCode::FORBIDDEN, format!("{}\n", objections.join("\n"))))
}

/// Headers that proxies add. Requests through a proxy on this machine, such as a mesh's sidecar,
/// would look local without this check.
const FORWARDED: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "via",
    "x-envoy-external-address",
    "x-request-id",
];

fn not_local(peer: SocketAddr, headers: &HeaderMap) -> Vec<String> {
    let mut objections = Vec::new();
    if !peer.ip().to_canonical().is_loopback() {
        objections.push(format!(
            "the client address {} is not a loopback address, and this page is for this machine only: use ssh -L or \
             kubectl port-forward (admin_pages = \"open\" opens the read-only pages to all clients)",
            peer.ip()
        ));
    }
    if !names_loopback(headers) {
        objections.push(
            "the Host header does not name this machine: use localhost, an address in 127.0.0.0/8, or [::1]"
                .to_owned(),
        );
    }
    if let Some(name) = FORWARDED.iter().find(|name| headers.contains_key(**name)) {
        objections.push(format!(
            "the request has the header {name}: requests through a proxy are rejected; connect directly"
        ));
    }
    objections
}

fn names_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let host = authority.host().trim_matches(['[', ']']);
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_on_another_machine_is_rejected_with_the_ways_to_connect() {
        let headers = [(HOST, http::HeaderValue::from_static("localhost:9464"))];
        let headers = headers.into_iter().collect();
        for (peer, is_local) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.7:1", false),
            ("[::ffff:10.0.0.7]:1", false),
            ("[2001:db8::1]:1", false),
        ] {
            let peer: SocketAddr = peer.parse().expect("an address");
            let objections = not_local(peer, &headers);
            assert_eq!(objections.is_empty(), is_local, "{peer}");
            assert!(objections.iter().all(|why| why.contains("port-forward")));
        }
    }
}
