use super::{Attacks, OPERATORS, forged::base64};
use crate::harness::{Site, in_seconds};

/// Attacks with static tokens.
pub(super) fn static_tokens(site: &Site, attacks: &mut Attacks) {
    let good = site.token("somebody", OPERATORS);
    let (front, secret) = good
        .rsplit_once('_')
        .filter(|(_, secret)| secret.len() == 43)
        .unwrap_or_else(|| {
            // The secret itself can contain the separator.
            good.split_at(good.len() - 43)
        });
    let front = front.trim_end_matches('_');
    let flipped = if secret.starts_with('A') { "B" } else { "A" };
    attacks.token(
        "a wrong secret",
        &format!("{front}_{flipped}{}", &secret[1..]),
        "TOKEN_UNKNOWN",
    );
    attacks.token(
        "another's secret",
        &format!("{front}_{}", base64([7; 32])),
        "TOKEN_UNKNOWN",
    );
    attacks.token(
        "an unknown id",
        &format!("tapegate_0123456789abcdef_{secret}"),
        "TOKEN_UNKNOWN",
    );
    attacks.token(
        "a truncated secret",
        &good[..good.len() - 1],
        "CREDENTIALS_MALFORMED",
    );
    attacks.token("the id alone", front, "CREDENTIALS_MALFORMED");
    attacks.token("the prefix alone", "tapegate_", "CREDENTIALS_MALFORMED");
    attacks.token(
        "another site's",
        &Site::new().token("somebody", OPERATORS),
        "TOKEN_UNKNOWN",
    );
    let expired = site.token_until("somebody", OPERATORS, in_seconds(-1));
    attacks.token("expired", &expired, "TOKEN_EXPIRED");
    let revoked = site.token("revoked", OPERATORS);
    let file = std::fs::read_to_string(site.path("tokens.toml")).unwrap();
    let rest: Vec<_> = file
        .split("\n\n")
        .filter(|row| !row.contains("\"revoked\""))
        .collect();
    assert_eq!(rest.len() + 1, file.split("\n\n").count());
    site.write("tokens.toml", &rest.join("\n\n"));
    attacks.token("revoked", &revoked, "TOKEN_UNKNOWN");
    // The digest in the file is not a token.
    let hash = file
        .lines()
        .find_map(|line| line.strip_prefix("sha256 = \""))
        .unwrap();
    attacks.token("the hash of a token", hash.trim_end_matches('"'), "TOKEN_UNKNOWN");
}
