//! The tables `[[account]]` and `[[role]]` of the file.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::{Faults, Place};
use crate::{
    account::gateway,
    json::{Members, Problem},
    settings::{
        Account, Role, RoleArn, Settings,
        form::{AccountId, Text as _},
    },
};

/// The names of the tables. Each may appear any number of times.
pub(super) const NAMES: [&str; 2] = ["account", "role"];

const HOUR: Duration = Duration::from_secs(3_600);
const MAX_SEED: u64 = 1_000_000;

/// A table of the file.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What the tables describe, each with the place of its table.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) accounts: Vec<(Place, Account)>,
    pub(super) roles: Vec<(Place, Role)>,
}

impl Tables {
    /// Reads the tables, and adds every fault of one alone.
    pub(super) fn read(tables: Vec<Table>, faults: &mut Faults) -> Self {
        let mut read = Self::default();
        for Table { name, place, value } in tables {
            let problems = if name == "account" {
                let account = Members::read(value, name, account);
                account.map(|account| read.accounts.push((place.clone(), account)))
            } else {
                let role = Members::read(value, name, role);
                role.map(|role| read.roles.push((place.clone(), role)))
            };
            for problem in problems.err().into_iter().flatten() {
                faults.push(place.clone(), problem.to_string());
            }
        }
        read
    }

    /// Adds the faults of the tables together: a name that appears twice, and a role of an account
    /// that the emulator does not have.
    pub(super) fn check(&self, settings: &Settings, faults: &mut Faults) {
        let mut ids = BTreeSet::new();
        for (place, account) in &self.accounts {
            if !ids.insert(&account.id) {
                let problem = Problem::new("account.id", format!("{} has two tables; keep one", account.id));
                faults.push(place.clone(), problem.to_string());
            }
        }
        let mut arns = BTreeSet::new();
        for (place, role) in &self.roles {
            let mut fault = |message: String| {
                faults.push(place.clone(), Problem::new("role.arn", message).to_string());
            };
            if !arns.insert(&role.arn) {
                fault(format!("{} has two tables; keep one", role.arn));
            }
            let Some(arn) = RoleArn::parse(&role.arn) else {
                continue;
            };
            if !settings.has_account(arn.account) {
                let account = arn.account;
                fault(format!(
                    "the emulator has no account {account}; add [[account]] with id = \"{account}\""
                ));
            } else if !settings.has_role_account(&arn) {
                let (partition, account) = (arn.partition, arn.account);
                fault(format!(
                    "the partition {partition} is not that of the region of account {account}; change one of them"
                ));
            }
        }
    }
}

fn account(members: &mut Members) -> Option<Account> {
    let id = members.require("id", AccountId::TAKES, account_id);
    let takes = "a region, such as us-east-1";
    let region = members.get("region", takes, |value| {
        let region = value.as_str().filter(|region| gateway::is_region(region));
        region.map(str::to_owned)
    });
    let takes = format!("a whole number from 0 to {MAX_SEED}");
    let seed_tapes = members.get("seed_tapes", &takes, |value| {
        let number = value.as_u64().filter(|number| *number <= MAX_SEED)?;
        usize::try_from(number).ok()
    });
    let account = Account::new(id?);
    Some(Account {
        region: region.unwrap_or(account.region),
        seed_tapes,
        id: account.id,
    })
}

fn role(members: &mut Members) -> Option<Role> {
    let arn = members.require("arn", RoleArn::TAKES, |value| {
        let arn = value.as_str().filter(|arn| RoleArn::parse(arn).is_some());
        arn.map(str::to_owned)
    });
    let takes = "2 to 1224 letters, digits and characters of _+=,.@:/-";
    let external_id = members.get("external_id", takes, |value| {
        let is_valid = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
        let id = value.as_str()?;
        ((2..=1_224).contains(&id.len()) && id.chars().all(is_valid)).then(|| id.to_owned())
    });
    let takes = "a list of AWS accounts of 12 digits";
    let trusted_accounts = members.get("trusted_accounts", takes, |value| {
        value.as_array()?.iter().map(account_id).collect()
    });
    let takes = "a list of session names";
    let refused_sessions = members.get("refused_sessions", takes, |value| {
        let names = value.as_array()?.iter();
        names.map(|name| name.as_str().map(str::to_owned)).collect()
    });
    let refused = members.get("refused", "true or false", Value::as_bool);
    let takes = "a duration from 1h to 12h, such as 4h";
    let max_session_duration = members.get("max_session_duration", takes, |value| {
        let duration = humantime::parse_duration(value.as_str()?).ok()?;
        (HOUR..=12 * HOUR).contains(&duration).then_some(duration)
    });
    let role = Role::new(arn?);
    Some(Role {
        external_id,
        trusted_accounts,
        refused_sessions: refused_sessions.unwrap_or_default(),
        refused: refused.unwrap_or(role.refused),
        max_session_duration: max_session_duration.unwrap_or(role.max_session_duration),
        arn: role.arn,
    })
}

fn account_id(value: &Value) -> Option<String> {
    value.as_str().and_then(AccountId::parse)
}
