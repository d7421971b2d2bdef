use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use http::HeaderMap;
use ipnet::IpNet;

/// The address of a call's client: its peer, or, if the peer is a trusted proxy, the rightmost
/// address in `x-forwarded-for` that is not a trusted proxy. Any client can forge the addresses
/// before that one.
pub fn of_caller(peer: IpAddr, headers: &HeaderMap, trusted: &BTreeSet<IpNet>) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = peer;
    let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    let entries = values
        .iter()
        .rev()
        .flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    for entry in entries {
        if !is_trusted(&address) {
            break;
        }
        match parse(entry.trim()) {
            Some(forwarded) => address = forwarded,
            None => break,
        }
    }
    address
}

/// Parses an address as proxies write it, with or without a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = entry.parse().ok().or_else(with_port).or_else(in_brackets)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    #[test]
    fn only_trusted_proxies_set_the_address() {
        let trusted: BTreeSet<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).into();
        // The peer, its headers, and the caller's address.
        let cases: [(&str, &[&str], &str); 12] = [
            ("192.0.2.1", &[], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.1.1.1", &[], "10.1.1.1"),
            ("10.1.1.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.1.1.1", &["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            ("10.1.1.1", &["1.1.1.1", "198.51.100.7"], "198.51.100.7"),
            ("10.1.1.1", &["198.51.100.7, 10.2.2.2"], "198.51.100.7"),
            ("10.1.1.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("10.1.1.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("fd00::1", &["::ffff:198.51.100.7"], "198.51.100.7"),
            ("10.1.1.1", &["198.51.100.7, unknown"], "10.1.1.1"),
            ("10.1.1.1", &["198.51.100.7, ?, 10.2.2.2"], "10.2.2.2"),
        ];
        for (peer, values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let address = of_caller(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(address.to_string(), expected, "{peer} {values:?}");
        }
    }
}
