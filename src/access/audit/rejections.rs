use std::{
    collections::HashMap,
    mem,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::record::AuditSummary;
use crate::domain::client_network;

/// The most pairs of address and reason that are told apart. Further addresses count together.
const MAX_ORIGINS: usize = 1024;

/// Counts the rejected calls of callers that are not authenticated, by address and reason. Without a
/// bound, anybody who can connect could fill the disk with log lines and audit records.
#[derive(Debug)]
pub(super) struct Rejections {
    /// How many of each are recorded whole until they are summed up.
    max_whole: u64,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    since: SystemTime,
    by_origin: HashMap<(Option<IpAddr>, String), u64>,
}

impl Rejections {
    pub(super) fn new(max_whole: u64) -> Self {
        Self {
            max_whole,
            counts: Mutex::new(Counts {
                since: SystemTime::now(),
                by_origin: HashMap::new(),
            }),
        }
    }

    /// Counts a rejected call. Returns whether it is recorded whole.
    pub(super) fn count(&self, address: Option<IpAddr>, reason: &str) -> bool {
        let mut counts = self.lock();
        let by_origin = &mut counts.by_origin;
        let mut origin = (address.map(client_network), reason.to_owned());
        if by_origin.len() >= MAX_ORIGINS && !by_origin.contains_key(&origin) {
            origin.0 = None;
        }
        let count = by_origin.entry(origin).or_default();
        *count += 1;
        *count <= self.max_whole
    }

    /// Sums up the calls that were not recorded whole since the last time.
    pub(super) fn sum_up(&self) -> Vec<AuditSummary> {
        let time = SystemTime::now();
        let mut counts = self.lock();
        let since = mem::replace(&mut counts.since, time);
        let ended = mem::take(&mut counts.by_origin);
        drop(counts);
        let more = ended.into_iter().filter(|(_, count)| *count > self.max_whole);
        let more = more.map(|((address, reason), count)| AuditSummary {
            time,
            since,
            address,
            reason,
            calls: count - self.max_whole,
        });
        more.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    #[test]
    fn the_first_are_whole_and_the_rest_is_summed_up_exactly() {
        let rejections = Rejections::new(2);
        let one = "192.0.2.1".parse().ok();
        let whole = (0..5).filter(|_| rejections.count(one, "TOKEN_UNKNOWN")).count();
        assert_eq!(whole, 2);
        assert!(rejections.count(one, "TOKEN_EXPIRED"), "another reason");
        assert!(
            rejections.count("192.0.2.2".parse().ok(), "TOKEN_UNKNOWN"),
            "another address"
        );
        let [summary] = &rejections.sum_up()[..] else {
            panic!("one is over the limit")
        };
        assert_eq!((summary.address, summary.calls), (one, 3));
        assert_eq!(summary.reason, "TOKEN_UNKNOWN");
        assert!(rejections.sum_up().is_empty());
        assert!(rejections.count(one, "TOKEN_UNKNOWN"), "the next period");
    }

    #[test]
    fn addresses_without_number_use_bounded_memory_and_are_all_counted() {
        let rejections = Rejections::new(1);
        let mut whole = 0;
        for number in 0..100_000_u128 {
            let network = IpAddr::from(std::net::Ipv6Addr::from(number << 64));
            whole += u64::from(rejections.count(Some(network), "TOKEN_UNKNOWN"));
        }
        assert!(rejections.lock().by_origin.len() <= MAX_ORIGINS + 1);
        let rest: u64 = rejections.sum_up().iter().map(|summary| summary.calls).sum();
        assert_eq!(whole + rest, 100_000);
    }
}
