//! Opens the files that settings name, to report what is wrong with them together with the
//! faults of the settings, before anything starts.

use super::settings::{Setting, Values, auth, jwt, policy, server};
use crate::{
    access::{
        identity::{
            jwt::{JwksLocation, KeySet, RemoteKeys},
            static_tokens::StaticTokens,
        },
        policy::PolicyEngine,
    },
    grpc::tls::{self, TlsSettings},
};

/// Adds the faults of all files that the service's settings name.
pub(super) fn files(values: &mut Values) {
    let [cert, key, client_ca] =
        [&server::TLS_CERT, &server::TLS_KEY, &server::TLS_CLIENT_CA].map(|setting| values.optional(setting));
    if let (Some(Some(cert)), Some(Some(key)), Some(client_ca)) = (cert, key, client_ca) {
        let opened = tls::open(&TlsSettings { cert, key, client_ca });
        report(values, &server::TLS_CERT, opened);
    }
    if let Some(Some(path)) = values.optional(&auth::TOKENS_FILE) {
        report(values, &auth::TOKENS_FILE, StaticTokens::open(&path));
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
                let client = RemoteKeys::new(&url, settings);
                report(
                    row,
                    &jwt::JWKS,
                    client.map_err(|unusable| vec![unusable.to_string()]),
                );
            }
        }
        Some(())
    });
}

fn report<S, T>(values: &mut Values, setting: &Setting<S>, opened: Result<T, Vec<String>>) {
    for fault in opened.err().into_iter().flatten() {
        values.fault(setting, fault);
    }
}
