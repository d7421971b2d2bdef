//! Socket activation: listeners that the service manager has opened.

use std::{
    ffi::OsStr,
    io,
    net::{SocketAddr, TcpListener},
};

use listenfd::ListenFd;

use super::settings::Variables;

/// The listeners that this process has been started with. The service manager keeps them open, so
/// connections wait while the service restarts.
#[derive(Debug, Default)]
pub struct Inherited {
    pub(super) grpc: Option<TcpListener>,
    pub(super) admin: Option<TcpListener>,
}

/// The sockets that the process has been started with are not those that the service needs.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSockets {
    /// A socket is no TCP listener.
    #[error(
        "LISTEN_FDS: socket {name} is not a TCP listener ({cause}); use ListenStream with an IP address and a port in \
         the socket unit"
    )]
    NotTcp {
        /// Its name in `LISTEN_FDNAMES`, or its number.
        name: String,
        /// What is wrong.
        cause: io::Error,
    },
    /// There are two sockets for the same pages or calls.
    #[error(
        "LISTEN_FDS: there are two sockets for {what}; name one `grpc` and the other `admin` (FileDescriptorName in the \
         socket unit), and pass no others"
    )]
    Two {
        /// gRPC, or the admin pages.
        what: &'static str,
    },
}

impl Inherited {
    /// Takes the sockets that `LISTEN_FDS` counts, if they are for this process: the one that
    /// `LISTEN_FDNAMES` calls `admin` is for the admin pages, another one is for gRPC.
    ///
    /// No other thread may run yet, because this removes `LISTEN_FDS` from the environment: the sockets
    /// are not for programs that this one starts.
    ///
    /// # Errors
    ///
    /// [`InvalidSockets`]
    pub fn take(variables: &Variables) -> Result<Self, InvalidSockets> {
        let names = variables.get(OsStr::new("LISTEN_FDNAMES"));
        let names = names.and_then(|names| names.to_str()).unwrap_or_default();
        let names: Vec<_> = names.split(':').collect();
        let mut sockets = ListenFd::from_env();
        let mut inherited = Self::default();
        for number in 0..sockets.len() {
            let name = names.get(number).copied().unwrap_or_default();
            let socket = sockets
                .take_tcp_listener(number)
                .map_err(|cause| InvalidSockets::NotTcp {
                    name: format!("{number} {name}").trim_end().to_owned(),
                    cause,
                })?;
            let (place, what) = match name {
                "admin" => (&mut inherited.admin, "the admin pages"),
                _ => (&mut inherited.grpc, "gRPC"),
            };
            if place.is_some() {
                return Err(InvalidSockets::Two { what });
            }
            *place = socket;
        }
        Ok(inherited)
    }

    /// The addresses of the listeners for gRPC and for the admin pages.
    pub(super) fn addresses(&self) -> [Option<SocketAddr>; 2] {
        [&self.grpc, &self.admin].map(|listener| listener.as_ref()?.local_addr().ok())
    }
}
