//! Opens the files that settings name, to report what is wrong with them together with the
//! faults of the settings, before anything starts.

use std::path::{Path, PathBuf};

use super::settings::{Setting, Values, auth, jwt, limits, parsers::Parsed, policy, server};
use crate::{
    access::{
        audit::AuditLog,
        identity::{
            jwt::{JwksLocation, KeySet, RemoteKeys, RemoteKeysError},
            static_tokens::StaticTokens,
        },
        limits::{LimitSettings, Limits, StoreError},
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
    if let Some(Some(settings)) = limits::shared::settings(values) {
        for fault in Limits::new(LimitSettings::default())
            .shared(&settings)
            .err()
            .into_iter()
            .flatten()
        {
            let message = fault.to_string();
            match fault {
                StoreError::Password(_) => values.fault(&limits::shared::PASSWORD_FILE, message),
                StoreError::Ca(_) => values.fault(&limits::shared::CA, message),
                StoreError::Client(_) => values.fault(&limits::shared::URL, message),
            }
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

/// Each file by itself, so that a fault has the setting that names the file; then all that are valid
/// together.
fn tls_files(values: &mut Values) {
    let mut path = |setting: &Setting<Parsed<PathBuf>>, check: fn(&Path) -> Result<(), Vec<String>>| {
        let path = values.optional(setting)??;
        let checked = check(&path);
        let is_valid = checked.is_ok();
        report(values, setting, checked);
        is_valid.then_some(path)
    };
    let cert = path(&server::TLS_CERT, tls::check_certificates);
    let key = path(&server::TLS_KEY, tls::check_key);
    let client_ca = path(&server::TLS_CLIENT_CA, tls::check_roots);
    if let (Some(cert), Some(key)) = (cert, key) {
        let opened = tls::open(&TlsSettings { cert, key, client_ca });
        report(values, &server::TLS_KEY, opened);
    }
}

fn report<S, T>(values: &mut Values, setting: &Setting<S>, opened: Result<T, Vec<String>>) {
    for fault in opened.err().into_iter().flatten() {
        values.fault(setting, fault);
    }
}
