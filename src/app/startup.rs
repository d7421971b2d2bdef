//! Binding addresses, and why the service cannot start.

use std::{io, net::SocketAddr};

use crate::{
    access::audit::AuditFileError, grpc::connection::listener::Listener,
    observability::telemetry::CannotExport,
};

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (setting {setting}): {cause}")]
pub struct CannotListen {
    setting: &'static str,
    address: SocketAddr,
    cause: io::Error,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// An address is in use, or is not one of this machine.
    #[error(transparent)]
    Listen(#[from] CannotListen),
    /// A file that a setting names has become invalid since the settings were checked.
    #[error("cannot start: {}", .0.join("; "))]
    Files(Vec<String>),
    /// The audit file cannot be written.
    #[error(transparent)]
    Audit(#[from] AuditFileError),
    /// Metrics cannot be exported.
    #[error(transparent)]
    Telemetry(#[from] CannotExport),
}

/// Listens on the address of a setting, and returns the address with its actual port.
pub(super) async fn listen<L: Listener, B>(
    setting: &'static str,
    address: SocketAddr,
    bind: impl FnOnce(SocketAddr) -> B,
) -> Result<(L, SocketAddr), CannotListen>
where
    B: Future<Output = io::Result<L>>,
{
    let bound = async {
        let listener = bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|cause| CannotListen {
        setting,
        address,
        cause,
    })
}
