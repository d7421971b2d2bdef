//! How much each caller may have, counted by this replica alone.
//!
//! Off until set, and never for anonymous callers, who would share one. A principal that went
//! away is forgotten.

mod bucket;
mod open;

use std::time::Duration;

pub use self::open::Open;
use self::{bucket::Buckets, open::Counts};
use crate::{domain::Principal, observability::metrics};

/// What holds for one principal; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Calls a second; so many may come at once.
    pub calls_per_second: Option<u32>,
    /// Calls that are open at one time.
    pub concurrent_streams: Option<u32>,
    /// Tapes made in an hour.
    pub tapes_per_hour: Option<u32>,
}

/// What holds for members of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLimit {
    /// The group.
    pub name: String,
    /// What holds for its members, where it says something.
    pub limit: Limit,
}

/// What holds for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitSettings {
    /// For every principal.
    pub each: Limit,
    /// For members of groups, instead. Of several the largest holds.
    pub groups: Vec<GroupLimit>,
}

/// What every caller has used.
#[derive(Debug)]
pub struct Limits {
    settings: LimitSettings,
    calls: Buckets,
    open: Counts,
    tapes: Buckets,
    /// How often each limit was reached, by its setting.
    pub reached: metrics::Counts<&'static str>,
}

/// A limit that is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitExceeded {
    /// Which limit, and how much it is.
    pub quota: String,
    /// When it will not be any more; `None` if that cannot be known, or never comes.
    pub wait: Option<Duration>,
}

impl Limits {
    /// Nobody has used anything yet.
    pub fn new(settings: LimitSettings) -> Self {
        Self {
            settings,
            calls: Buckets::new(Duration::from_secs(1)),
            open: Counts::default(),
            tapes: Buckets::new(Duration::from_secs(60 * 60)),
            reached: metrics::Counts::default(),
        }
    }

    /// Counts a call, which is open for as long as what comes back is kept.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded`]; then it does not count.
    pub fn call(&self, principal: &Principal) -> Result<Option<Open>, LimitExceeded> {
        let open = match self.limit(principal, |limit| limit.concurrent_streams) {
            None => None,
            Some(most) => Some(self.open.open(principal.name(), most).ok_or_else(|| {
                let quota = format!("calls of one caller open at once: {most}");
                self.reach("limits.concurrent_streams", quota, None)
            })?),
        };
        if let Some(most) = self.limit(principal, |limit| limit.calls_per_second) {
            self.calls.take(principal.name(), most, 1).map_err(|wait| {
                let quota = format!("calls of one caller in a second: {most}");
                self.reach("limits.calls_per_second", quota, wait)
            })?;
        }
        Ok(open)
    }

    /// Counts tapes that a call is about to make.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded`]; then none of them count.
    pub fn make(&self, principal: &Principal, tapes: u8) -> Result<(), LimitExceeded> {
        match self.limit(principal, |limit| limit.tapes_per_hour) {
            None => Ok(()),
            Some(most) => self
                .tapes
                .take(principal.name(), most, u32::from(tapes))
                .map_err(|wait| {
                    let quota = format!("tapes that one caller creates in an hour: {most}");
                    self.reach("limits.tapes_per_hour", quota, wait)
                }),
        }
    }

    /// The tapes that were counted were surely not made.
    pub fn unmake(&self, principal: &Principal, tapes: u8) {
        if let Some(most) = self.limit(principal, |limit| limit.tapes_per_hour) {
            self.tapes.give_back(principal.name(), most, u32::from(tapes));
        }
    }

    fn reach(&self, setting: &'static str, quota: String, wait: Option<Duration>) -> LimitExceeded {
        self.reached.add(setting);
        LimitExceeded { quota, wait }
    }

    fn limit(&self, principal: &Principal, of: impl Fn(&Limit) -> Option<u32>) -> Option<u32> {
        if principal.is_anonymous() {
            return None;
        }
        let LimitSettings { each, groups } = &self.settings;
        let is_member = |group: &&GroupLimit| principal.groups().binary_search(&group.name).is_ok();
        let of_groups = groups
            .iter()
            .filter(is_member)
            .filter_map(|group| of(&group.limit));
        of_groups.max().or_else(|| of(each))
    }
}
