//! The `authorization` metadata: the input is its values, parted by line ends.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures_util::FutureExt;
use http::HeaderValue;
use tapegate::access::{
    Authenticator, CallerCredentials,
    identity::static_tokens::StaticTokens,
    reload::{Files, Reloading},
};

/// The only token that is known: a test's, which opens nothing.
const TOKEN: &str = "tapegate_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const FILE: &str = r#"
[[token]]
id = "0123456789abcdef"
name = "agent"
groups = ["agents"]
expires = "2999-01-01T00:00:00Z"
sha256 = "eede05f8b017b29e480f59e0b2e372832acebdb164c8762605cd80a935b01229"
"#;

static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    std::fs::write(&path, FILE).unwrap();
    let tokens = Reloading::open("tokens", Files::Each(vec![path]), StaticTokens::read).unwrap();
    Authenticator::new(None, Vec::new(), Some(Arc::new(tokens)), Duration::ZERO, 16_384)
});

/// Nobody is let in but by one header with the scheme, and the whole token that is known.
pub fn run(bytes: &[u8]) {
    let values: Vec<_> = bytes
        .split(|b| *b == b'\n')
        .filter_map(|value| HeaderValue::from_bytes(value).ok())
        .collect();
    let credentials = CallerCredentials {
        authorization: &values,
        certificate: None,
    };
    let identified = AUTHENTICATOR.authenticate(credentials).now_or_never();
    let Ok(principal) = identified.expect("nothing is waited for") else {
        return;
    };
    assert_eq!(principal.name(), "agent");
    let [value] = &values[..] else {
        panic!("{} headers were taken", values.len());
    };
    let (scheme, token) = value.to_str().unwrap().split_once(' ').unwrap();
    assert!(scheme.eq_ignore_ascii_case("bearer"), "{scheme:?}");
    assert_eq!(token.trim_start_matches(' '), TOKEN);
}
