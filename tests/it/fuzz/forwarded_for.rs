//! `x-forwarded-for`, of a proxy that is trusted.

use std::{collections::BTreeSet, net::IpAddr};

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use tapegate::grpc::inbound::address_of_caller;

/// The address is the peer's, or one that stands in a header behind all that are not trusted;
/// and whatever a caller writes in front of that changes nothing.
pub fn run(bytes: &[u8]) {
    let trusted: BTreeSet<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).into();
    let peer = IpAddr::from([10, 0, 0, 1]);
    let mut headers = HeaderMap::new();
    for value in bytes.split(|b| *b == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append("x-forwarded-for", value);
        }
    }
    let address = address_of_caller(peer, &headers, &trusted);
    let is_trusted = trusted.iter().any(|network| network.contains(&address));
    let outsider = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(address_of_caller(outsider, &headers, &trusted), outsider);
    if !is_trusted {
        let mut forged = HeaderMap::new();
        forged.append("x-forwarded-for", HeaderValue::from_static("198.51.100.66"));
        for value in headers.get_all("x-forwarded-for") {
            forged.append("x-forwarded-for", value.clone());
        }
        assert_eq!(address_of_caller(peer, &forged, &trusted), address);
    }
}
