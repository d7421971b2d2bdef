use std::sync::{Arc, OnceLock};

use crate::domain::Attempts;

/// Whether the request of one attempt is on its way to AWS. Clones share one value.
///
/// A request begins when the HTTP client takes the first bytes of its body, which happens on an open
/// connection. AWS cannot carry out a request without its body. So until then the request can be
/// withdrawn, and nothing has happened; from then on AWS may carry it out.
#[derive(Clone, Debug, Default)]
pub struct Transmission(Arc<OnceLock<State>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begun,
    Withdrawn,
}

impl Transmission {
    /// Begins to send the request. Returns `false` if it was withdrawn and must not be sent.
    pub fn begin(&self) -> bool {
        *self.0.get_or_init(|| State::Begun) == State::Begun
    }

    /// Withdraws the request. Returns `false` if it is too late, because sending has begun.
    pub fn withdraw(&self) -> bool {
        *self.0.get_or_init(|| State::Withdrawn) == State::Withdrawn
    }

    /// Whether sending has begun.
    pub fn has_begun(&self) -> bool {
        self.0.get() == Some(&State::Begun)
    }

    /// Ends an attempt without a response: withdraws its request if that is still possible. Returns
    /// what the attempt counts as.
    pub fn end(&self) -> Attempts {
        match self.withdraw() {
            true => Attempts::unsent(),
            false => Attempts::one(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_either_begun_or_withdrawn() {
        let sent = Transmission::default();
        assert!(!sent.has_begun());
        assert!(sent.begin() && sent.has_begun());
        assert!(!sent.withdraw() && sent.begin());
        assert_eq!(sent.end(), Attempts::one(None));

        let withdrawn = Transmission::default();
        assert!(withdrawn.withdraw() && withdrawn.withdraw());
        assert!(!withdrawn.begin() && !withdrawn.has_begun());
        assert_eq!(withdrawn.end(), Attempts::unsent());
    }
}
