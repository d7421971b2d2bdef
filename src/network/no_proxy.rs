use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

/// Which hosts are reached without a proxy.
///
/// Loopback and link-local addresses always are: what listens there is this machine, or a metadata
/// service that gives out credentials. `NO_PROXY` names others, as curl and Go read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<Entry>);

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    /// `*`
    All,
    /// An address, or a network such as `10.0.0.0/8`. Names are not resolved for it.
    Network(IpNet),
    /// A domain and its subdomains; a leading `.` or `*.` makes no difference.
    Domain(String),
}

/// The IPv6 addresses of the metadata services of EC2 and EKS, `fd00:ec2::254` and `fd00:ec2::23`,
/// which are not link-local.
const AWS_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0);

impl NoProxy {
    /// Parses the entries of `NO_PROXY`, separated by commas or white space.
    ///
    /// # Errors
    ///
    /// All entries that name no host.
    ///
    /// ```
    /// # use tapegate::network::NoProxy;
    /// let direct = NoProxy::parse("10.0.0.0/8, .corp.example, keys.example:8443")?;
    /// assert!(direct.contains("10.1.2.3", 443));
    /// assert!(direct.contains("vault.corp.example", 443));
    /// assert!(direct.contains("keys.example", 8443));
    /// assert!(!direct.contains("keys.example", 443));
    /// assert!(direct.contains("169.254.169.254", 80));
    /// # Ok::<_, String>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let texts = text.split(|c: char| c == ',' || c.is_whitespace());
        let (mut entries, mut invalid) = (Vec::new(), Vec::new());
        for text in texts.filter(|text| !text.is_empty()) {
            match Entry::parse(text) {
                Some(entry) => entries.push(entry),
                None => invalid.push(format!("{text:?}")),
            }
        }
        match invalid.is_empty() {
            true => Ok(Self(entries)),
            false => Err(format!(
                "has entries that name no host: {}; expected names, addresses and networks, such as example.com, \
                 192.0.2.7 or 10.0.0.0/8, each with a port or without, or *",
                invalid.join(", ")
            )),
        }
    }

    /// Whether a host, which may be an address in brackets, is reached without a proxy.
    pub fn contains(&self, host: &str, port: u16) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let address = host.parse().map(|address: IpAddr| address.to_canonical()).ok();
        let is_local = match address {
            Some(address) => is_local(address),
            None => host == "localhost" || host.ends_with(".localhost"),
        };
        is_local || self.0.iter().any(|entry| entry.matches(&host, address, port))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self {
                hosts: Hosts::All,
                port: None,
            });
        }
        if let Some(network) = network(text) {
            return Some(Self {
                hosts: Hosts::Network(network),
                port: None,
            });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let hosts = match network(host) {
            Some(network) => Hosts::Network(network),
            None => {
                let domain = host.strip_prefix("*.").unwrap_or(host);
                let domain = domain.trim_matches('.').to_ascii_lowercase();
                let is_in_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                let is_name = !domain.is_empty() && domain.chars().all(is_in_name);
                Hosts::Domain(is_name.then_some(domain)?)
            }
        };
        Some(Self { hosts, port })
    }

    fn matches(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        let is_port = self.port.is_none_or(|own| own == port);
        is_port
            && match &self.hosts {
                Hosts::All => true,
                Hosts::Network(network) => address.is_some_and(|address| network.contains(&address)),
                Hosts::Domain(domain) => {
                    address.is_none()
                        && host
                            .strip_suffix(domain.as_str())
                            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                }
            }
    }
}

/// What it does, for an operator.
impl fmt::Display for NoProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("loopback and link-local addresses")?;
        self.0.iter().try_for_each(|entry| write!(f, ", {entry}"))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::All => f.write_str("all other hosts"),
            Hosts::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                write!(f, "{}", network.addr())
            }
            Hosts::Network(network) => write!(f, "{network}"),
            Hosts::Domain(domain) => write!(f, "{domain} and its subdomains"),
        }?;
        self.port.map_or(Ok(()), |port| write!(f, " on port {port}"))
    }
}

/// An address, in brackets or not, or a network.
fn network(text: &str) -> Option<IpNet> {
    let address = text.trim_start_matches('[').trim_end_matches(']');
    match text.contains('/') {
        true => text.parse().ok(),
        false => address
            .parse()
            .ok()
            .map(|address: IpAddr| address.to_canonical().into()),
    }
}

/// Whether an address is this machine, or on the link that it is attached to.
fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_link_local() || address == Ipv4Addr::UNSPECIFIED
        }
        IpAddr::V6(address) => {
            let is_aws_metadata = address.segments()[..4] == AWS_METADATA.segments()[..4];
            address.is_loopback()
                || address.is_unicast_link_local()
                || address.is_unspecified()
                || is_aws_metadata
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    /// Hosts and ports that the value of `NO_PROXY` exempts, and some that it does not.
    fn assert_exempts(text: &str, exempt: &[(&str, u16)], others: &[(&str, u16)]) {
        let direct = NoProxy::parse(text).unwrap();
        for (expected, hosts) in [(true, exempt), (false, others)] {
            for (host, port) in hosts {
                assert_eq!(
                    direct.contains(host, *port),
                    expected,
                    "{host}:{port} by {text:?}"
                );
            }
        }
    }

    #[test]
    fn loopback_and_link_local_are_always_exempt() {
        let local = [
            "localhost",
            "LOCALHOST.",
            "api.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "[::1]",
            "::1",
            "[fe80::1]",
            "[::ffff:127.0.0.1]",
            "[fd00:ec2::254]",
            "[fd00:ec2::23]",
        ]
        .map(|host| (host, 80));
        let others =
            ["10.0.0.1", "localhost.example", "notlocalhost", "[fd00:ec3::254]"].map(|host| (host, 80));
        for text in ["", "example.com", ","] {
            assert_exempts(text, &local, &others);
        }
    }

    #[test]
    fn entries_are_read_as_curl_and_go_read_them() {
        assert_exempts("*", &[("example.com", 443), ("10.0.0.1", 80)], &[]);
        let inside = [("corp.example", 443), ("a.b.CORP.example.", 80)];
        let outside = [
            ("corp.example.com", 443),
            ("xcorp.example", 443),
            ("example", 443),
        ];
        for text in [
            "corp.example",
            ".corp.example",
            "*.corp.example",
            " x ,corp.example. y",
        ] {
            assert_exempts(text, &inside, &outside);
        }
        assert_exempts(
            "keys.example:8443, 10.9.0.1:8080, [2001:db8::1]:443",
            &[("keys.example", 8443), ("10.9.0.1", 8080), ("[2001:db8::1]", 443)],
            &[("keys.example", 443), ("10.9.0.1", 80), ("[2001:db8::1]", 80)],
        );
        assert_exempts(
            "10.0.0.0/8,2001:db8::/32,192.0.2.7,2001:db9::1",
            &[
                ("10.255.0.1", 1),
                ("[2001:db8:1::1]", 1),
                ("192.0.2.7", 1),
                ("[2001:db9::1]", 1),
            ],
            &[
                ("11.0.0.1", 1),
                ("192.0.2.8", 1),
                ("[2001:dba::1]", 1),
                ("10.example", 1),
            ],
        );
    }

    #[test]
    fn every_entry_that_names_no_host_is_an_error() {
        let invalid = ["10.0.0.0/33", "*x", "http://a", "[::x]", ":443", "a:b", ".", "*."];
        let text = format!("example.com,{}", invalid.join(","));
        let told = NoProxy::parse(&text).unwrap_err();
        for entry in invalid {
            assert!(told.contains(&format!("{entry:?}")), "{entry}: {told}");
        }
        assert!(!told.contains("\"example.com\""), "{told}");
    }

    #[test]
    fn it_is_shown_as_what_it_does() {
        let direct = NoProxy::parse("10.0.0.0/8 .Corp.example,[2001:db8::1]:443").unwrap();
        assert_eq!(
            direct.to_string(),
            "loopback and link-local addresses, 10.0.0.0/8, corp.example and its subdomains, 2001:db8::1 on port 443"
        );
        assert!(
            NoProxy::parse("*")
                .unwrap()
                .to_string()
                .ends_with("all other hosts")
        );
    }
}
