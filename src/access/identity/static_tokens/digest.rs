use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of a static token.
///
/// It has no `PartialEq`: digests of secrets can be compared in constant time only. A plain hash
/// is enough, because a token has 256 random bits.
#[derive(Debug)]
pub(super) struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// A digest that no token has, for comparing unknown tokens.
    pub(super) const NONE: Self = Self([0; 32]);

    /// Hashes a token.
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Parses 64 hexadecimal digits.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// Returns 64 hexadecimal digits.
    pub(super) fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Compares two digests in a time that does not depend on how much of them is equal.
    pub(super) fn is_equal(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;

    /// Finds out whether a type has `PartialEq`: the inherent constant hides the trait's one where
    /// its bound holds.
    struct Comparison<T>(PhantomData<T>);

    impl<T: PartialEq> Comparison<T> {
        const IS_POSSIBLE: bool = true;
    }

    trait NoComparison {
        const IS_POSSIBLE: bool = false;
    }

    impl<T> NoComparison for Comparison<T> {}

    #[test]
    fn digests_of_tokens_cannot_be_compared_with_the_equality_operator() {
        let possible = [
            Comparison::<[u8; 32]>::IS_POSSIBLE,
            Comparison::<TokenDigest>::IS_POSSIBLE,
        ];
        assert_eq!(possible, [true, false]);
    }

    #[test]
    fn only_digests_of_the_same_token_are_equal() {
        let digest = TokenDigest::of("token");
        assert!(digest.is_equal(&TokenDigest::from_hex(&digest.to_hex()).expect("it is hexadecimal")));
        assert!(!digest.is_equal(&TokenDigest::of("tokem")));
        assert!(!digest.is_equal(&TokenDigest::NONE));
    }
}
