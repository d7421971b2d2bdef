//! `[[account]]`: the AWS accounts that are served, each with its role.

use std::collections::BTreeSet;

use super::{
    Setting, Table,
    parsers::{self, Bool, Parsed, Text},
    requests::REGIONS,
    setting_type::List,
    values::Values,
};
use crate::{
    domain::{AccountId, AwsPartition, Region, RoleArn},
    upstream::sdk::AccountSettings,
};

/// The accounts.
pub(crate) static TABLE: Table = Table {
    key: "account",
    help: "An AWS account, which the service enters by assuming a role. One table for each account. Without any, all \
           requests are signed with the credentials of the standard chain, whichever account they belong to.",
    settings: &[
        &ID,
        &ALIAS,
        &ROLE,
        &EXTERNAL_ID,
        &PROFILE,
        &PARTITION,
        &ITS_REGIONS,
        &SESSION_NAME,
        &SESSION_PER_CALLER,
        &SESSION_TAGS,
    ],
};

static ID: Setting<Parsed<AccountId>> = Setting {
    key: "account.id",
    kind: parsers::ACCOUNT,
    default: None,
    help: "The account.",
};

static ALIAS: Setting<Parsed<String>> = Setting {
    key: "account.alias",
    kind: parsers::ALIAS,
    default: None,
    help: "The name of the account in metrics, in /readyz and on the admin page. Default: the account ID.",
};

static ROLE: Setting<Parsed<RoleArn>> = Setting {
    key: "account.role",
    kind: parsers::ROLE,
    default: None,
    help: "The IAM role that is assumed for all requests to the account. It belongs to the account, and its trust \
           policy allows the AWS identity of the service to assume it.",
};

static EXTERNAL_ID: Setting<Parsed<String>> = Setting {
    key: "account.external_id",
    kind: parsers::EXTERNAL_ID,
    default: None,
    help: "The external ID that the trust policy of the role asks for (sts:ExternalId). Default: none is sent.",
};

static PROFILE: Setting<Text> = Setting {
    key: "account.profile",
    kind: Text {
        what: "the name of a profile in the AWS files",
    },
    default: None,
    help: "The profile in the AWS files whose credentials assume the role. An account in another partition needs one, \
           because credentials are valid in one partition. Without a profile, all accounts are in one partition. Default: the standard chain.",
};

static PARTITION: Setting<Parsed<AwsPartition>> = Setting {
    key: "account.partition",
    kind: parsers::PARTITION,
    default: None,
    help: "The AWS partition of the account, its role and its regions. Default: that of the role.",
};

static ITS_REGIONS: Setting<List<Parsed<Region>>> = Setting {
    key: "account.regions",
    kind: List(parsers::REGION),
    default: None,
    help: "The regions that calls to the account may name. Default: those of `regions` in the partition of the account.",
};

static SESSION_NAME: Setting<Parsed<String>> = Setting {
    key: "account.session_name",
    kind: parsers::SESSION_NAME,
    default: Some("tapegate"),
    help: "The name of the sessions of the role, which CloudTrail shows for every request.",
};

static SESSION_PER_CALLER: Setting<Bool> = Setting {
    key: "account.session_per_caller",
    kind: Bool,
    default: Some("false"),
    help: "Assume the role once for each caller, so that CloudTrail shows who called: the session is named \
           SESSION_NAME-CALLER, shortened to 64 characters, with _ for characters that a session name cannot have. If \
           that changes the name, it ends with six hexadecimal digits of the SHA-256 of CALLER. \
           Reads of different callers are not coalesced then. upstream.max_caller_sessions limits the number of \
           sessions.",
};

static SESSION_TAGS: Setting<Bool> = Setting {
    key: "account.session_tags",
    kind: Bool,
    default: Some("false"),
    help: "Tag the sessions with tapegate:service (the name of the session) and, with session_per_caller, \
           tapegate:caller, changed in the same way where a tag cannot have its characters or length. The trust policy of the role must allow sts:TagSession.",
};

/// Whether accounts are configured, valid or not.
pub(super) fn are_given(values: &Values) -> bool {
    values.has_rows(&TABLE)
}

/// The accounts of the table.
pub(super) fn read(values: &mut Values) -> Option<Vec<AccountSettings>> {
    let served = values.get(&REGIONS);
    check_names(values);
    let mut of_chain = None;
    values.rows(&TABLE, |row| {
        if let Some(role) = row.optional(&ROLE).flatten() {
            let partition = role.partition();
            if row.optional(&PROFILE) == Some(None) && *of_chain.get_or_insert(partition) != partition {
                let message = format!(
                    "is not set, but an account of another partition has none either, and the credentials of the \
                     standard chain are valid in one partition; set the profile whose credentials assume roles in \
                     {partition}"
                );
                row.fault(&PROFILE, message);
            }
        }
        account(row, served.as_ref())
    })
}

/// Rejects IDs and aliases that several accounts have.
fn check_names(values: &mut Values) {
    let all = ids(values).unwrap_or_default();
    let (mut ids, mut aliases) = (BTreeSet::new(), BTreeSet::new());
    values.rows(&TABLE, |row| {
        let (id, alias) = (row.optional(&ID).flatten(), row.optional(&ALIAS).flatten());
        if let Some(alias) = alias {
            if all
                .iter()
                .any(|other| other.as_str() == alias && id.as_ref() != Some(other))
            {
                row.fault(&ALIAS, format!("{alias} is the ID of another account"));
            } else if !aliases.insert(alias.clone()) {
                row.fault(&ALIAS, format!("{alias} is the name of another account too"));
            }
        }
        if let Some(id) = id
            && !ids.insert(id.clone())
        {
            row.fault(&ID, format!("{id} has an [[account]] already"));
        }
        Some(())
    });
}

/// The IDs of the accounts, whatever else is wrong with them; `None` if one is missing or invalid.
pub(super) fn ids(values: &mut Values) -> Option<BTreeSet<AccountId>> {
    let ids = values.rows(&TABLE, |row| row.optional(&ID).flatten());
    ids.map(BTreeSet::from_iter)
}

/// The valid regions that accounts name themselves.
pub(super) fn regions_of_all(values: &mut Values) -> BTreeSet<Region> {
    let mut regions = BTreeSet::new();
    values.rows(&TABLE, |row| {
        regions.extend(row.optional(&ITS_REGIONS).flatten().into_iter().flatten());
        Some(())
    });
    regions
}

fn account(row: &mut Values, served: Option<&BTreeSet<Region>>) -> Option<AccountSettings> {
    let id = row.required(&ID);
    let role = row.required(&ROLE);
    if let (Some(id), Some(role)) = (&id, &role)
        && role.account() != id
    {
        let message = format!("{role} belongs to account {}, not to {id}", role.account());
        row.fault(&ROLE, message);
    }
    let partition = row.optional(&PARTITION)?;
    if let (Some(partition), Some(role)) = (partition, &role)
        && role.partition() != partition
    {
        row.fault(&ROLE, format!("{role} is not in partition {partition}"));
    }
    let regions = match role.as_ref() {
        Some(role) => regions(row, role.partition(), served),
        None => None,
    };
    Some(AccountSettings {
        id: id?,
        alias: row.optional(&ALIAS)?,
        role: role?,
        external_id: row.optional(&EXTERNAL_ID)?,
        profile: row.optional(&PROFILE)?,
        session_name: row.get(&SESSION_NAME)?,
        session_per_caller: row.get(&SESSION_PER_CALLER)?,
        session_tags: row.get(&SESSION_TAGS)?,
        regions: regions?,
    })
}

/// The regions of an account in this partition. `served` are those of the setting `regions`, if it is
/// valid.
fn regions(
    row: &mut Values,
    partition: AwsPartition,
    served: Option<&BTreeSet<Region>>,
) -> Option<BTreeSet<Region>> {
    let its_own = row.optional(&ITS_REGIONS)?;
    let is_in_partition = |region: &&Region| AwsPartition::of(region) == partition;
    let Some(regions) = its_own else {
        let regions: BTreeSet<_> = served?.iter().filter(is_in_partition).cloned().collect();
        if regions.is_empty() {
            let message = format!("is not set, and no region of `regions` is in partition {partition}");
            row.fault(&ITS_REGIONS, message);
            return None;
        }
        row.set_default_list(&ITS_REGIONS, regions.iter().map(Region::as_str));
        return Some(regions);
    };
    let mut faults = Vec::new();
    if regions.is_empty() {
        faults.push("is empty, so no call could reach the account".to_owned());
    }
    for region in &regions {
        if !is_in_partition(&region) {
            let its_partition = AwsPartition::of(region);
            faults.push(format!(
                "{region} is in partition {its_partition}, the account in {partition}"
            ));
        } else if served.is_some_and(|served| !served.contains(region)) {
            faults.push(format!("{region} is not in `regions`; add it there"));
        }
    }
    faults.iter().for_each(|fault| row.fault(&ITS_REGIONS, fault));
    faults.is_empty().then_some(regions)
}
