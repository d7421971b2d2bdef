//! Asking a running service how it is, as `tapegate health` does.

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

use crate::app::config::{Config, Faults, Sources};

/// The command `name`, which asks.
pub(super) fn command(name: &'static str) -> Command {
    let address = Arg::new("address")
        .long("address")
        .value_name("ADDRESS")
        .value_parser(value_parser!(SocketAddr))
        .help("Where to ask. Default: where the settings say that the service listens");
    let service = Arg::new("service")
        .long("service")
        .value_name("NAME")
        .default_value("")
        .hide_default_value(true)
        .help("Which service is meant, such as tapegate.v1.TapeService. Default: the server as a whole");
    let cert = Arg::new("cert")
        .long("cert")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Ask over TLS, whoever has the certificate in this file. Default: tls.cert of the settings");
    let timeout = Arg::new("timeout")
        .long("timeout")
        .value_name("DURATION")
        .default_value("3s")
        .value_parser(timeout)
        .help("The longest wait for an answer, such as 500ms or 3s");
    Command::new(name)
        .about("Ask a running service how it is, over gRPC")
        .before_help("Exits with 0 if the answer is SERVING, otherwise with 1 and the reason.")
        .args([address, cert, service, timeout])
}

fn timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(span) if (Duration::from_millis(1)..=Duration::from_secs(600)).contains(&span) => Ok(span),
        _ => Err("a duration from 1ms to 10m is wanted, such as 3s".to_owned()),
    }
}

/// Whom to ask, for what, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where the service listens.
    pub address: SocketAddr,
    /// The certificate that the service must have; plain text without one.
    pub cert: Option<PathBuf>,
    /// Which service is meant, such as `tapegate.v1.TapeService`; `""` is the server as a whole.
    pub service: String,
    /// The longest wait for an answer, connecting included.
    pub timeout: Duration,
}

/// Why a service does not count as serving.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// Nobody could be asked.
    #[error("{address} cannot be reached: {reason}; is the service running there?")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// Why not.
        reason: String,
    },
    /// Nobody answered in time.
    #[error("{address} gave no answer within {}", humantime::format_duration(*.timeout))]
    Silent {
        /// Where.
        address: SocketAddr,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// The server knows no such service.
    #[error("{address} knows no service {service:?}; leave --service out to ask for the server as a whole")]
    UnknownService {
        /// Where.
        address: SocketAddr,
        /// Which.
        service: String,
    },
    /// The call failed.
    #[error("{address} answered {code:?}: {message}")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// The code of its answer.
        code: Code,
        /// The message of its answer.
        message: String,
    },
    /// It said so itself.
    #[error("{address} is {status}")]
    NotServing {
        /// Where.
        address: SocketAddr,
        /// The status it gave.
        status: &'static str,
    },
}

impl Question {
    pub(super) fn read(matches: &ArgMatches, sources: impl FnOnce() -> Sources) -> Result<Self, Faults> {
        let given = matches.get_one::<SocketAddr>("address").copied();
        let (address, cert) = match (given, Config::address(sources())) {
            (None, read) => read?,
            // Then it matters little that the settings are wrong, or not there.
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

    /// Asks; returns if the answer is SERVING.
    ///
    /// # Errors
    /// [`Unhealthy`]: any other answer, or none.
    pub async fn ask(&self) -> Result<(), Unhealthy> {
        let Self { address, timeout, .. } = *self;
        let answer = tokio::time::timeout(timeout, self.call()).await;
        answer.unwrap_or(Err(Unhealthy::Silent { address, timeout }))
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
            Ok(answer) => match answer.into_inner().status() {
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
            Err(status) => Err(Unhealthy::Refused {
                address,
                code: status.code(),
                message: status.message().to_owned(),
            }),
        }
    }
}

/// The address to call a server at that listens on `address`: a server on the
/// wildcard is reached over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The message at the bottom of a chain of errors, which names the cause.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
