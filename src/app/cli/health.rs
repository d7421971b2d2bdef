//! `tapegate health`: checks the health of a running service over gRPC.

mod pinned;

use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Arg, ArgMatches, Command, value_parser};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tonic::{
    Code,
    transport::{self, Channel, Endpoint},
};
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
        .value_name("HOST:PORT")
        .value_parser(address)
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

fn address(text: &str) -> Result<String, String> {
    if let Ok(address) = text.parse() {
        return Ok(reachable(address));
    }
    let is_valid = |(host, port): (&str, &str)| {
        matches!(ServerName::try_from(host), Ok(ServerName::DnsName(_))) && port.parse::<u16>().is_ok()
    };
    match text.rsplit_once(':').is_some_and(is_valid) {
        true => Ok(text.to_owned()),
        false => Err("expected HOST:PORT, such as localhost:50051 or [::1]:50051".to_owned()),
    }
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
    /// The address of the service: a host name or an IP address, with a port.
    pub address: String,
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
    #[error("cannot connect to {address}: {reason}")]
    Unreachable {
        /// The address of the service.
        address: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// No response came in time.
    #[error("no response from {address} within {}", humantime::format_duration(*.timeout))]
    TimedOut {
        /// The address of the service.
        address: String,
        /// How long the check waited.
        timeout: Duration,
    },
    /// The server does not have the gRPC service.
    #[error("{address} has no service {service:?}; to check the server as a whole, leave --service out")]
    UnknownService {
        /// The address of the server.
        address: String,
        /// The service that was checked.
        service: String,
    },
    /// The server does not speak gRPC, or not as it was spoken to.
    #[error("no gRPC response from {address}: {reason}{}", if *.is_plain { "; if the service uses TLS, give its certificate with --cert" } else { "" })]
    NoResponse {
        /// The address of the server.
        address: String,
        /// What went wrong.
        reason: String,
        /// Whether the call was in plain text.
        is_plain: bool,
    },
    /// The service answered with an error.
    #[error("the health check of {address} failed with {code:?}: {message}")]
    Failed {
        /// The address of the service.
        address: String,
        /// The status code.
        code: Code,
        /// The status message.
        message: String,
    },
    /// The service reports another status than SERVING.
    #[error("{address} is {status}")]
    NotServing {
        /// The address of the service.
        address: String,
        /// The reported status.
        status: &'static str,
    },
}

impl HealthCheck {
    pub(super) fn read(matches: &ArgMatches, sources: impl FnOnce() -> Sources) -> Result<Self, Faults> {
        let given = matches.get_one::<String>("address").cloned();
        let (address, cert) = match (given, commands::address(sources())) {
            (None, read) => read.map(|(listen, cert)| (reachable(listen), cert))?,
            // With an address, the settings may be invalid or missing.
            (Some(address), read) => (address, read.ok().and_then(|(_, cert)| cert)),
        };
        let given = matches.get_one::<PathBuf>("cert").cloned();
        Ok(Self {
            address,
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
        let response = tokio::time::timeout(self.timeout, self.call()).await;
        response.unwrap_or_else(|_| {
            Err(Unhealthy::TimedOut {
                address: self.address.clone(),
                timeout: self.timeout,
            })
        })
    }

    async fn call(&self) -> Result<(), Unhealthy> {
        let Self { address, service, .. } = self;
        let channel = self.connect().await.map_err(|error| Unhealthy::Unreachable {
            address: address.clone(),
            reason: innermost(&error),
        })?;
        let request = HealthCheckRequest {
            service: service.clone(),
        };
        let address = address.clone();
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
                service: service.clone(),
            }),
            // Only a status that this end made has a source.
            Err(status) if status.source().is_some() => Err(Unhealthy::NoResponse {
                address,
                reason: innermost(&status),
                is_plain: self.cert.is_none(),
            }),
            Err(status) => Err(Unhealthy::Failed {
                address,
                code: status.code(),
                message: status.message().to_owned(),
            }),
        }
    }

    async fn connect(&self) -> Result<Channel, transport::Error> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        let address = self.address.clone();
        let Some(cert) = self.cert.clone() else {
            let connect = service_fn(move |_| {
                let address = address.clone();
                async move { open(&address).await.map(TokioIo::new) }
            });
            return endpoint.connect_with_connector(connect).await;
        };
        let connect = service_fn(move |_| {
            let (address, cert) = (address.clone(), cert.clone());
            async move { pinned::handshake(&address, open(&address).await?, &cert).await }
        });
        endpoint.connect_with_connector(connect).await
    }
}

async fn open(address: &str) -> Result<TcpStream, String> {
    let opened = TcpStream::connect(address).await;
    opened.map_err(|error| format!("{error}; check that the service runs there"))
}

/// The address of a server that listens on `address`: one on the wildcard address is reached
/// over loopback.
fn reachable(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port()).to_string()
}

/// The message of the root cause of an error.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
