use std::path::PathBuf;

use super::{Setting, values::Values, word::File};
use crate::grpc::tls;

/// How connections are protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The service's certificate, with those between it and its root (`tls.cert`).
    pub cert: PathBuf,
    /// Its private key (`tls.key`).
    pub key: PathBuf,
    /// The roots of client certificates, which are asked for if there is a file
    /// (`tls.client_ca`).
    pub client_ca: Option<PathBuf>,
}

pub(crate) static CERT: Setting<File> = Setting {
    key: "tls.cert",
    kind: File,
    default: None,
    help: "The service's certificate as PEM, with the certificates between it and its root behind it. With it, TLS \
           1.2 and 1.3 are served, and nothing else.",
};

pub(crate) static KEY: Setting<File> = Setting {
    key: "tls.key",
    kind: File,
    default: None,
    help: "The private key of that certificate, as PEM.",
};

pub(crate) static CLIENT_CA: Setting<File> = Setting {
    key: "tls.client_ca",
    kind: File,
    default: None,
    help: "The roots of client certificates, as PEM. With it, connections are asked for a certificate, and callers are \
           known by it. A connection without one is taken all the same: its calls need a token.",
};

impl Tls {
    /// `Some(None)` is plain text.
    pub(super) fn read(values: &mut Values) -> Option<Option<Self>> {
        let [cert, key, client_ca] = [&CERT, &KEY, &CLIENT_CA].map(|setting| values.optional(setting));
        let (cert, key, client_ca) = (cert?, key?, client_ca?);
        let (cert, key) = match (cert, key, &client_ca) {
            (Some(cert), Some(key), _) => (cert, key),
            (None, None, None) => return Some(None),
            (cert, key, _) => {
                for (setting, value) in [(&CERT, &cert), (&KEY, &key)] {
                    if value.is_none() {
                        values.fault(setting, "is not set; TLS needs tls.cert and tls.key");
                    }
                }
                return None;
            }
        };
        let tls = Self { cert, key, client_ca };
        if let Err(faults) = tls::open(&tls.cert, &tls.key, tls.client_ca.as_deref()) {
            values.faults_of_file(&CERT, faults);
            return None;
        }
        Some(Some(tls))
    }
}
