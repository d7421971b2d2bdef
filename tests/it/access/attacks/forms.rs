use http::HeaderValue;

use super::{Attack, Attacks, OPERATORS};
use crate::harness::Site;

/// Attacks with the form of the credentials.
pub(super) fn forms(site: &Site, attacks: &mut Attacks) {
    const MALFORMED: &str = "CREDENTIALS_MALFORMED";
    let good = site.token("somebody", OPERATORS);
    let jwt = site.jwt("somebody", OPERATORS);
    attacks.raw("no token", &[], "CREDENTIALS_MISSING");
    attacks.raw("an empty header", &[""], MALFORMED);
    attacks.raw("a scheme and no token", &["Bearer"], MALFORMED);
    attacks.token("garbage", "garbage", "TOKEN_UNKNOWN");
    attacks.token("garbage in three parts", "gar.ba.ge", MALFORMED);
    attacks.token("three empty parts", "..", MALFORMED);
    attacks.token("five parts", "e30.e30.e30.e30.e30", "TOKEN_UNKNOWN");
    attacks.token(
        "an oversized token",
        &format!("{}.{}", "a".repeat(4096), "b.".repeat(3000)),
        MALFORMED,
    );
    attacks.token(
        "an oversized static token",
        &format!("{good}{}", "a".repeat(9000)),
        MALFORMED,
    );
    for (name, token) in [("static", &good), ("jwt", &jwt)] {
        for scheme in [
            "Basic ", "Token ", "JWT ", "Bearer: ", "Bearer=", "BearerX ", "Bearer\t", "", "Digest ",
        ] {
            attacks.raw(
                format!("{name}, scheme {scheme:?}"),
                &[&format!("{scheme}{token}")],
                MALFORMED,
            );
        }
        attacks.raw(
            format!("{name}, quoted"),
            &[&format!("Bearer \"{token}\"")],
            MALFORMED,
        );
        attacks.raw(
            format!("{name}, many tokens"),
            &[&format!("Bearer {token}, Bearer {token}")],
            MALFORMED,
        );
        attacks.raw(
            format!("{name}, two tokens"),
            &[&format!("Bearer {token} {token}")],
            MALFORMED,
        );
        let bearer = format!("Bearer {token}");
        attacks.raw(format!("{name}, two headers"), &[&bearer, &bearer], MALFORMED);
        attacks.raw(
            format!("{name}, good before bad"),
            &[&bearer, "Bearer garbage"],
            MALFORMED,
        );
        attacks.raw(
            format!("{name}, bad before good"),
            &["Bearer garbage", &bearer],
            MALFORMED,
        );
        attacks.raw(format!("{name}, empty before good"), &["", &bearer], MALFORMED);
    }
    let mut not_ascii = Attack {
        name: "not ASCII".to_owned(),
        authorization: Vec::new(),
        reason: MALFORMED,
    };
    not_ascii
        .authorization
        .push(HeaderValue::from_bytes(&[b"Bearer ", good.as_bytes(), b"\xff"].concat()).unwrap());
    attacks.0.push(not_ascii);
}
