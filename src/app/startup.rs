//! Binding addresses, and why the service cannot start.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

use crate::{access::audit::AuditFileError, observability::telemetry::CannotExport};

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
pub(super) async fn listen(
    setting: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), CannotListen> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|cause| CannotListen {
        setting,
        address,
        cause,
    })
}
