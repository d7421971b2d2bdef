//! How this process connects to others: through which proxy, and which certificates it trusts.
//!
//! In come the environment's variables. Out go decisions and HTTP clients for everything that this
//! process calls: AWS and its token services, metadata services, key servers of issuers, and
//! collectors. So a proxy gets the same traffic whichever library sends it. Of other rooms, this one uses `files` only.

mod certificates;
mod http_client;
mod no_proxy;
mod proxy;
mod settings;
mod x509;

pub use self::{
    certificates::{certificates, read_root_certificates, root_certificates},
    http_client::{blocking_http_client, http_client},
    no_proxy::NoProxy,
    proxy::{PROXY_VARIABLES, Proxies, Proxy},
    settings::NetworkSettings,
    x509::X509,
};
