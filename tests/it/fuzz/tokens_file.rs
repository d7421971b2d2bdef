//! The file of static tokens.

use std::path::PathBuf;

use jiff::Timestamp;
use tapegate::access::{identity::static_tokens::StaticTokens, reload::FileContents};

/// A token whose hash stands nowhere in a file is let in by none.
pub fn run(bytes: &[u8]) {
    let contents = FileContents::new(vec![(PathBuf::from("tokens.toml"), bytes.to_vec())]);
    match StaticTokens::read(&contents) {
        Ok(tokens) => {
            let token = format!("tapegate_0123456789abcdef_{}", "x".repeat(43));
            assert!(tokens.verify(&token, Timestamp::UNIX_EPOCH).is_err());
        }
        Err(faults) => assert!(!faults.is_empty()),
    }
}
