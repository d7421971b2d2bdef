use std::time::Duration;

use super::{
    arn::{RoleArn, partition},
    form::{AccountId, Text as _, Time, Whole},
    group,
    identity::{Account, Credentials, Role},
    life::Life,
    undocumented::Undocumented,
};
use crate::faults::Rule;

const GIB: i64 = 1 << 30;

group! {
    /// What an emulator is made with.
    pub struct Settings: "The account and its limits" {
        /// The account of callers whose credentials name no other. It is in the ARNs that they see.
        /// `[[account]]` tables add further accounts.
        account_id: String as "AccountId" = "123456789012".to_owned(),
        /// How many tapes the emulator starts with. With 0 it has only its gateway and its custom
        /// pool. The first 17 tapes show every status. The library gets up to 130 tapes; all further
        /// ones are in the archive.
        seed_tapes: usize as "Whole::<0, 1_000_000>" = 250,
        /// How many times as fast as the machine's clock the emulator's clock runs: 43200 makes 12
        /// hours pass in a second, 0 stops it. Signatures are checked by the machine's clock.
        time_scale: u32 as "Whole::<0, 1_000_000>" = 1,
        /// The seed of the random number generator, for fault rules without a seed of their own.
        /// The same seed and the same calls make the same faults.
        fault_seed: u64 as "Whole::<0, { u32::MAX as u64 }>" = 0,
        /// The smallest tape, in GiB.
        min_tape_size_gib: i64 as "Whole::<1, { i64::MAX as u64 >> 30 }>" = 100,
        /// The largest tape, in GiB.
        max_tape_size_gib: i64 as "Whole::<1, { i64::MAX as u64 >> 30 }>" = 15 * 1024,
        /// The maximum number of tapes in the library of one gateway.
        tapes_per_library: usize as "Whole::<0, 1_000_000>" = 1_500,
        /// The maximum total size of the tapes in the library of one gateway, in bytes, written or
        /// not.
        bytes_per_library: u64 as "Whole::<0, { i64::MAX as u64 }>" = 1 << 50,
        /// The maximum number of tapes on a page, whatever `Limit` a request has.
        tapes_per_page: usize as "Whole::<1, 100_000>" = 1_000,
        /// The maximum length of a request body, in bytes.
        max_request_bytes: usize as "Whole::<1_024, { 64 << 20 }>" = 1 << 20,
        /// The maximum length of a snapshot in `PUT /_emulator/snapshot`, in bytes. 64 MiB hold about
        /// 250,000 tapes.
        max_snapshot_bytes: usize as "Whole::<1_024, { 1 << 32 }>" = 64 << 20,
        /// How far the date of a signature may be from the machine's clock, in either direction.
        clock_skew: Duration as "Time::<0, 86_400_000>" = Duration::from_secs(300),
        skip {
            /// The accounts beside that of `account_id`, each with an id of its own. One with this id
            /// says in which region that account is seeded.
            accounts: Vec<Account>,
            /// The roles of these accounts. In an account without any, every role ARN can be assumed.
            roles: Vec<Role>,
            /// The credentials that requests may be signed with, each with an access key id of its
            /// own. Without any, every key id and session token is accepted, and only the form, the
            /// scope and the date of a signature are checked. Credentials that the emulator's STS
            /// issued are always verified.
            credentials: Vec<Credentials>,
            /// The fault rules at the start. The control API adds others.
            faults: Vec<Rule>,
            /// How long a tape stays in each status, and which calls show it.
            life: Life,
            /// What the emulator does where the behaviour of AWS is not documented.
            undocumented: Undocumented,
        }
    }
}

impl Settings {
    /// Every account that the emulator has: those of `accounts`, that of `account_id`, and those that
    /// only credentials name.
    pub(crate) fn all_accounts(&self) -> Vec<Account> {
        let mut all = self.accounts.clone();
        let of_credentials = self.credentials.iter().filter_map(|one| one.account_id.as_ref());
        for id in [&self.account_id].into_iter().chain(of_credentials) {
            if !all.iter().any(|account| account.id == *id) {
                all.push(Account::new(id));
            }
        }
        all
    }

    /// Whether the emulator has the account.
    pub(crate) fn has_account(&self, id: &str) -> bool {
        self.all_accounts().iter().any(|account| account.id == id)
    }

    /// Whether the emulator has the account of a role, in its partition.
    pub(crate) fn has_role_account(&self, role: &RoleArn<'_>) -> bool {
        self.has_account(role.account) && self.is_in_partition(role.account, role.partition)
    }

    /// Whether an account is in a partition: that of its region. The account of `account_id` is in
    /// all, unless `accounts` gives it a region.
    pub(crate) fn is_in_partition(&self, account: &str, name: &str) -> bool {
        let is_given = self.accounts.iter().any(|given| given.id == account);
        if !is_given && account == self.account_id {
            return true;
        }
        let all = self.all_accounts();
        let known = all.iter().find(|known| known.id == account);
        known.is_some_and(|known| partition(&known.region) == name)
    }

    /// Whether a tape may have this size, in bytes.
    pub(crate) fn allows_size(&self, bytes: i64) -> bool {
        let gib = bytes / GIB;
        bytes % GIB == 0 && (self.min_tape_size_gib..=self.max_tape_size_gib).contains(&gib)
    }
}
