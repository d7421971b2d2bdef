//! Opens the files that settings name, to report what is wrong with them together with the
//! faults of the settings, before anything starts.

use std::path::Path;

use super::settings::{Setting, Values, auth, jwt, policy, server};
use crate::{
    access::{
        audit::AuditLog,
        identity::{
            jwt::{JwksLocation, KeySet, RemoteKeys, RemoteKeysError},
            static_tokens::StaticTokens,
        },
        policy::PolicyEngine,
    },
    grpc::tls::{self, TlsSettings},
};

/// Adds the faults of all files that the service's settings name.
pub(super) fn files(values: &mut Values) {
    tls_files(values);
    if let Some(Some(path)) = values.optional(&auth::TOKENS_FILE) {
        report(values, &auth::TOKENS_FILE, StaticTokens::open(&path));
    }
    if let Some(Some(path)) = values.optional(&policy::AUDIT_FILE) {
        report(values, &policy::AUDIT_FILE, AuditLog::check_file(&path));
    }
    for setting in [&policy::PATH, &policy::TRIAL] {
        if let Some(Some(directory)) = values.optional(setting) {
            report(values, setting, PolicyEngine::open(setting.key, &directory));
        }
    }
    values.rows(&jwt::TABLE, |row| {
        match row.optional(&jwt::JWKS)?? {
            JwksLocation::File(path) => report(row, &jwt::JWKS, KeySet::open(&path)),
            JwksLocation::Url(url) => {
                let settings = jwt::remote(row).unwrap_or_default();
                for fault in RemoteKeys::new(&url, settings).err().into_iter().flatten() {
                    let message = fault.to_string();
                    match fault {
                        RemoteKeysError::Ca { .. } => row.fault(&jwt::JWKS_CA, message),
                        RemoteKeysError::Token(_) => row.fault(&jwt::JWKS_TOKEN_FILE, message),
                        RemoteKeysError::Url | RemoteKeysError::Client(_) => row.fault(&jwt::JWKS, message),
                    }
                }
            }
        }
        Some(())
    });
}

/// Each file by itself, so that a fault has the setting that names the file; then all together.
fn tls_files(values: &mut Values) {
    let mut are_readable = true;
    let mut path = |setting, check: fn(&Path) -> Result<(), Vec<String>>| {
        let path = values.optional(setting)?;
        let checked = path.as_deref().map_or(Ok(()), check);
        are_readable &= checked.is_ok();
        report(values, setting, checked);
        Some(path)
    };
    let cert = path(&server::TLS_CERT, tls::check_certificates);
    let key = path(&server::TLS_KEY, tls::check_key);
    let client_ca = path(&server::TLS_CLIENT_CA, tls::check_roots);
    if let (true, Some(Some(cert)), Some(Some(key)), Some(client_ca)) = (are_readable, cert, key, client_ca) {
        let opened = tls::open(&TlsSettings { cert, key, client_ca });
        report(values, &server::TLS_KEY, opened);
    }
}

fn report<S, T>(values: &mut Values, setting: &Setting<S>, opened: Result<T, Vec<String>>) {
    for fault in opened.err().into_iter().flatten() {
        values.fault(setting, fault);
    }
}
