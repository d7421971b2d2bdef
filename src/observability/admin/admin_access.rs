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

/// Who is shown the pages for operators: they have the names of callers on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminAccess {
    /// Programs on this machine, which includes what is forwarded to it, by `ssh -L` or
    /// `kubectl port-forward`. No web page: one that makes its own name lead here could read
    /// them in the browser of whoever looks at it.
    Loopback,
    /// Everybody who reaches the address, and web pages that make their own name lead there.
    Open,
}

/// Lets a request pass.
///
/// # Errors
///
/// 403, with everything that speaks against it.
pub(super) async fn check(
    State(admin_access): State<AdminAccess>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Result<Response, (StatusCode, String)> {
    let mut against = Vec::new();
    // What a web page of another origin cannot leave out where it sends anything.
    if request.headers().contains_key(ORIGIN) {
        against.push("Origin is set: other web pages may not use this one".to_owned());
    }
    if admin_access == AdminAccess::Loopback {
        against.extend(of_others(peer, request.headers()));
    }
    if against.is_empty() {
        return Ok(next.run(request).await);
    }
    Err((StatusCode::FORBIDDEN, format!("{}\n", against.join("\n"))))
}

/// What proxies add. To one on this machine, such as a mesh's, everybody is here.
const FORWARDED: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "via",
    "x-envoy-external-address",
    "x-request-id",
];

fn of_others(peer: SocketAddr, headers: &HeaderMap) -> Vec<String> {
    let mut against = Vec::new();
    if !peer.ip().to_canonical().is_loopback() {
        against.push(format!(
            "this page is for this machine alone, and {} is not loopback: come through ssh -L or kubectl \
             port-forward (what only shows something is open to all with admin_pages = \"open\")",
            peer.ip()
        ));
    }
    if !names_loopback(headers) {
        against.push("Host has to be localhost, or an address in 127.0.0.0/8, or [::1]".to_owned());
    }
    if let Some(name) = FORWARDED.iter().find(|name| headers.contains_key(**name)) {
        against.push(format!("{name} is set: a proxy asks for somebody else"));
    }
    against
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
    fn who_is_not_on_this_machine_is_told_how_to_come() {
        let headers = [(HOST, http::HeaderValue::from_static("localhost:9464"))];
        let headers = headers.into_iter().collect();
        for (peer, may) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.7:1", false),
            ("[::ffff:10.0.0.7]:1", false),
            ("[2001:db8::1]:1", false),
        ] {
            let peer: SocketAddr = peer.parse().expect("an address");
            let against = of_others(peer, &headers);
            assert_eq!(against.is_empty(), may, "{peer}");
            assert!(against.iter().all(|why| why.contains("port-forward")));
        }
    }
}
