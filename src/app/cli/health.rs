//! `tapegate health`: checks the health of a running service over gRPC.

mod pinned;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Arg, ArgMatches, Command, value_parser};
use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::service_fn;

use crate::app::{
    commands,
    settings::{Faults, Sources},
};

/// The command `name`.
pub(super) fn command(name: &'static str) -> Command {
    let address = Arg::new("address")
        .long("address")
        .value_name("ADDRESS")
        .value_parser(value_parser!(SocketAddr))
        .help("The address of the service. Default: the setting `listen`");
    let service = Arg::new("service")
        .long("service")
        .value_name("NAME")
        .default_value("")
        .hide_default_value(true)
        .help("The gRPC service to check, such as tapegate.v1.TapeService. Default: the server as a whole");
    let cert = Arg::new("cert")
        .long("cert")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Use TLS, and accept only the certificate in this file. Default: the setting tls.cert");
    let timeout = Arg::new("timeout")
        .long("timeout")
        .value_name("DURATION")
        .default_value("3s")
        .value_parser(timeout)
        .help("The maximum wait for a response, such as 500ms or 3s");
    Command::new(name)
        .about("Check the health of a running service over gRPC")
        .before_help(
            "Exits with 0 if the service is SERVING. Otherwise it prints the reason and exits with 1.",
        )
        .args([address, cert, service, timeout])
}

fn timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(timeout) if (Duration::from_millis(1)..=Duration::from_secs(600)).contains(&timeout) => {
            Ok(timeout)
        }
        _ => Err("expected a duration from 1ms to 10m, such as 3s".to_owned()),
    }
}

/// A health check of a running service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The address of the service.
    pub address: SocketAddr,
    /// The file of the certificate that the service must have; `None` is plain text.
    pub cert: Option<PathBuf>,
    /// The gRPC service to check, such as `tapegate.v1.TapeService`; `""` is the server as a whole.
    pub service: String,
    /// The maximum wait for a response, including the time to connect.
    pub timeout: Duration,
}

/// Why a health check failed.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// No connection could be opened.
    #[error("cannot connect to {address}: {reason}; check that the service runs there")]
    Unreachable {
        /// The address of the service.
        address: SocketAddr,
        /// Why not.
        reason: String,
    },
    /// No response came in time.
    #[error("no response from {address} within {}", humantime::format_duration(*.timeout))]
    TimedOut {
        /// The address of the service.
        address: SocketAddr,
        /// How long the check waited.
        timeout: Duration,
    },
    /// The server does not have the gRPC service.
    #[error("{address} has no service {service:?}; to check the server as a whole, leave --service out")]
    UnknownService {
        /// The address of the server.
        address: SocketAddr,
        /// The service that was checked.
        service: String,
    },
    /// The call failed.
    #[error("the health check of {address} failed with {code:?}: {message}")]
    Failed {
        /// The address of the service.
        address: SocketAddr,
        /// The status code.
        code: Code,
        /// The status message.
        message: String,
    },
    /// The service reports another status than SERVING.
    #[error("{address} is {status}")]
    NotServing {
        /// The address of the service.
        address: SocketAddr,
        /// The reported status.
        status: &'static str,
    },
}

impl HealthCheck {
    pub(super) fn read(matches: &ArgMatches, sources: impl FnOnce() -> Sources) -> Result<Self, Faults> {
        let given = matches.get_one::<SocketAddr>("address").copied();
        let (address, cert) = match (given, commands::address(sources())) {
            (None, read) => read?,
            // With an address, the settings may be invalid or missing.
            (Some(address), read) => (address, read.ok().and_then(|(_, cert)| cert)),
        };
        let given = matches.get_one::<PathBuf>("cert").cloned();
        Ok(Self {
            address: reachable(address),
            cert: given.or(cert),
            service: matches.get_one::<String>("service").cloned().unwrap_or_default(),
            timeout: matches
                .get_one::<Duration>("timeout")
                .copied()
                .unwrap_or(Duration::from_secs(3)),
        })
    }

    /// Runs the check; returns `Ok` if the service is SERVING.
    ///
    /// # Errors
    ///
    /// [`Unhealthy`], in all other cases.
    pub async fn run(&self) -> Result<(), Unhealthy> {
        let Self { address, timeout, .. } = *self;
        let response = tokio::time::timeout(timeout, self.call()).await;
        response.unwrap_or(Err(Unhealthy::TimedOut { address, timeout }))
    }

    async fn call(&self) -> Result<(), Unhealthy> {
        let address = self.address;
        let unreachable = |reason: String| Unhealthy::Unreachable { address, reason };
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = endpoint.map_err(|error| unreachable(error.to_string()))?;
        let channel = match self.cert.clone() {
            None => endpoint.connect().await,
            Some(cert) => {
                let connect = service_fn(move |_| {
                    let cert = cert.clone();
                    async move { pinned::connect(address, &cert).await }
                });
                endpoint.connect_with_connector(connect).await
            }
        };
        let channel = channel.map_err(|error| unreachable(innermost(&error)))?;
        let request = HealthCheckRequest {
            service: self.service.clone(),
        };
        match HealthClient::new(channel).check(request).await {
            Ok(response) => match response.into_inner().status() {
                ServingStatus::Serving => Ok(()),
                other => Err(Unhealthy::NotServing {
                    address,
                    status: other.as_str_name(),
                }),
            },
            Err(status) if status.code() == Code::NotFound => Err(Unhealthy::UnknownService {
                address,
                service: self.service.clone(),
            }),
            Err(status) => Err(Unhealthy::Failed {
                address,
                code: status.code(),
                message: status.message().to_owned(),
            }),
        }
    }
}

/// The address of a server that listens on `address`: one on the wildcard address is reached
/// over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The message of the root cause of an error.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
