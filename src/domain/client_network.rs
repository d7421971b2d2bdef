use std::net::{IpAddr, Ipv6Addr};

/// The address by which connections and calls of one client are counted: an IPv4 address, or the /64
/// network that one customer of IPv6 has.
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            Ipv6Addr::from(network).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}
