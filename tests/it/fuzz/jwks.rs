//! The key set of an issuer.

use serde_json::Value;
use tapegate::access::identity::jwt::KeySet;

/// What is taken is an object with a list of keys, of which one at least is public; a message
/// of what is wrong shows nothing of the text.
pub fn run(bytes: &[u8]) {
    match KeySet::parse(bytes) {
        Ok(_) => {
            // Members that are not looked at may have texts that are no Unicode.
            let Ok(set) = serde_json::from_slice::<Value>(bytes) else {
                return;
            };
            let keys = set["keys"].as_array().unwrap();
            assert!(keys.iter().any(|key| key["kty"] != "oct"));
        }
        Err(fault) => assert!(fault.is_ascii() && fault.len() < 200, "{fault}"),
    }
}
