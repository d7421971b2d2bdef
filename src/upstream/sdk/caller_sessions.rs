use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::time::Instant;

use super::clients::SessionClients;
use crate::domain::AccountId;

/// The clients of callers with sessions of their own. If there are too many, those that were not used
/// for the longest time are forgotten.
pub(super) struct CallerSessions {
    max: usize,
    kept: Mutex<HashMap<(AccountId, String), Kept>>,
}

struct Kept {
    clients: Arc<SessionClients>,
    used: Instant,
}

impl CallerSessions {
    /// At most `max` sessions, above 0.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            kept: Mutex::default(),
        }
    }

    /// The clients of a caller, which `make` makes if there are none.
    pub(super) fn of(
        &self,
        account: &AccountId,
        caller: &str,
        make: impl FnOnce() -> SessionClients,
    ) -> Arc<SessionClients> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (account.clone(), caller.to_owned());
        if !kept.contains_key(&key) && kept.len() >= self.max {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.used);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| kept.remove(&key));
        }
        let kept = kept.entry(key).or_insert_with(|| Kept {
            clients: Arc::new(make()),
            used: Instant::now(),
        });
        kept.used = Instant::now();
        kept.clients.clone()
    }
}

/// Does not show the callers.
impl fmt::Debug for CallerSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("CallerSessions")
            .field("kept", &kept.len())
            .finish()
    }
}
